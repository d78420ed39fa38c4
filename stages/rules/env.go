package rules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// Bounds of expressions, in CEL's units: about one for each operation. A million take some tenths of a second.
const (
	maxExpression = 2000      // characters
	maxNodes      = 2000      // of the syntax tree, macros expanded
	maxDepth      = 50        // of nested parentheses and calls
	maxLoops      = 3         // comprehensions within one another
	maxRegex      = 1000      // instructions of a compiled pattern
	maxElements   = 100_000   // of all lists, maps and strings at a time
	objectCost    = 20_000    // of one predicate about one object
	imageCost     = 500_000   // of one predicate about all objects of an image
	sampleCost    = 1_000_000 // of all predicates about one sample; what comes after is not evaluated
	checkEvery    = 100       // loop iterations between looks at the context
)

// Object is an object as expressions see it.
type Object struct {
	Class      string            `cel:"class"`
	Canonical  string            `cel:"canonical"`
	Score      float64           `cel:"score"`
	Source     string            `cel:"source"`
	X1         float64           `cel:"x1"`
	Y1         float64           `cel:"y1"`
	X2         float64           `cel:"x2"`
	Y2         float64           `cel:"y2"`
	Width      float64           `cel:"width"`
	Height     float64           `cel:"height"`
	Area       float64           `cel:"area"`
	Attributes map[string]string `cel:"attributes"`
}

// Image is an image as expressions see it.
type Image struct {
	Width   float64           `cel:"width"`
	Height  float64           `cel:"height"`
	Dataset string            `cel:"dataset"`
	Slices  map[string]string `cel:"slices"`
}

// environments are what predicates about an object and about an image are compiled in.
type environments struct{ object, image *cel.Env }

func newEnvironments() (environments, error) {
	tags := types.ParseStructTags(true)
	object := cel.ObjectType("Object")
	pair := []*cel.Type{object, object}
	shared, err := cel.NewEnv(
		cel.Types(cel.NativeTypeFor[Object](cel.NativeTypeAlias("Object"), tags), cel.NativeTypeFor[Image](cel.NativeTypeAlias("Image"), tags)),
		cel.Variable("image", cel.ObjectType("Image")),
		cel.Function("iou", cel.Overload("iou_object_object", pair, cel.DoubleType, cel.BinaryBinding(ofBoxes(geometry.Box.IoU)))),
		cel.Function("inside", cel.Overload("inside_object_object", pair, cel.DoubleType, cel.BinaryBinding(ofBoxes(inside)))),
		cel.CrossTypeNumericComparisons(true),
		cel.ExtendedValidations(),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ExpressionNodeLimit(maxNodes), cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(4), cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(maxLoops)),
	)
	if err != nil {
		return environments{}, err
	}
	var e environments
	if e.object, err = shared.Extend(cel.Variable("object", object)); err != nil {
		return e, err
	}
	e.image, err = shared.Extend(cel.Variable("objects", cel.ListType(object)))
	return e, err
}

// ofBoxes makes a function of two boxes one of two objects.
func ofBoxes(f func(a, b geometry.Box) float64) func(a, b ref.Val) ref.Val {
	return func(a, b ref.Val) ref.Val {
		x, ok := a.Value().(*Object)
		y, also := b.Value().(*Object)
		if !ok || !also {
			return types.NewErr("want two objects")
		}
		return types.Double(f(x.box(), y.box()))
	}
}

func (o *Object) box() geometry.Box {
	return geometry.Box{X1: float32(o.X1), Y1: float32(o.Y1), X2: float32(o.X2), Y2: float32(o.Y2)}
}

func inside(a, b geometry.Box) float64 {
	if area := a.Area(); area > 0 {
		return a.Intersect(b).Area() / area
	}
	return 0
}

// program compiles an expression, which must be a condition.
func program(env *cel.Env, text string, cost uint64) (cel.Program, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("it has no expression")
	}
	tree, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, expressionError(text, issues.Errors())
	}
	if tree.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("the expression is a %s: want a condition, true or false", tree.OutputType())
	}
	p, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(cost), cel.MemoryLimit(maxElements), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, fmt.Errorf("the expression cannot be planned: %w", err)
	}
	return p, nil
}

// expressionError says where the first of the issues is, with the line of the expression and a mark below it.
func expressionError(text string, issues []*cel.Error) error {
	first := issues[0]
	message := strings.TrimSuffix(first.Message, ".")
	if strings.Contains(message, "(double, int)") || strings.Contains(message, "(int, double)") {
		message += ": write whole numbers with a point, such as 2.0"
	}
	if len(issues) > 1 {
		message += fmt.Sprintf(" (and %d more)", len(issues)-1)
	}
	lines := strings.Split(text, "\n")
	line, column := first.Location.Line(), first.Location.Column()
	if line < 1 || line > len(lines) || column < 0 {
		return errors.New(message)
	}
	return fmt.Errorf("line %d, column %d of the expression: %s\n    %s\n    %s^", line, column+1, message, strings.ReplaceAll(lines[line-1], "\t", " "), strings.Repeat(" ", column))
}

// spent is what an evaluation cost.
func spent(d *cel.EvalDetails) uint64 {
	if d == nil || d.ActualCost() == nil {
		return 0
	}
	return *d.ActualCost()
}

// plainly says for people why an evaluation failed.
func plainly(err error) string {
	var canceled interpreter.EvalCancelledError
	if errors.As(err, &canceled) {
		switch canceled.Cause {
		case interpreter.CostLimitExceeded:
			return "it takes too many operations"
		case interpreter.MemoryLimitExceeded:
			return "it takes too much memory"
		}
	}
	return err.Error()
}

// violated evaluates a predicate. why is not empty where it cannot be evaluated; the error is the context's.
func violated(ctx context.Context, p cel.Program, vars map[string]any) (yes bool, cost uint64, why string, err error) {
	out, details, err := p.ContextEval(ctx, vars)
	if ctx.Err() != nil {
		return false, 0, "", context.Cause(ctx)
	}
	if err != nil {
		return false, spent(details), plainly(err), nil
	}
	yes, ok := out.Value().(bool)
	if !ok {
		return false, spent(details), "it is neither true nor false", nil
	}
	return yes, spent(details), "", nil
}

// see makes an object as expressions see it.
func see(o schemas.Object, canonical string) *Object {
	b := o.Box
	return &Object{
		Class: o.Class, Canonical: canonical, Score: float64(o.Score), Source: o.Source,
		X1: float64(b.X1), Y1: float64(b.Y1), X2: float64(b.X2), Y2: float64(b.Y2),
		Width: float64(b.W()), Height: float64(b.H()), Area: b.Area(), Attributes: o.Attributes,
	}
}

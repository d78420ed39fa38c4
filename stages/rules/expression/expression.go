// Package expression compiles and evaluates what people write into rules, in the Common Expression Language (https://cel.dev):
// typed when it is compiled, without I/O, and bounded when it runs by a cost that does not depend on the machine.
package expression

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/interpreter"
)

// Bounds of expressions, in CEL's units: about one for each operation. A million take some tenths of a second.
const (
	maxText     = 2000    // characters
	maxNodes    = 2000    // of the syntax tree, macros expanded
	maxDepth    = 50      // of nested parentheses and calls
	maxLoops    = 3       // comprehensions within one another
	maxRegex    = 1000    // instructions of a compiled pattern
	maxElements = 100_000 // of all lists, maps and strings at a time
	checkEvery  = 100     // loop iterations between looks at the context
)

// NewEnv returns an environment with the bounds that all expressions have and what options declare.
func NewEnv(options ...cel.EnvOption) (*cel.Env, error) {
	return cel.NewEnv(append([]cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.ExtendedValidations(),
		cel.ParserExpressionSizeLimit(maxText), cel.ExpressionNodeLimit(maxNodes), cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(4), cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(maxLoops)),
	}, options...)...)
}

// Expression is one that compiled. It is safe for concurrent use.
type Expression[T bool | float64] struct{ program cel.Program }

// Compile compiles an expression whose value is a T, of which an evaluation may cost so much.
func Compile[T bool | float64](env *cel.Env, text string, cost uint64) (*Expression[T], error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("it has no expression")
	}
	tree, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, located(text, issues.Errors())
	}
	is, called := tree.OutputType(), "a condition, true or false"
	ok := is == cel.BoolType
	if _, number := any(*new(T)).(float64); number {
		called = "a number"
		ok = is == cel.DoubleType || is == cel.IntType // YAML turns 2.0 into 2
	}
	if !ok {
		return nil, fmt.Errorf("the expression is a %s: want %s", is, called)
	}
	p, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(cost), cel.MemoryLimit(maxElements), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, fmt.Errorf("the expression cannot be planned: %w", err)
	}
	return &Expression[T]{p}, nil
}

// located says where the first of the issues is, with the line of the expression and a mark below it.
func located(text string, issues []*cel.Error) error {
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

// Eval evaluates the expression on variables, a map[string]any or a cel.Activation. why is not empty where it cannot be
// evaluated; the error is the context's.
func (e *Expression[T]) Eval(ctx context.Context, vars any) (value T, cost uint64, why string, err error) {
	out, details, err := e.program.ContextEval(ctx, vars)
	if ctx.Err() != nil {
		return value, 0, "", context.Cause(ctx)
	}
	if details != nil && details.ActualCost() != nil {
		cost = *details.ActualCost()
	}
	if err != nil {
		return value, cost, plainly(err), nil
	}
	result := out.Value()
	if whole, ok := result.(int64); ok {
		result = float64(whole)
	}
	value, ok := result.(T)
	if !ok {
		return value, cost, fmt.Sprintf("it is no %T", value), nil
	}
	return value, cost, "", nil
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

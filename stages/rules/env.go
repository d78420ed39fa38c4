package rules

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/rules/expression"
)

// Costs of evaluations, in the units of expression.
const (
	objectCost = 20_000    // of one predicate about one object
	imageCost  = 500_000   // of one predicate about all objects of an image
	sampleCost = 1_000_000 // of all predicates about one sample; what comes after is not evaluated
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
	shared, err := expression.NewEnv(
		cel.Types(cel.NativeTypeFor[Object](cel.NativeTypeAlias("Object"), tags), cel.NativeTypeFor[Image](cel.NativeTypeAlias("Image"), tags)),
		cel.Variable("image", cel.ObjectType("Image")),
		cel.Function("iou", cel.Overload("iou_object_object", pair, cel.DoubleType, cel.BinaryBinding(ofBoxes(geometry.Box.IoU)))),
		cel.Function("inside", cel.Overload("inside_object_object", pair, cel.DoubleType, cel.BinaryBinding(ofBoxes(inside)))),
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

// see makes an object as expressions see it.
func see(o schemas.Object, canonical string) *Object {
	b := o.Box
	return &Object{
		Class: o.Class, Canonical: canonical, Score: float64(o.Score), Source: o.Source,
		X1: float64(b.X1), Y1: float64(b.Y1), X2: float64(b.X2), Y2: float64(b.Y2),
		Width: float64(b.W()), Height: float64(b.H()), Area: b.Area(), Attributes: o.Attributes,
	}
}

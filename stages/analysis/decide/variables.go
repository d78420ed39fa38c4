package decide

import (
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"gleaner/schemas"
	"gleaner/stages/rules/expression"
)

// environments are what expressions about an object and about a class are compiled in.
type environments struct {
	object, class *cel.Env
	column        map[string]int // of schemas.ScoreColumns
	truth         []bool         // whether a column is one
}

func newEnvironments() (environments, error) {
	e := environments{column: map[string]int{}}
	var options []cel.EnvOption
	for i, c := range schemas.ScoreColumns() {
		kind := cel.DoubleType
		if c.Bool {
			kind = cel.BoolType
		}
		options = append(options, cel.Variable(c.Name, kind))
		e.column[c.Name] = i
		e.truth = append(e.truth, c.Bool)
	}
	for _, name := range []string{"dataset", "class", "lineage", "kind"} {
		options = append(options, cel.Variable(name, cel.StringType))
	}
	for _, name := range []string{"epochs", "bytes"} {
		options = append(options, cel.Variable(name, cel.DoubleType))
	}
	options = append(options, cel.Variable("slices", cel.MapType(cel.StringType, cel.StringType)))
	var err error
	if e.object, err = expression.NewEnv(options...); err != nil {
		return e, err
	}
	e.class, err = expression.NewEnv(
		cel.Variable("dataset", cel.StringType), cel.Variable("class", cel.StringType), cel.Variable("objects", cel.DoubleType),
		cel.Variable("epochs", cel.DoubleType), cel.Variable("replay_bytes", cel.DoubleType), cel.Variable("stability", cel.DoubleType),
	)
	return e, err
}

// variables are what one evaluation sees. They note what it read, which is why the outcome is as it is.
type variables struct {
	value func(name string) ref.Val
	read  []string
}

// Parent makes variables an activation of their own.
func (*variables) Parent() cel.Activation { return nil }

// ResolveName returns the value of a variable, and whether it is one.
func (v *variables) ResolveName(name string) (any, bool) {
	value := v.value(name)
	if value == nil {
		return nil, false
	}
	for _, known := range v.read {
		if known == name {
			return value, true
		}
	}
	v.read = append(v.read, name)
	return value, true
}

// because says what was read, as people write it: aum -3.2, epochs 12.
func (v *variables) because() string {
	var out strings.Builder
	for _, name := range v.read {
		var figure string
		switch value := v.value(name).(type) {
		case types.Double:
			figure = strconv.FormatFloat(float64(value), 'g', 4, 64)
		case types.Bool:
			figure = strconv.FormatBool(bool(value))
		case types.String:
			figure = string(value)
		default:
			continue // the slices are too many to say
		}
		if out.Len() > 0 {
			out.WriteString(", ")
		}
		fmt.Fprintf(&out, "%s %s", name, figure)
	}
	return out.String()
}

// ofObject are the variables of one object.
func (e *environments) ofObject(s *schemas.Scored) func(string) ref.Val {
	return func(name string) ref.Val {
		switch name {
		case "dataset":
			return types.String(s.Dataset)
		case "class":
			return types.String(s.Class)
		case "lineage":
			return types.String(s.Lineage)
		case "kind":
			return types.String(s.Kind)
		case "slices":
			return types.DefaultTypeAdapter.NativeToValue(s.Slices)
		case "epochs":
			return types.Double(s.Epochs)
		case "bytes":
			return types.Double(s.Bytes)
		}
		i, ok := e.column[name]
		switch {
		case !ok || i >= len(s.Values):
			return nil
		case e.truth[i]:
			return types.Bool(s.Values[i] == 1)
		}
		return types.Double(s.Values[i])
	}
}

package rules

import (
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"gleaner/schemas"
)

// ranges are what numbers of objects and images lie in, by field, and what functions return, by name.
var ranges = map[string][2]float64{
	"score": {0, 1}, "width": {0, math.Inf(1)}, "height": {0, math.Inf(1)}, "area": {0, math.Inf(1)},
	"iou": {0, 1}, "inside": {0, 1},
}

// turned are the comparisons that say the same with their sides changed.
var turned = map[string]string{
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals, operators.Greater: operators.Less,
	operators.GreaterEquals: operators.LessEquals, operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
}

// Warnings says of each comparison in the predicates that it can hardly be meant so: with a class that is none of those wanted, with
// the name of another dataset, or with a number by which it is true, or false, of everything. They are no errors: a class that is not
// wanted may be that of a label that was there before, or a super-class that is to be refined.
func (s *Set) Warnings() ([]string, error) {
	env, err := newEnvironments()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	var out []string
	for _, part := range []struct {
		list []schemas.Predicate
		env  *cel.Env
	}{{s.rules.Predicates, env.object}, {s.rules.Image, env.image}} {
		for _, p := range part.list {
			tree, issues := part.env.Compile(p.When)
			if err := issues.Err(); err != nil {
				return nil, fmt.Errorf("rules: predicate %s: %w", p.Name, err)
			}
			typed := tree.NativeRep()
			ast.PreOrderVisit(typed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
				if why := s.pointless(typed, e); why != "" {
					at := typed.SourceInfo().GetStartLocation(e.ID())
					out = append(out, fmt.Sprintf("predicate %q: line %d, column %d of the expression: %s", p.Name, at.Line(), at.Column()+1, why))
				}
			}))
		}
	}
	return out, nil
}

// pointless says why a comparison can hardly be meant so; nothing of any other expression.
func (s *Set) pointless(typed *ast.AST, e ast.Expr) string {
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return ""
	}
	op, left, right := e.AsCall().FunctionName(), e.AsCall().Args()[0], e.AsCall().Args()[1]
	literals := []ast.Expr{right}
	switch {
	case op == operators.In && right.Kind() == ast.ListKind:
		literals, op = right.AsList().Elements(), operators.Equals
	case turned[op] == "":
		return ""
	case left.Kind() == ast.LiteralKind:
		left, literals, op = right, []ast.Expr{left}, turned[op]
	}
	of, what := subject(typed, left)
	for _, l := range literals {
		if l.Kind() != ast.LiteralKind {
			continue
		}
		switch v := l.AsLiteral().Value().(type) {
		case string:
			if _, wanted := s.wants(v); of == "Object" && what == "class" && !wanted {
				return fmt.Sprintf("%q is none of the classes wanted: %s", v, listed(s.rules.Objects, func(o schemas.ObjectRule) string { return o.Class }))
			}
			if of == "Image" && what == "dataset" && v != s.rules.Dataset {
				return fmt.Sprintf("the rules are those of dataset %s, not of %q", s.rules.Dataset, v)
			}
		case float64:
			if why := outside(what, op, v); of != "" && why != "" {
				return why
			}
		case int64:
			if why := outside(what, op, float64(v)); of != "" && why != "" {
				return why
			}
		}
	}
	return ""
}

// subject is what a side of a comparison speaks of: the type and a field of an object or an image, or the name of a function of two
// objects; of is empty for all else.
func subject(typed *ast.AST, e ast.Expr) (of, what string) {
	switch e.Kind() {
	case ast.SelectKind:
		if t := typed.GetType(e.AsSelect().Operand().ID()); t != nil {
			of = t.TypeName()
		}
		if of == "Object" || of == "Image" {
			return of, e.AsSelect().FieldName()
		}
	case ast.CallKind:
		if name := e.AsCall().FunctionName(); name == "iou" || name == "inside" {
			return "call", name
		}
	}
	return "", ""
}

// outside says that a comparison of what lies in a known range with a number is true, or false, of everything.
func outside(what, op string, v float64) string {
	in, ok := ranges[what]
	if !ok {
		return ""
	}
	always, never := false, false
	switch op {
	case operators.Less:
		always, never = v > in[1], v <= in[0]
	case operators.LessEquals:
		always, never = v >= in[1], v < in[0]
	case operators.Greater:
		always, never = v < in[0], v >= in[1]
	case operators.GreaterEquals:
		always, never = v <= in[0], v > in[1]
	case operators.Equals:
		never = v < in[0] || v > in[1]
	case operators.NotEquals:
		always = v < in[0] || v > in[1]
	}
	span := fmt.Sprintf("%s is at least %g", what, in[0])
	if !math.IsInf(in[1], 1) {
		span = fmt.Sprintf("%s lies within %g and %g", what, in[0], in[1])
	}
	sign := strings.Trim(op, "_")
	switch {
	case never:
		return fmt.Sprintf("%s %s %g is never true: %s", what, sign, v, span)
	case always:
		return fmt.Sprintf("%s %s %g is always true: %s", what, sign, v, span)
	}
	return ""
}

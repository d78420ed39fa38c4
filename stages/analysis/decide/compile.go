package decide

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"gleaner/schemas"
	"gleaner/stages/rules/expression"
)

const (
	maxDecisions = 50
	maxMessage   = 300 // bytes
	maxPersist   = 100
	maxLimit     = 1_000_000
	maxTop       = 1000
	defaultTop   = 50
	cost         = 5000 // of one evaluation about one object or class, in the units of expression
	maxFactor    = 1000
)

var namePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// Set is the decisions of one dataset, ready to be applied. It is safe for concurrent use.
type Set struct {
	dataset string
	env     environments
	objects []*decision
	classes []*decision // those that distill
}

// decision is one that compiled; until, by and factor are nil where they are left out.
type decision struct {
	schemas.Decision
	when, until *expression.Expression[bool]
	by, factor  *expression.Expression[float64]
}

// Compile checks decisions and compiles their expressions. wrong is called with all that is wrong, each with the path of its field,
// as goccy/go-yaml writes paths below a decision's own ("[0].when"); what is returned is of use only where it was not called.
func Compile(dataset string, list []schemas.Decision, wrong func(path, format string, args ...any)) (*Set, error) {
	env, err := newEnvironments()
	if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	s := &Set{dataset: dataset, env: env}
	if len(list) > maxDecisions {
		wrong("", "%d decisions: at most %d are allowed", len(list), maxDecisions)
		return s, nil
	}
	seen := map[string]bool{}
	for i, d := range list {
		at := func(field string) string { return fmt.Sprintf("[%d].%s", i, field) }
		check(d, func(field, format string, args ...any) { wrong(at(field), format, args...) })
		if seen[d.Name] {
			wrong(at("name"), "%.80q is there twice", d.Name)
		}
		seen[d.Name] = true
		within := env.object
		if d.Action == schemas.ActionDistill {
			within = env.class
			d.Top = cmp.Or(d.Top, defaultTop)
		}
		d.Persist = max(d.Persist, 1)
		c := &decision{Decision: d}
		c.when = compile[bool](within, d.Name, "when", d.When, true, at, wrong)
		c.until = compile[bool](within, d.Name, "until", d.Until, false, at, wrong)
		c.by = compile[float64](env.object, d.Name, "by", d.By, d.Action == schemas.ActionDistill, at, wrong)
		c.factor = compile[float64](env.object, d.Name, "factor", d.Factor, d.Action == schemas.ActionOversample, at, wrong)
		if d.Action == schemas.ActionDistill {
			s.classes = append(s.classes, c)
		} else {
			s.objects = append(s.objects, c)
		}
	}
	return s, nil
}

func compile[T bool | float64](env *cel.Env, name, field, text string, needed bool, at func(string) string, wrong func(path, format string, args ...any)) *expression.Expression[T] {
	if text == "" && !needed {
		return nil
	}
	e, err := expression.Compile[T](env, text, cost)
	if err != nil {
		wrong(at(field), "decision %.80q: %s", name, err)
	}
	return e
}

func check(d schemas.Decision, wrong func(field, format string, args ...any)) {
	if !namePattern.MatchString(d.Name) {
		wrong("name", "%.80q: want 1 to 64 letters, digits, _ or -, a letter first", d.Name)
	}
	actions := []schemas.DecisionAction{schemas.ActionRemove, schemas.ActionReview, schemas.ActionOversample, schemas.ActionCoreset, schemas.ActionDistill}
	if !slices.Contains(actions, d.Action) {
		wrong("action", "%.80q: want remove, review, oversample, coreset or distill", d.Action)
	}
	if d.Persist < 0 || d.Persist > maxPersist {
		wrong("persist", "%d: want at most %d evaluations", d.Persist, maxPersist)
	}
	distills := d.Action == schemas.ActionDistill
	switch {
	case d.Limit < 0 || d.Limit > maxLimit:
		wrong("limit", "%d: want at most %d, or 0 for any number", d.Limit, maxLimit)
	case d.Limit > 0 && distills:
		wrong("limit", "%d: it goes with actions on objects: a class's picks are top", d.Limit)
	}
	switch {
	case d.Top < 0 || d.Top > maxTop:
		wrong("top", "%d: want at most %d picks of a class", d.Top, maxTop)
	case d.Top > 0 && !distills:
		wrong("top", "%d: it goes with action: distill alone", d.Top)
	}
	if d.Factor != "" && d.Action != schemas.ActionOversample {
		wrong("factor", "%.80q: it goes with action: oversample alone", d.Factor)
	}
	if len(d.Message) > maxMessage || d.Message != strings.TrimSpace(d.Message) || !utf8.ValidString(d.Message) || strings.ContainsFunc(d.Message, unicode.IsControl) {
		wrong("message", "%.80q: want at most %d bytes of printable text", d.Message, maxMessage)
	}
}

// Empty tells whether there is nothing to decide.
func (s *Set) Empty() bool { return s == nil || len(s.objects)+len(s.classes) == 0 }

package rules

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"gleaner/schemas"
	"gleaner/stages/analysis/decide"
	"gleaner/stages/rules/expression"
)

const (
	maxRules  = 500 // of objects, and of predicates
	maxValues = 200 // of an attribute, and attributes of a class
	maxText   = 500 // bytes of a name or a message
)

// The rules that are not predicates.
const (
	ruleClass      = "class"
	ruleMinSize    = "min_size"
	ruleAttribute  = "attribute"
	ruleOcclusion  = "occlusion"
	ruleTruncation = "truncation"
	ruleMaxCount   = "max_count"
)

var (
	builtin          = []string{ruleClass, ruleMinSize, ruleAttribute, ruleOcclusion, ruleTruncation, ruleMaxCount}
	namePattern      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	attributePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	taxonomyPattern  = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

// Set is the rules of one dataset, ready to be applied. It is safe for concurrent use.
type Set struct {
	rules   schemas.DatasetRules
	classes map[string]*schemas.ObjectRule
	object  []predicate
	image   []predicate
	actions *decide.Set
}

// predicate is one that compiled.
type predicate struct {
	schemas.Predicate
	program *expression.Expression[bool]
}

// fieldError is what is wrong with one field; path is where it is, as goccy/go-yaml writes paths.
type fieldError struct{ path, message string }

func (e *fieldError) Error() string { return strings.TrimPrefix(e.path, "$.") + ": " + e.message }

// Compile checks rules and compiles their predicates. All that is wrong is in the error, each with its field, and for an
// expression with its line and column.
func Compile(r schemas.DatasetRules) (*Set, error) {
	s := &Set{rules: r, classes: make(map[string]*schemas.ObjectRule, len(r.Objects))}
	var errs []error
	wrong := func(path, format string, args ...any) {
		errs = append(errs, &fieldError{path, fmt.Sprintf(format, args...)})
	}
	if err := schemas.CheckDataset(r.Dataset); err != nil {
		wrong("$.dataset", "%s", err)
	}
	if r.Taxonomy != "" && (!text(r.Taxonomy) || !taxonomyPattern.MatchString(r.Taxonomy)) {
		wrong("$.taxonomy", "%.80q: want name@version, as `gleaner taxonomy list` shows it", r.Taxonomy)
	}
	if r.TargetQuality != 0 && !(r.TargetQuality >= .5 && r.TargetQuality <= .995) {
		wrong("$.target_quality", "%g: want a share between .5 and .995", r.TargetQuality)
	}
	if least := schemas.LeastAudit(r.TargetQuality); r.AuditShare != 0 && !(r.AuditShare >= least && r.AuditShare <= 1) {
		wrong("$.audit_share", "%g: want a share between %.3g, which is the least that a target_quality of %g can be watched with, and 1", r.AuditShare, least, r.TargetQuality)
	}
	if r.AuditShare != 0 && r.TargetQuality == 0 {
		wrong("$.audit_share", "there is nothing to audit without a target_quality")
	}
	if r.AcceptBeforeAudits && r.TargetQuality == 0 {
		wrong("$.accept_before_audits", "there are no audits without a target_quality")
	}
	if len(r.Objects) > maxRules || len(r.Predicates)+len(r.Image) > maxRules {
		wrong("$.dataset", "%d classes and %d predicates: at most %d of each are allowed", len(r.Objects), len(r.Predicates)+len(r.Image), maxRules)
		return nil, errors.Join(errs...)
	}
	for i := range r.Objects {
		o := &r.Objects[i]
		checkObject(o, fmt.Sprintf("$.objects[%d]", i), wrong)
		if s.classes[o.Class] != nil {
			wrong(fmt.Sprintf("$.objects[%d].class", i), "%.80q is there twice", o.Class)
		}
		s.classes[o.Class] = o
	}
	env, err := newEnvironments()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	seen := map[string]bool{}
	compile := func(part string, list []schemas.Predicate, env *cel.Env, cost uint64) []predicate {
		var out []predicate
		for i, p := range list {
			path := fmt.Sprintf("$.%s[%d]", part, i)
			checkPredicate(p, path, part == "image", wrong)
			if seen[p.Name] {
				wrong(path+".name", "%.80q is there twice", p.Name)
			}
			seen[p.Name] = true
			run, err := expression.Compile[bool](env, p.When, cost)
			if err != nil {
				wrong(path+".when", "predicate %.80q: %s", p.Name, err)
			}
			out = append(out, predicate{p, run})
		}
		return out
	}
	s.object = compile("predicates", r.Predicates, env.object, objectCost)
	s.image = compile("image", r.Image, env.image, imageCost)
	s.actions, err = decide.Compile(r.Dataset, r.Decisions, func(path, format string, args ...any) { wrong("$.decisions"+path, format, args...) })
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

func checkObject(o *schemas.ObjectRule, path string, wrong func(path, format string, args ...any)) {
	if !text(o.Class) {
		wrong(path+".class", "%.80q: want the name of a class", o.Class)
	}
	if o.Canonical != "" && !text(o.Canonical) {
		wrong(path+".canonical", "%.80q: want the name of a class", o.Canonical)
	}
	most := math.MaxFloat64
	switch o.MinSize.Unit {
	case "", schemas.SizePixels:
	case schemas.SizeShare:
		most = 1
	default:
		wrong(path+".min_size.unit", "%.80q: want pixels or share", o.MinSize.Unit)
	}
	for name, v := range map[string]float64{"width": o.MinSize.Width, "height": o.MinSize.Height, "area": o.MinSize.Area} {
		if !(v >= 0 && v <= most) {
			wrong(path+".min_size."+name, "%g: want at least 0, and at most 1 with unit: share", v)
		}
	}
	if len(o.Attributes) > maxValues {
		wrong(path+".attributes", "%d: at most %d are allowed", len(o.Attributes), maxValues)
		return
	}
	names := map[string]bool{}
	for i, a := range o.Attributes {
		at := fmt.Sprintf("%s.attributes[%d]", path, i)
		switch {
		case !attributePattern.MatchString(a.Name):
			wrong(at+".name", "%.80q: want 1 to 64 letters, digits or _, no digit first", a.Name)
		case names[a.Name]:
			wrong(at+".name", "%q is there twice", a.Name)
		}
		names[a.Name] = true
		if len(a.Values) > maxValues || slices.ContainsFunc(a.Values, func(v string) bool { return !text(v) }) {
			wrong(at+".values", "want at most %d values of 1 to %d bytes of printable text", maxValues, maxText)
		}
	}
	switch o.Occlusion.Policy {
	case "", schemas.PolicyLabel, schemas.PolicyMark:
		if o.Occlusion.Above != 0 {
			wrong(path+".occlusion.above", "%g: it goes with policy: skip alone", o.Occlusion.Above)
		}
	case schemas.PolicySkip:
		if !(o.Occlusion.Above >= 0 && o.Occlusion.Above < 1) {
			wrong(path+".occlusion.above", "%g: want a share, at least 0 and below 1", o.Occlusion.Above)
		}
	default:
		wrong(path+".occlusion.policy", "%.80q: want label, skip or mark", o.Occlusion.Policy)
	}
	if !slices.Contains([]schemas.Policy{"", schemas.PolicyLabel, schemas.PolicySkip, schemas.PolicyMark}, o.Truncation) {
		wrong(path+".truncation", "%.80q: want label, skip or mark", o.Truncation)
	}
	if o.MaxCount < 0 {
		wrong(path+".max_count", "%d: want at least 0", o.MaxCount)
	}
	checkSeverity(o.Severity, path, wrong)
}

func checkPredicate(p schemas.Predicate, path string, image bool, wrong func(path, format string, args ...any)) {
	switch {
	case !namePattern.MatchString(p.Name):
		wrong(path+".name", "%.80q: want 1 to 64 letters, digits, _ or -, a letter first", p.Name)
	case slices.Contains(builtin, p.Name):
		wrong(path+".name", "%q is the name of a rule that every dataset has: take another", p.Name)
	}
	if !text(p.Message) {
		wrong(path+".message", "%.80q: say in at most %d bytes what is wrong where the predicate is true", p.Message, maxText)
	}
	checkSeverity(p.Severity, path, wrong)
	switch p.Applies {
	case "", schemas.AppliesLabel:
	case schemas.AppliesProposal, schemas.AppliesBoth:
		if image {
			wrong(path+".applies", "%q: a predicate about the image applies to labels alone", p.Applies)
		}
	default:
		wrong(path+".applies", "%.80q: want label, proposal or both", p.Applies)
	}
}

func checkSeverity(s schemas.Severity, path string, wrong func(path, format string, args ...any)) {
	if s != "" && s != schemas.SeverityError && s != schemas.SeverityWarn {
		wrong(path+".severity", "%.80q: want error or warn", s)
	}
}

// text tells whether s is some printable text that is not too long.
func text(s string) bool {
	return s != "" && len(s) <= maxText && s == strings.TrimSpace(s) && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Rules returns what the set was made of.
func (s *Set) Rules() schemas.DatasetRules { return s.rules }

// Decisions are the set's rules from scores to actions.
func (s *Set) Decisions() *decide.Set { return s.actions }

// wants tells whether the dataset labels objects of a class, and its rule where it names one.
func (s *Set) wants(class string) (*schemas.ObjectRule, bool) {
	o := s.classes[class]
	return o, o != nil || len(s.classes) == 0
}

package rules

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// edge is how near to the image's edge a box ends that the edge seems to cut, in pixels.
const edge = 1

// checking is one look at the objects of a sample.
type checking struct {
	*Set
	image *Image
	left  uint64 // cost that may still be spent
	out   []schemas.Violation
}

func (s *Set) begin(sample *schemas.Sample) *checking {
	return &checking{Set: s, left: sampleCost, image: &Image{
		Width: float64(sample.Image.W), Height: float64(sample.Image.H), Dataset: sample.Dataset, Slices: sample.Slices,
	}}
}

// Check returns what is against the rules in objects as the labels of a sample: those of each object in turn, then those of the
// image. It fails only when ctx has ended.
func (s *Set) Check(ctx context.Context, sample *schemas.Sample, objects []schemas.Object) ([]schemas.Violation, error) {
	c := s.begin(sample)
	all := make([]*Object, len(objects))
	count := map[string]int{}
	for i, o := range objects {
		rule, wanted := s.wants(o.Class)
		canonical := o.Canonical
		if rule != nil {
			canonical = cmp.Or(canonical, rule.Canonical)
			c.object(rule, o)
		}
		switch {
		case wanted:
		case o.Refine:
			c.add(o.ID, ruleClass, "", "%s is to be refined to one of the classes wanted: %s.", o.Class, c.wantedClasses())
		default:
			c.add(o.ID, ruleClass, "", "%s is none of the classes wanted: %s.", o.Class, c.wantedClasses())
		}
		count[o.Class]++
		all[i] = see(o, canonical)
		vars := map[string]any{"object": all[i], "image": c.image}
		for _, p := range s.object {
			if p.Applies == schemas.AppliesProposal {
				continue
			}
			if err := c.evaluate(ctx, p, o.ID, vars); err != nil {
				return nil, err
			}
		}
	}
	for _, o := range s.rules.Objects {
		if n := count[o.Class]; o.MaxCount > 0 && n > o.MaxCount {
			c.add("", ruleMaxCount, o.Severity, "There are %d objects of class %s: at most %d are expected in an image.", n, o.Class, o.MaxCount)
		}
	}
	for _, p := range s.image {
		if err := c.evaluate(ctx, p, "", map[string]any{"objects": all, "image": c.image}); err != nil {
			return nil, err
		}
	}
	return c.out, nil
}

// Keep returns the proposals that the dataset wants as objects: of its classes or to be refined to one, large enough for their class
// or, where they are to be refined, for any that is wanted, and dropped by no predicate that applies to proposals, whatever its severity. One that a
// predicate cannot be evaluated on is kept. It fails only when ctx has ended.
func (s *Set) Keep(ctx context.Context, sample *schemas.Sample, proposals []schemas.Object) ([]schemas.Object, error) {
	c := s.begin(sample)
	var kept []schemas.Object
next:
	for _, o := range proposals {
		rule, wanted := s.wants(o.Class)
		canonical := o.Canonical
		if rule != nil {
			canonical, wanted = cmp.Or(canonical, rule.Canonical), c.admits(*rule, o.Box)
		}
		if !wanted && !(o.Refine && slices.ContainsFunc(s.rules.Objects, func(r schemas.ObjectRule) bool { return c.admits(r, o.Box) })) {
			continue
		}
		vars := map[string]any{"object": see(o, canonical), "image": c.image}
		for _, p := range s.object {
			if p.Applies != schemas.AppliesProposal && p.Applies != schemas.AppliesBoth || c.left == 0 {
				continue
			}
			yes, cost, _, err := p.program.Eval(ctx, vars)
			if err != nil {
				return nil, err
			}
			c.left -= min(cost, c.left)
			if yes {
				continue next
			}
		}
		kept = append(kept, o)
	}
	return kept, nil
}

// admits tells whether the rule of a class lets a box be labeled.
func (c *checking) admits(rule schemas.ObjectRule, b geometry.Box) bool {
	return c.small(rule.MinSize, b) == "" && (rule.Truncation != schemas.PolicySkip || !c.cut(b))
}

func (c *checking) wantedClasses() string {
	return listed(c.rules.Objects, func(o schemas.ObjectRule) string { return o.Class })
}

func (c *checking) add(id, rule string, severity schemas.Severity, format string, args ...any) {
	c.out = append(c.out, schemas.Violation{ObjectID: id, Rule: rule, Severity: cmp.Or(severity, schemas.SeverityError), Message: fmt.Sprintf(format, args...)})
}

// evaluate adds what a predicate has to say. The first that the cost of the sample leaves no room for says so.
func (c *checking) evaluate(ctx context.Context, p predicate, id string, vars map[string]any) error {
	if c.left == 0 {
		return nil
	}
	yes, cost, why, err := p.program.Eval(ctx, vars)
	switch {
	case err != nil:
		return err
	case why != "":
		c.add(id, p.Name, schemas.SeverityWarn, "The rule %s cannot be evaluated: %s.", p.Name, strings.TrimSuffix(why, "."))
		c.out[len(c.out)-1].Unevaluated = true
	case yes:
		c.add(id, p.Name, p.Severity, "%s", p.Message)
	}
	if c.left -= min(cost, c.left); c.left == 0 {
		c.add("", p.Name, schemas.SeverityWarn, "The rules from %s on cannot be evaluated: together they take too many operations on this image.", p.Name)
	}
	return nil
}

// object checks what the rule of its class says of one object.
func (c *checking) object(rule *schemas.ObjectRule, o schemas.Object) {
	if why := c.small(rule.MinSize, o.Box); why != "" {
		c.add(o.ID, ruleMinSize, rule.Severity, "The box is too small for %s: %s.", o.Class, why)
	}
	c.attributes(rule, o)
	occluded, given := o.Attributes[schemas.AttributeOccluded]
	share, err := strconv.ParseFloat(occluded, 64)
	switch {
	case given && !(err == nil && share >= 0 && share <= 1):
		c.add(o.ID, ruleOcclusion, rule.Severity, "The attribute %s is %q: want the hidden share, from 0 to 1.", schemas.AttributeOccluded, occluded)
	case !given && rule.Occlusion.Policy == schemas.PolicyMark:
		c.add(o.ID, ruleOcclusion, rule.Severity, "The attribute %s is missing: the hidden share of every %s, from 0 to 1.", schemas.AttributeOccluded, o.Class)
	case rule.Occlusion.Policy == schemas.PolicySkip && share > rule.Occlusion.Above:
		c.add(o.ID, ruleOcclusion, rule.Severity, "%g %% of the object is hidden: %s is not labeled above %g %%.", 100*share, o.Class, 100*rule.Occlusion.Above)
	}
	switch {
	case !c.cut(o.Box):
	case rule.Truncation == schemas.PolicySkip:
		c.add(o.ID, ruleTruncation, rule.Severity, "The image's edge cuts the object: such %s is not labeled.", o.Class)
	case rule.Truncation == schemas.PolicyMark && o.Attributes[schemas.AttributeTruncated] != "true":
		c.add(o.ID, ruleTruncation, rule.Severity, "The image's edge cuts the object: its attribute %s must be true.", schemas.AttributeTruncated)
	}
}

func (c *checking) attributes(rule *schemas.ObjectRule, o schemas.Object) {
	for _, a := range rule.Attributes {
		v, given := o.Attributes[a.Name]
		want := ""
		if len(a.Values) > 0 {
			want = ": want " + listed(a.Values, func(v string) string { return v })
		}
		switch {
		case !given && a.Required:
			c.add(o.ID, ruleAttribute, rule.Severity, "The attribute %s is missing%s.", a.Name, want)
		case given && len(a.Values) > 0 && !slices.Contains(a.Values, v):
			c.add(o.ID, ruleAttribute, rule.Severity, "The attribute %s is %.80q%s.", a.Name, v, want)
		}
	}
	if len(rule.Attributes) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		known := name == schemas.AttributeOccluded || name == schemas.AttributeTruncated ||
			slices.ContainsFunc(rule.Attributes, func(a schemas.AttributeRule) bool { return a.Name == name })
		if !known {
			c.add(o.ID, ruleAttribute, rule.Severity, "The attribute %.80s is none of %s: %s.", name, o.Class, listed(rule.Attributes, func(a schemas.AttributeRule) string { return a.Name }))
		}
	}
}

// small says in what a box falls short of the least size, or nothing.
func (c *checking) small(least schemas.MinSize, b geometry.Box) string {
	unit, scale := " pixels", 1.0
	size := [3]float64{float64(b.W()), float64(b.H()), b.Area()}
	if least.Unit == schemas.SizeShare {
		unit, scale = " % of the image", 100
		size[0], size[1], size[2] = size[0]/c.image.Width, size[1]/c.image.Height, size[2]/(c.image.Width*c.image.Height)
	}
	for i, want := range [3]float64{least.Width, least.Height, least.Area} {
		if want > 0 && !(size[i] >= want) {
			return fmt.Sprintf("its %s is %s%s, at least %g%s are wanted", [3]string{"width", "height", "area"}[i], figure(scale*size[i]), unit, scale*want, unit)
		}
	}
	return ""
}

// figure writes a number with four digits.
func figure(v float64) string {
	if math.Abs(v) < 1e4 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// cut tells whether the image's edge seems to cut a box.
func (c *checking) cut(b geometry.Box) bool {
	return b.X1 < edge || b.Y1 < edge || float64(b.X2) > c.image.Width-edge || float64(b.Y2) > c.image.Height-edge
}

// listed names the first few of a list.
func listed[T any](list []T, name func(T) string) string {
	const most = 12
	names := make([]string, 0, most)
	for _, v := range list[:min(len(list), most)] {
		names = append(names, name(v))
	}
	out := strings.Join(names, ", ")
	if len(list) > most {
		out += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return out
}

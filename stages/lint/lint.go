package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// maxFindings bounds what one sample carries; the most doubtful are kept.
const maxFindings = 200

// rule is one way to doubt. find is pure; it may return scores of any size, which are cut to [0,1], and findings below
// the threshold, which are dropped.
type rule struct {
	name schemas.FindingType
	find func(*view) []schemas.Finding
}

var rules = []rule{
	{schemas.FindingDegenerate, degenerate},
	{schemas.FindingDuplicate, duplicate},
	{schemas.FindingLocation, location},
	{schemas.FindingMissing, missing},
	{schemas.FindingRule, broken},
	{schemas.FindingSpurious, spurious},
}

// view is what the rules see of a sample.
type view struct {
	*schemas.Sample
	Rules
	seen       bool                // a model has looked at the image: Proposals, even if there are none, are its opinion
	known      map[string]bool     // classes that the models which looked at it know
	wanted     []schemas.Object    // proposals that the dataset wants labeled
	violations []schemas.Violation // of the dataset's rules

	taxonomy Taxonomy
	paths    map[string][]string // of the classes met so far
}

// related tells whether two classes may name one thing: they are the same, or one is above the other.
func (v *view) related(a, b string) bool {
	return a == b || slices.Contains(v.path(a), v.path(b)[0]) || slices.Contains(v.path(b), v.path(a)[0])
}

// alike tells whether a proposal may be of what a label says: the classes are related, and a super-class does not stand for
// something that the model tells apart from the label's class.
func (v *view) alike(p, label schemas.Object) bool {
	return v.related(p.Class, label.Class) && (!p.Refine || !v.taxonomy.RulesOut(v.Dataset, p, label.Class))
}

func (v *view) path(class string) []string {
	path, ok := v.paths[class]
	if !ok {
		path = v.taxonomy.Path(v.Dataset, class)
		v.paths[class] = path
	}
	return path
}

// Taxonomy tells how the classes of datasets relate. It is safe for concurrent use.
type Taxonomy interface {
	// Path lists a class and those above it, the nearest first; a class of which nothing is known stands alone.
	Path(dataset, class string) []string
	// Unlabeled tells whether a dataset is known never to label a class.
	Unlabeled(dataset, class string) bool
	// RulesOut tells whether a model that saw what is proposed as a super-class has another class for things of this one.
	RulesOut(dataset string, proposal schemas.Object, class string) bool
}

// Learned is what reviewers did with earlier findings. It is safe for concurrent use.
type Learned interface {
	// Score is the probability, (0,1), that a reviewer changes a label of which a finding of this type has this score of its own, (0,1].
	Score(dataset string, of schemas.FindingType, own float32) float32
}

// Lint is the step. It is safe for concurrent use.
type Lint struct {
	cfg      Config
	classes  func(*schemas.Sample) []string
	taxonomy Taxonomy
	demands  Demands
	learned  Learned
	version  string
}

// New makes the step. classes gives those that the models which labeled a sample first know, and is called by many goroutines at
// once. demands are the datasets' rules; version is the binary's, for provenance.
func New(cfg Config, classes func(*schemas.Sample) []string, taxonomy Taxonomy, demands Demands, learned Learned, version string) (*Lint, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	return &Lint{cfg: cfg, classes: classes, taxonomy: taxonomy, demands: demands, learned: learned, version: version}, nil
}

// Process puts the findings on a sample, most doubtful first, but for those that a person has overridden. Earlier ones of these rules
// are replaced; those that other steps made stay, but for what a person was shown before submitting. It fails only when ctx has ended.
func (l *Lint) Process(ctx context.Context, in schemas.Sample) ([]schemas.Sample, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	start := time.Now()
	var err error
	if in.Findings, err = l.findings(ctx, &in); err != nil {
		return nil, fmt.Errorf("lint: sample %s: %w", in.ID, err)
	}
	in.Stage = schemas.StageLinted
	in.Stamps = append(in.Stamps[:len(in.Stamps):len(in.Stamps)], schemas.Stamp{
		Step: "lint", Version: l.version,
		At: time.Now().UTC().Truncate(time.Microsecond), Millis: float32(time.Since(start).Seconds() * 1000),
	})
	return []schemas.Sample{in}, nil
}

func (l *Lint) findings(ctx context.Context, s *schemas.Sample) ([]schemas.Finding, error) {
	v := &view{
		Sample: s, Rules: l.cfg.rules(s.Dataset), seen: seen(s), known: map[string]bool{},
		taxonomy: l.taxonomy, paths: map[string][]string{},
	}
	for _, c := range l.classes(s) {
		v.known[c] = true
	}
	var err error
	if v.violations, err = l.demands.Check(ctx, s, s.Objects); err != nil {
		return nil, err
	}
	if v.wanted, err = l.demands.Keep(ctx, s, s.Proposals); err != nil {
		return nil, err
	}
	var out []schemas.Finding
	for _, f := range s.Findings {
		if s.Stage != schemas.StageSubmitted && !slices.ContainsFunc(rules, func(r rule) bool { return r.name == f.Type }) {
			out = append(out, f)
		}
	}
	for _, r := range rules {
		if slices.Contains(v.Off, r.name) {
			continue
		}
		for _, f := range r.find(v) {
			f.Type, f.Score = r.name, min(f.Score, 1)
			if own := f.Score; own > 0 {
				if f.Score = l.learned.Score(s.Dataset, f.Type, own); f.Score != own {
					f.Prior = own
				}
			}
			settled := slices.ContainsFunc(s.Overrides, func(o schemas.Override) bool { return o.Covers(f) })
			if f.Score >= v.MinScore && !settled {
				out = append(out, f)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b schemas.Finding) int { return cmp.Compare(b.Score, a.Score) })
	return out[:min(len(out), maxFindings)], nil
}

// seen tells whether a model looked for objects in the sample's image, by prelabel's last stamp.
func seen(s *schemas.Sample) bool {
	for _, stamp := range slices.Backward(s.Stamps) {
		if stamp.Step == "prelabel" {
			return stamp.Hash != ""
		}
	}
	return false
}

// ramp maps x from [from, to] to [0,1] in a straight line and cuts it there; from may be the greater.
func ramp(x, from, to float64) float64 { return min(max((x-from)/(to-from), 0), 1) }

// inside is the share of a's area that lies in b, [0,1].
func inside(a, b geometry.Box) float64 {
	if area := a.Area(); area > 0 {
		return a.Intersect(b).Area() / area
	}
	return 0
}

// article puts "a" or "an" before the name of a class.
func article(class string) string {
	if class != "" && strings.ContainsRune("aeiouAEIOU", rune(class[0])) {
		return "an " + class
	}
	return "a " + class
}

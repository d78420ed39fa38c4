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
	"gleaner/schemas/labelmap"
	"gleaner/stages/lint/evidence"
	"gleaner/stages/lint/learned"
	"gleaner/stages/pixels"
)

// maxFindings bounds what one sample carries; the most doubtful are kept.
const maxFindings = 200

// rule is one way to doubt: a pure function to findings, of one type or several. Scores may be of any size and are cut to [0,1];
// findings below the threshold are dropped.
type rule func(*view) []schemas.Finding

// rules make findings of the types beside them, in this order: what duplicate tells others need not.
var rules = []struct {
	types []schemas.FindingType
	find  rule
}{
	{[]schemas.FindingType{schemas.FindingDegenerate}, degenerate},
	{[]schemas.FindingType{schemas.FindingDuplicate}, duplicate},
	{fitted, boxes},
	{[]schemas.FindingType{schemas.FindingMissing}, missing},
	{[]schemas.FindingType{schemas.FindingTwin}, twins},
	{[]schemas.FindingType{schemas.FindingLoss}, losses},
	{[]schemas.FindingType{schemas.FindingRule}, broken},
}

// known are the types of findings that the rules here make.
func known() (types []schemas.FindingType) {
	for _, r := range rules {
		types = append(types, r.types...)
	}
	return types
}

func ours(t schemas.FindingType) bool { return slices.Contains(known(), t) }

// view is what the rules see of a sample.
type view struct {
	*schemas.Sample
	Rules
	seen       bool                // models have looked at the image: what they say, even if it is nothing, is their opinion
	manner     Manner              // how
	known      map[string]bool     // classes that these models know
	wanted     []schemas.Object    // proposals that the dataset wants labeled
	violations []schemas.Violation // of the dataset's rules
	scene      *evidence.Scene
	copies     map[string]bool // labels that are told to be another one once more
	likenesses []likeness      // things that resemble labels whose class no model knows
	twins      []evidence.Twin
	losses     []evidence.Losses
	weights    *Weights
	ended      func() bool // nobody waits any more: rules ask before each label, and what they return then is not used

	models    func(id string) []string
	taxonomy  Taxonomy
	paths     map[string][]string // of the classes met so far
	relates   map[[2]string]bool  // of pairs of classes met so far
	familiars map[string]bool     // of classes of labels met so far, whether the model knows them
	spoken    map[string][]bool   // whether each of the models' classes is related to a label's met so far
}

// related tells whether two classes may name one thing: they are the same, or one is above the other.
func (v *view) related(a, b string) bool {
	if a == b {
		return true
	}
	yes, ok := v.relates[[2]string{a, b}]
	if !ok {
		yes = slices.Contains(v.path(a), v.path(b)[0]) || slices.Contains(v.path(b), v.path(a)[0])
		v.relates[[2]string{a, b}] = yes
	}
	return yes
}

// speaks tells whether what models call by each of their classes may be what a label names: the classes are related, and where the models
// see that class, it is not as a super-class for something that they tell apart from the label's class.
func (v *view) speaks(label schemas.Object, classes []string) []bool {
	may, ok := v.spoken[label.Class]
	if !ok {
		may = make([]bool, len(classes))
		for i, class := range classes {
			may[i] = v.related(label.Class, class)
		}
		v.spoken[label.Class] = may
	}
	apart := map[string]bool{} // whether all that is proposed as a super-class here is
	for _, p := range v.Proposals {
		if p.Refine && p.Box.IoU(label.Box) >= v.MatchIoU {
			was, met := apart[p.Class]
			apart[p.Class] = (was || !met) && !v.alike(p, label)
		}
	}
	if len(apart) == 0 {
		return may
	}
	may = slices.Clone(may)
	for i, class := range classes {
		may[i] = may[i] && !apart[class]
	}
	return may
}

// alike tells whether a proposal may be of what a label says: the classes are related, and a super-class does not stand for
// something that the model tells apart from the label's class.
func (v *view) alike(p, label schemas.Object) bool {
	return v.related(p.Class, label.Class) && (!p.Refine || !v.taxonomy.RulesOut(v.Dataset, p, v.models(p.Source), label.Class))
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
	// RulesOut tells whether a model that saw what is proposed as a super-class has, among those that it knows, another class for
	// things of this one.
	RulesOut(dataset string, proposal schemas.Object, knows []string, class string) bool
}

// Learned is what reviewers did with earlier findings. It is safe for concurrent use.
type Learned interface {
	// Score is the probability, (0,1), that a reviewer changes a label of which a finding of this type has this score of its own, (0,1].
	Score(dataset string, of schemas.FindingType, own float32) float32
}

// Deps is what the step works with. Only Classes, Taxonomy and Demands are required.
type Deps struct {
	Classes  func(*schemas.Sample) []string // those that the models which labeled a sample first know
	Models   func(id string) []string       // the classes that a model knows, by its own names; nil: of none is it known
	Taxonomy Taxonomy
	Demands  Demands
	Images   Images           // nil: findings rest on what models say
	Maps     *labelmap.Recent // nil: label maps are decoded
	Habits   Habits           // nil: nothing is known of how datasets usually are
	Twins    Twins            // nil: near-duplicate images are not compared
	Losses   Losses           // nil: no training run has said anything
	Learned  Learned          // nil: reviewers have taught nothing
	Weights  *Weights         // nil: those of this version
	Version  string           // the binary's, for provenance
}

// Images gives the pixels of samples where they are at hand, as stages/pixels.Cache does. An error leaves out the evidence that needs
// them.
type Images interface {
	Image(ctx context.Context, ref schemas.ImageRef) (*pixels.Image, error)
}

// Habits tells how the boxes of datasets usually are; nil where nothing is known.
type Habits interface {
	Habits(dataset string) *evidence.Habits
}

// Lint is the step. It is safe for concurrent use.
type Lint struct {
	cfg Config
	Deps
}

// New makes the step. What it works with is called by many goroutines at once.
func New(cfg Config, deps Deps) (*Lint, error) {
	if deps.Models == nil {
		deps.Models = func(string) []string { return nil }
	}
	err := cfg.Validate()
	if err == nil && deps.Weights == nil {
		deps.Weights, err = Shipped()
	}
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	return &Lint{cfg, deps}, nil
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
		Step: "lint", Version: l.Version,
		At: time.Now().UTC().Truncate(time.Microsecond), Millis: float32(time.Since(start).Seconds() * 1000),
	})
	return []schemas.Sample{in}, nil
}

func (l *Lint) findings(ctx context.Context, s *schemas.Sample) ([]schemas.Finding, error) {
	v, err := l.view(ctx, s)
	if err != nil {
		return nil, err
	}
	var out []schemas.Finding
	for _, f := range s.Findings {
		if s.Stage != schemas.StageSubmitted && !ours(f.Type) {
			out = append(out, f)
		}
	}
	for _, r := range rules {
		if !slices.ContainsFunc(r.types, func(t schemas.FindingType) bool { return !slices.Contains(v.Off, t) }) {
			continue
		}
		found := r.find(v)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, f := range found {
			f.Score = min(f.Score, 1)
			own := f.Score
			if own > 0 && l.Learned != nil {
				if f.Score = l.Learned.Score(s.Dataset, f.Type, own); f.Score != own {
					f.Prior = own
				}
			}
			worth := f.Score >= v.MinScore || own >= v.MinScore && learned.Probe(s.ID)
			settled := slices.ContainsFunc(s.Overrides, func(o schemas.Override) bool { return o.Covers(f) })
			if worth && !settled && !slices.Contains(v.Off, f.Type) {
				out = append(out, f)
				if f.Type == schemas.FindingDuplicate && v.isCopy(f.ObjectID) {
					v.copies[f.ObjectID] = true
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b schemas.Finding) int { return cmp.Compare(b.Score, a.Score) })
	return out[:min(len(out), maxFindings)], nil
}

// classes is a view of a sample's classes alone.
func (l *Lint) classes(s *schemas.Sample) *view {
	v := &view{
		Sample: s, known: map[string]bool{}, models: l.Models, taxonomy: l.Taxonomy,
		paths: map[string][]string{}, relates: map[[2]string]bool{}, familiars: map[string]bool{}, spoken: map[string][]bool{}, copies: map[string]bool{},
	}
	for _, c := range l.Classes(s) {
		v.known[c] = true
	}
	return v
}

// Unknown are the classes of a sample's labels that no model knows, nor one above or below, each once: these labels are judged by their boxes alone.
func (l *Lint) Unknown(s *schemas.Sample) (classes []string) {
	v := l.classes(s)
	for _, o := range s.Objects {
		if o.Class != "" && !v.familiar(o) && !slices.Contains(classes, o.Class) {
			classes = append(classes, o.Class)
		}
	}
	return classes
}

func (l *Lint) view(ctx context.Context, s *schemas.Sample) (v *view, err error) {
	v = l.classes(s)
	v.Rules, v.seen, v.manner, v.weights = l.cfg.rules(s.Dataset), seen(s), mannerOf(s), l.Weights
	v.ended = func() bool { return ctx.Err() != nil }
	if v.violations, err = l.Demands.Check(ctx, s, s.Objects); err != nil {
		return nil, err
	}
	if v.wanted, err = l.Demands.Keep(ctx, s, s.Proposals); err != nil {
		return nil, err
	}
	with := evidence.Context{Related: v.speaks, Maps: l.Maps}
	if l.Habits != nil {
		with.Habits = l.Habits.Habits(s.Dataset)
	}
	if l.Twins != nil && !slices.Contains(v.Off, schemas.FindingTwin) {
		v.twins = l.Twins.Twins(ctx, s)
	}
	if l.Losses != nil {
		v.losses = l.Losses.Losses(s.Dataset, s.ID)
	}
	if l.Images != nil {
		img, err := l.Images.Image(ctx, s.Image)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			with.Image = img
		}
	}
	of := *s
	if len(of.Candidates) == 0 {
		of.Candidates = fromProposals(l.Classes(s), s.Proposals)
	}
	v.scene = evidence.New(&of, with)
	v.likenesses, err = l.likenesses(ctx, v)
	return v, err
}

// fromProposals makes candidates of what models proposed, where nothing more of what they said is kept. Scores are the models' own, as
// those of cells are.
func fromProposals(classes []string, proposals []schemas.Object) []schemas.Candidates {
	c := schemas.Candidates{Classes: slices.Clone(classes)}
	for _, p := range proposals {
		at := slices.Index(c.Classes, p.Class)
		if at < 0 {
			at = len(c.Classes)
			c.Classes = append(c.Classes, p.Class)
		}
		c.Cells = append(c.Cells, schemas.Candidate{Box: p.Box, Score: p.OwnScore(), Scores: []schemas.ClassScore{{Class: uint16(at), Score: p.OwnScore()}}}) //nolint:gosec // proposals are few
	}
	return []schemas.Candidates{c}
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

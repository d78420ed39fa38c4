package wire

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"gleaner/connectors/clickhouse"
	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/analysis/coreset"
	"gleaner/stages/analysis/coreset/vectors"
	"gleaner/stages/dataset"
)

// noObjects is the class of an image without any.
const noObjects = "(none)"

// pool is what is picked from, in the order of sample ids.
type pool struct {
	coreset.Pool
	leftOut map[string]int
	passed  map[schemas.SampleID]bool // samples that wait but are not picked from
}

func (p *pool) unscored() (n int) {
	for _, h := range p.Hardness {
		if math.IsNaN(h) {
			n++
		}
	}
	return n
}

// keep leaves those samples that say so, and counts the others as left out.
func (p *pool) keep(why string, say []bool) {
	var places []int
	for i, is := range say {
		if is {
			places = append(places, i)
		} else {
			p.leftOut[why]++
		}
	}
	if len(places) == len(say) {
		return
	}
	p.IDs, p.Bytes = at(p.IDs, places), at(p.Bytes, places)
	if p.Classes != nil {
		p.Classes = at(p.Classes, places)
	}
	if p.Hardness != nil {
		p.Hardness = at(p.Hardness, places)
	}
	if p.Vectors != nil {
		p.Vectors = p.Vectors.Take(places)
	}
}

func at[T any](from []T, places []int) []T {
	out := make([]T, len(places))
	for i, place := range places {
		out[i] = from[place]
	}
	return out
}

// pool reads what the query picks from, some 100 bytes a sample and 4 a number of its vector, and fills in what the query leaves to
// be found: version, model, layer, attempt and the digest of the samples. A version that it makes is registered unless dry.
func (c *Connections) pool(ctx context.Context, q *PickQuery, dry bool) (*pool, error) {
	p := &pool{leftOut: map[string]int{}, passed: map[schemas.SampleID]bool{}}
	read := c.labeled
	if q.Unlabeled {
		read = c.waiting
	}
	if err := read(ctx, q, p, dry); err != nil {
		return nil, err
	}
	if len(p.IDs) == 0 {
		return nil, fmt.Errorf("no sample is left to pick from: %s", p.why())
	}
	needsVectors, needsScores, _, err := coreset.Needs(q.Method)
	if err != nil {
		return nil, err
	}
	if err := c.embed(ctx, q, p, needsVectors); err != nil {
		return nil, err
	}
	if q.By != "" {
		if err := c.score(ctx, q, p); err != nil {
			return nil, err
		}
	} else if needsScores && !q.Unlabeled {
		return nil, fmt.Errorf("%s goes by a score: name it (--by aum) and the training run (--run)", q.Method)
	}
	digest := sha256.New()
	for _, id := range p.IDs {
		digest.Write(id[:])
	}
	digest.Sum(q.Pool[:0])
	return p, nil
}

func (p *pool) why() string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(p.leftOut)) {
		parts = append(parts, fmt.Sprintf("%d %s", p.leftOut[reason], reason))
	}
	return cmp.Or(strings.Join(parts, ", "), "there are none")
}

// labeled reads the members of a version whose labels still stand.
func (c *Connections) labeled(ctx context.Context, q *PickQuery, p *pool, dry bool) error {
	version, members, err := c.version(ctx, q, dry, "picked from")
	if err != nil {
		return err
	}
	q.Version = version.ID
	in, err := c.sliced(ctx, q)
	if err != nil {
		return err
	}
	labels, stop := iter.Pull2(dataset.Of(version, bytes.NewReader(members), c.standing(ctx, q.Dataset)))
	defer stop()
	l, err, more := labels()
	var objects [][]string // classes of each sample
	for m, bad := range dataset.Members(version, bytes.NewReader(members)) {
		if bad != nil {
			return bad
		}
		stands := more && l.SampleID == m.SampleID
		switch {
		case err != nil:
			return err
		case q.Split != "" && m.Split != q.Split:
			p.leftOut["of other splits"]++
		case !stands:
			p.leftOut["relabeled or erased since the version was made"]++
		case !in(m.SampleID):
			p.leftOut["of other slices"]++
		default:
			p.IDs, p.Bytes = append(p.IDs, l.SampleID), append(p.Bytes, l.Image.Size)
			objects = append(objects, classesOf(l.Objects))
		}
		if stands {
			l, err, more = labels()
		}
	}
	p.Names, p.Classes = rarest(objects)
	return nil
}

func classesOf(objects []schemas.Object) []string {
	out := []string{}
	for _, o := range objects {
		if !slices.Contains(out, o.Class) {
			out = append(out, o.Class)
		}
	}
	if len(out) == 0 {
		return []string{noObjects}
	}
	return out
}

// rarest gives each sample one class: of those of its objects the one that the fewest samples have, so that rare classes have all
// samples that show them.
func rarest(objects [][]string) (names []string, of []int) {
	count, place := map[string]int{}, map[string]int{}
	for _, classes := range objects {
		for _, class := range classes {
			count[class]++
		}
	}
	of = make([]int, len(objects))
	chosen := make([]string, len(objects))
	for i, classes := range objects {
		chosen[i] = slices.MinFunc(classes, func(a, b string) int { return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(a, b)) })
		place[chosen[i]] = 0
	}
	names = slices.Sorted(maps.Keys(place))
	for i, name := range names {
		place[name] = i
	}
	for i, class := range chosen {
		of[i] = place[class]
	}
	return names, of
}

// version finds the one that is named, or makes one of the labels as they stand, and registers it unless dry with a note of why.
func (c *Connections) version(ctx context.Context, q *PickQuery, dry bool, note string) (v schemas.DatasetVersion, members []byte, err error) {
	if q.Version == "" {
		var known bool
		v, members, known, err = c.buildVersion(ctx, q.Dataset)
		if err == nil && !known && !dry {
			err = c.registerVersion(ctx, &v, members, note)
		}
		return v, members, err
	}
	versions, err := c.Versions(ctx, q.Dataset)
	if err != nil {
		return v, nil, err
	}
	i := slices.IndexFunc(versions, func(v schemas.DatasetVersion) bool { return v.ID == q.Version })
	if i < 0 {
		return v, nil, fmt.Errorf("version %q is not registered: `gleaner dataset list %s` lists them", q.Version, q.Dataset)
	}
	v = versions[i]
	if members, err = c.Blobs.Get(ctx, v.Members.Key); err != nil {
		return v, nil, fmt.Errorf("members of %s: %w", v.ID, err)
	}
	return v, members, nil
}

// sliced tells which samples the query's slices, the producer's or discovered, leave.
func (c *Connections) sliced(ctx context.Context, q *PickQuery) (func(schemas.SampleID) bool, error) {
	if len(q.Slices) == 0 {
		return func(schemas.SampleID) bool { return true }, nil
	}
	ids, err := c.DB.Sliced(ctx, q.Dataset, !q.Unlabeled, q.Slices)
	return func(id schemas.SampleID) bool { return ids[id] }, err
}

// waiting reads the samples that have no label, with the models' uncertainty about them.
func (c *Connections) waiting(ctx context.Context, q *PickQuery, p *pool, dry bool) error {
	v, _, err := c.version(ctx, q, dry, "the labels there were when samples to label next were picked")
	switch {
	case err == nil:
		q.Version = v.ID
	case !errors.Is(err, ErrNoLabels):
		return err
	}
	in, err := c.sliced(ctx, q)
	if err != nil {
		return err
	}
	for s, err := range c.DB.Waiting(ctx, q.Dataset) {
		if err != nil {
			return err
		}
		gone, err := stages.Erased(ctx, c.Blobs, s.ID)
		switch {
		case err != nil:
			return err
		case gone:
			p.passed[s.ID] = true
			p.leftOut["erased"]++
		case !in(s.ID):
			p.passed[s.ID] = true
			p.leftOut["of other slices"]++
		default:
			p.IDs, p.Bytes, p.Hardness = append(p.IDs, s.ID), append(p.Bytes, s.Image.Size), append(p.Hardness, uncertainty(&s))
		}
	}
	sum, known := 0.0, 0
	for _, u := range p.Hardness {
		if !math.IsNaN(u) {
			sum, known = sum+u, known+1
		}
	}
	for i, u := range p.Hardness {
		if math.IsNaN(u) {
			if p.Hardness[i] = 1; known > 0 {
				p.Hardness[i] = sum / float64(known)
			}
		}
	}
	return nil
}

// uncertainty is the largest entropy of a proposal's probability of being accepted, in bits, as Brust et al. 2019 ("Active Learning for
// Deep Object Detection") aggregate by the maximum; NaN where models propose nothing, about which they say nothing either.
func uncertainty(s *schemas.Sample) float64 {
	out := math.NaN()
	for _, objects := range [][]schemas.Object{s.Objects, s.Proposals} {
		for _, o := range objects {
			if u := coreset.Entropy(float64(o.Score)); math.IsNaN(out) || u > out {
				out = u
			}
		}
	}
	return out
}

// embed reads the vectors of the pool, and those of the samples that have labels already where the pool has none. Samples without a
// vector are left out where the method reads them; otherwise there are no vectors as soon as one lacks its own.
func (c *Connections) embed(ctx context.Context, q *PickQuery, p *pool, needed bool) error {
	space, err := c.space(ctx, q.Dataset, q.Model)
	switch {
	case errors.Is(err, errNotEmbedded) && !needed:
		return nil
	case errors.Is(err, errNotEmbedded):
		return fmt.Errorf("%s goes by embeddings: %w", q.Method, err)
	case err != nil:
		return err
	}
	has := make([]bool, len(p.IDs))
	var covered [][]float32
	for e, err := range c.DB.Vectors(ctx, q.Dataset, space) {
		if err != nil {
			return err
		}
		at, ok := slices.BinarySearchFunc(p.IDs, e.SampleID, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) })
		if !ok && (!q.Unlabeled || p.passed[e.SampleID]) {
			continue
		}
		if p.Vectors == nil {
			p.Vectors = vectors.NewMatrix(len(p.IDs), len(e.Vector))
		}
		if !ok {
			covered = append(covered, e.Vector)
			continue
		}
		if err := p.Vectors.SetUnit(at, e.Vector); err != nil {
			return fmt.Errorf("embedding of sample %s by %s: %w", e.SampleID, space.Model, err)
		}
		has[at] = true
	}
	lacking := slices.Contains(has, false)
	if lacking && !needed {
		p.Vectors = nil
		return nil
	}
	q.Model, q.Layer = space.Model, space.Layer
	p.keep("without an embedding by "+space.Model, has)
	if len(p.IDs) == 0 {
		return fmt.Errorf("no sample is left to pick from: %s", p.why())
	}
	return p.cover(covered)
}

// errNotEmbedded says that no model has embedded an image of a dataset.
var errNotEmbedded = errors.New("no image has an embedding: no model serves the dataset, or prelabel.embeddings is off")

// space finds where a model, NAME or NAME@VERSION, has embedded the images of a dataset; "" is the one that embedded last.
func (c *Connections) space(ctx context.Context, dataset, model string) (clickhouse.Space, error) {
	spaces, err := c.DB.Spaces(ctx, dataset)
	if err != nil {
		return clickhouse.Space{}, err
	}
	if len(spaces) == 0 {
		return clickhouse.Space{}, errNotEmbedded
	}
	i := slices.IndexFunc(spaces, func(s clickhouse.Space) bool {
		name, _, _ := strings.Cut(s.Model, "@")
		return model == "" || model == s.Model || model == name
	})
	if i < 0 {
		return clickhouse.Space{}, fmt.Errorf("model %s has embedded no image, but %s has", model, spaces[0].Model)
	}
	return spaces[i], nil
}

// cover makes vectors what is had already: those of the samples that do not wait.
func (p *pool) cover(covered [][]float32) error {
	if len(covered) == 0 {
		return nil
	}
	p.Covered = vectors.NewMatrix(len(covered), p.Vectors.Dim())
	for i, v := range covered {
		if err := p.Covered.SetUnit(i, v); err != nil {
			return fmt.Errorf("embedding of a labeled sample: %w", err)
		}
	}
	return nil
}

// score reads a run's scores, turned so that the higher is the harder. It folds the losses that came into them first.
func (c *Connections) score(ctx context.Context, q *PickQuery, p *pool) error {
	if q.Run == "" {
		return fmt.Errorf("by %s: name the training run (--run)", q.By)
	}
	column, err := schemas.FindScore(q.By)
	if err != nil {
		return err
	}
	if q.Attempt, err = c.DB.LastAttempt(ctx, q.Run); err != nil {
		return err
	}
	if q.Attempt == 0 {
		return fmt.Errorf("run %q has no losses", q.Run)
	}
	if _, err := c.DB.FoldLosses(ctx); err != nil {
		return err
	}
	scores, err := c.DB.SampleScores(ctx, q.Run, column.Name)
	if err != nil {
		return err
	}
	sign := 1.0
	if column.LowIsHard {
		sign = -1
	}
	p.Hardness = make([]float64, len(p.IDs))
	for i, id := range p.IDs {
		p.Hardness[i] = math.NaN()
		if s, ok := scores[id]; ok {
			p.Hardness[i] = sign * s
		}
	}
	if p.unscored() == len(p.IDs) {
		return fmt.Errorf("run %s has no %s of any of the %d samples", q.Run, q.By, len(p.IDs))
	}
	return nil
}

package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"gleaner/connectors/clickhouse"
	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/analysis/coreset"
	"gleaner/stages/analysis/coreset/vectors"
)

const (
	// NearestShown is how many samples nearest to its center stand for a discovered value.
	NearestShown = 10
	// A producer's value stands out in a discovered one where they share at least standingSamples, and more than chance gives by
	// standingDeviations.
	standingSamples    = 5
	standingDeviations = 3
	// slicesAtOnce is how many samples are stored at a time.
	slicesAtOnce = 100_000
)

// Slice is one value of a slice, the producer's or discovered; only discovered ones have what stands out and what is nearest.
type Slice struct {
	clickhouse.SliceValue
	StandsOut []Standing `json:"stands_out,omitempty"` // the largest difference to the slice as a whole first
	Nearest   []Exemplar `json:"nearest,omitempty"`    // to the center, at most ten, nearest first
}

// Standing is a producer's value that a discovered one has more of than all samples of the discovered slice together.
type Standing struct {
	Name  string  `json:"name"`
	Value string  `json:"value"`
	Share float64 `json:"share"` // of the samples of the discovered value, (0,1]
	Lift  float64 `json:"lift"`  // share by that among all
}

// Exemplar is a sample that shows what a discovered value is.
type Exemplar struct {
	SampleID schemas.SampleID `json:"sample_id"`
	UniqueID string           `json:"unique_id,omitempty"`
	Distance float64          `json:"distance"` // Euclidean, from the center, of vectors of length 1: 0 to 2
}

// Discovery says what slice to find in the data.
type Discovery struct {
	Dataset  string
	Name     string // of the slice
	Clusters int    // 2 to clickhouse.MaxSliceValues
	Model    string // NAME or NAME@VERSION, whose embeddings count; empty: the one that embedded last
	Seed     int64
}

// Validate refuses what could not be asked for by --slice afterwards.
func (d Discovery) Validate() error {
	if d.Clusters < 2 || d.Clusters > clickhouse.MaxSliceValues {
		return fmt.Errorf("%d clusters: want 2 to %d", d.Clusters, clickhouse.MaxSliceValues)
	}
	return checkSliceText("name", d.Name)
}

func checkSliceText(what, text string) error {
	if text == "" || text != strings.TrimSpace(text) || strings.ContainsAny(text, "=,\"") || strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%s %q of a slice: want text without =, commas, quotes, control characters and blanks at its ends", what, text)
	}
	return nil
}

// DiscoverSlice groups the images of a dataset by their embeddings, by k-means, and stores the group of each as its value of a slice:
// name-0 is the largest. What an earlier discovery of the name found is replaced, all at once; images that have no embedding yet have no
// value. Of discoveries of one name that go on at the same time the one that began last counts, and the others fail. The same embeddings
// and seed give the same values. Memory: 8 bytes a number of the vectors. show may be nil.
func (c *Connections) DiscoverSlice(ctx context.Context, d Discovery, show func(done, total int, what string)) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if err := c.discover(ctx, d, show); err != nil {
		return fmt.Errorf("discover slice %s of %s: %w", d.Name, d.Dataset, err)
	}
	return nil
}

func (c *Connections) discover(ctx context.Context, d Discovery, show func(done, total int, what string)) error {
	if show == nil {
		show = func(int, int, string) {}
	}
	known, err := c.DB.Slices(ctx, d.Dataset)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(v clickhouse.SliceValue) bool { return v.Name == d.Name && v.Model == "" }) {
		return errors.New("its producer has a slice of that name: choose another by --name")
	}
	space, err := c.space(ctx, d.Dataset, d.Model)
	if err != nil {
		return err
	}
	ids, matrix, err := c.embedded(ctx, d.Dataset, space, show)
	if err != nil {
		return err
	}
	if len(ids) < d.Clusters {
		return fmt.Errorf("%d clusters of %d images with an embedding by %s: ask for fewer", d.Clusters, len(ids), space.Model)
	}
	clusters, err := coreset.Cluster(ctx, matrix, d.Clusters, coreset.Work{Seed: d.Seed, Progress: show})
	if err != nil {
		return err
	}
	began, err := c.DB.BeginDiscovery(ctx, d.Dataset, d.Name, space)
	if err != nil {
		return err
	}
	for first := 0; first < len(ids); first += slicesAtOnce {
		end := min(len(ids), first+slicesAtOnce)
		found := make([]clickhouse.Discovered, 0, end-first)
		for i := first; i < end; i++ {
			found = append(found, clickhouse.Discovered{
				SampleID: ids[i], Value: fmt.Sprintf("%s-%d", d.Name, clusters.Of[i]), Distance: math.Sqrt(clusters.Distance[i]),
			})
		}
		if err := c.DB.PutDiscovered(ctx, began, found); err != nil {
			return err
		}
		show(end, len(ids), "slices")
	}
	// An erasure that comes from here on finds the rows; one that came before has left a tombstone.
	erased, err := stages.Tombstones(ctx, c.Blobs)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if erased[id] {
			if _, err := c.DB.Erase(ctx, id); err != nil {
				return err
			}
		}
	}
	return c.publish(ctx, began)
}

// publish makes a discovery count, and fails where a later one does.
func (c *Connections) publish(ctx context.Context, d clickhouse.Discovery) error {
	stands, err := c.DB.PublishDiscovery(ctx, d)
	if err == nil && !stands {
		err = errors.New("a discovery of it that began later is done: its values stand")
	}
	return err
}

// embedded reads the vectors of a dataset's images, scaled to length 1, in the order of sample ids.
func (c *Connections) embedded(ctx context.Context, dataset string, space clickhouse.Space, show func(done, total int, what string)) ([]schemas.SampleID, *vectors.Matrix, error) {
	var ids []schemas.SampleID
	var all [][]float32
	for e, err := range c.DB.Vectors(ctx, dataset, space) {
		if err != nil {
			return nil, nil, err
		}
		ids, all = append(ids, e.SampleID), append(all, e.Vector)
		show(len(ids), int(space.Samples), "embeddings")
	}
	if len(ids) == 0 { // erased since
		return nil, nil, errNotEmbedded
	}
	matrix := vectors.NewMatrix(len(ids), len(all[0]))
	for i, v := range all {
		if err := matrix.SetUnit(i, v); err != nil {
			return nil, nil, fmt.Errorf("embedding of sample %s by %s: %w", ids[i], space.Model, err)
		}
	}
	return ids, matrix, nil
}

// Slices lists the values of a dataset's slices, the producer's first, of one slice unless name is "".
func (c *Connections) Slices(ctx context.Context, dataset, name string) ([]Slice, error) {
	values, err := c.DB.Slices(ctx, dataset)
	if err != nil {
		return nil, err
	}
	overlaps, err := c.DB.SliceOverlaps(ctx, dataset, standingSamples)
	if err != nil {
		return nil, err
	}
	nearest, err := c.DB.NearestToCenters(ctx, dataset, NearestShown)
	if err != nil {
		return nil, err
	}
	all := map[string]uint64{} // samples of each discovered slice
	for _, v := range values {
		if v.Model != "" {
			all[v.Name] += v.Samples
		}
	}
	out := []Slice{}
	for _, v := range values {
		if name != "" && v.Name != name {
			continue
		}
		s := Slice{SliceValue: v}
		if v.Model != "" {
			s.StandsOut = standsOut(v, all[v.Name], overlaps)
			for _, n := range nearest {
				if n.Name == v.Name && n.Value == v.Value {
					s.Nearest = append(s.Nearest, Exemplar{n.SampleID, n.UniqueID, n.Distance})
				}
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// standsOut returns what stands out in a discovered value, all being the samples of its slice: as many samples at random have a
// hypergeometric number of each producer's value.
func standsOut(v clickhouse.SliceValue, all uint64, overlaps []clickhouse.SliceOverlap) []Standing {
	var out []Standing
	n, total := float64(v.Samples), float64(all)
	for _, o := range overlaps {
		if o.Name != v.Name || o.Value != v.Value {
			continue
		}
		shared, p := float64(o.Samples), float64(o.SamplesAll)/total
		deviation := math.Sqrt(n * p * (1 - p) * (total - n) / max(1, total-1))
		if shared-n*p > standingDeviations*deviation {
			out = append(out, Standing{Name: o.OfName, Value: o.OfValue, Share: shared / n, Lift: shared / n / p})
		}
	}
	slices.SortStableFunc(out, func(a, b Standing) int { return cmp.Compare(b.Share-b.Share/b.Lift, a.Share-a.Share/a.Lift) })
	return out
}

// RenameSlice gives values of a discovered slice names that people understand; two that get one name are one value from then on.
func (c *Connections) RenameSlice(ctx context.Context, dataset, name string, names map[string]string) error {
	values, err := c.discovered(ctx, dataset, name)
	if err != nil {
		return err
	}
	from := slices.Sorted(maps.Keys(names))
	for _, f := range from {
		if !slices.Contains(values, f) {
			return fmt.Errorf("slice %s of %s has no value %s, but %s", name, dataset, f, strings.Join(values, ", "))
		}
		if err := checkSliceText("value", names[f]); err != nil {
			return err
		}
		if slices.Contains(from, names[f]) {
			return fmt.Errorf("%s is to be renamed to %s, which is to be renamed itself: do one after the other", f, names[f])
		}
	}
	for _, f := range from {
		if err := c.DB.RenameDiscovered(ctx, dataset, name, f, names[f]); err != nil {
			return err
		}
	}
	return nil
}

// RemoveSlice takes a discovered slice back.
func (c *Connections) RemoveSlice(ctx context.Context, dataset, name string) error {
	if _, err := c.discovered(ctx, dataset, name); err != nil {
		return err
	}
	none, err := c.DB.BeginDiscovery(ctx, dataset, name, clickhouse.Space{})
	if err != nil {
		return err
	}
	return c.publish(ctx, none)
}

// discovered lists the values of a discovered slice; where there is none of that name the error says what there is.
func (c *Connections) discovered(ctx context.Context, dataset, name string) ([]string, error) {
	all, err := c.DB.Slices(ctx, dataset)
	if err != nil {
		return nil, err
	}
	var values, names []string
	for _, v := range all {
		if v.Model == "" {
			continue
		}
		if names = append(names, v.Name); v.Name == name {
			values = append(values, v.Value)
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s has no discovered slice %s: there are %s", dataset, name, cmp.Or(strings.Join(slices.Compact(names), ", "), "none"))
	}
	return values, nil
}

package clickhouse

import (
	"fmt"
	"slices"
	"testing"

	"gleaner/schemas"
)

// TestLabelTwins: of a group the best label of each other sample, of the highest rank first, and which groups have any.
func TestLabelTwins(t *testing.T) {
	db := open(t)
	var samples []schemas.Sample
	var labels []schemas.Label
	for n := range 6 {
		s, l := sample(n, schemas.StageSamples, 0, schemas.RankNone), label(n, schemas.RankAutomatic, 1)
		if n < 4 { // a group of four, and two of one
			s.Group, l.Group = sampleID(0), sampleID(0)
		}
		samples, labels = append(samples, s), append(labels, l)
	}
	labels[3] = label(3, schemas.RankHuman, 2)
	labels[3].Group = sampleID(0)
	older := labels[3]
	older.Revision = 1
	labels = append(slices.Delete(labels, 2, 3), older) // nobody has labeled 2
	other := label(1, schemas.RankReviewed, 1)
	other.Dataset, other.Group = "other", sampleID(0)
	if err := db.PutSamples(t.Context(), "", samples); err != nil {
		t.Fatal(err)
	}
	for i, l := range append(labels, other) {
		if err := db.PutLabels(t.Context(), fmt.Sprint(i), []schemas.Label{l}); err != nil { // a part each
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		group, not, most int
		want             []int
	}{{0, 0, 5, []int{3, 1}}, {0, 2, 5, []int{3, 0, 1}}, {0, 1, 1, []int{3}}, {4, 4, 5, nil}} {
		got, phashes, err := db.LabelTwins(t.Context(), &schemas.Sample{Dataset: "test", Group: sampleID(c.group), ID: sampleID(c.not), PHash: samples[0].PHash}, c.most)
		if err != nil {
			t.Fatal(err)
		}
		var of []int
		for i, l := range got {
			n := slices.IndexFunc(samples, func(s schemas.Sample) bool { return s.ID == l.SampleID })
			of = append(of, n)
			if phashes[i] != samples[n].PHash || n == 3 && l.Revision != 2 || l.Dataset != "test" {
				t.Errorf("hash %x of %+v", phashes[i], l)
			}
		}
		slices.Sort(of[min(len(of), 1):]) // of one rank by id
		if !slices.Equal(of, c.want) {
			t.Errorf("twins of %d in group %d: %v, want %v", c.not, c.group, of, c.want)
		}
	}
	if groups, err := db.TwinGroups(t.Context(), "test", 10); err != nil || !slices.Equal(groups, []schemas.SampleID{sampleID(0)}) {
		t.Errorf("groups with labels: %v, %v", groups, err)
	}
}

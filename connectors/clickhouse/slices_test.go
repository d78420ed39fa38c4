package clickhouse

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// TestDiscoveredSlices: views have them beside the producer's, whose own count where both have one of a name; a later discovery
// replaces an earlier one, and what it did not find goes.
func TestDiscoveredSlices(t *testing.T) {
	db := open(t)
	var samples []schemas.Sample
	var labels []schemas.Label
	for n := range 20 {
		s := sample(n, schemas.StageLinted, 0, schemas.RankNone)
		s.Slices = map[string]string{"weather": []string{"rain", "sun"}[n/10]}
		if n == 19 {
			s.Slices["look"] = "mine"
		}
		samples = append(samples, s)
		labels = append(labels, label(n, schemas.RankHuman, 1))
	}
	if err := db.PutSamples(t.Context(), "", samples); err != nil {
		t.Fatal(err)
	}
	if err := db.PutLabels(t.Context(), "", labels[:5]); err != nil {
		t.Fatal(err)
	}
	space := Space{Model: "m@1", Layer: "c5"}
	discover := func(at time.Time, of int, value func(n int) string) {
		t.Helper()
		var found []Discovered
		for n := range of {
			found = append(found, Discovered{SampleID: sampleID(n), Name: "look", Value: value(n), Distance: float64(n) / 10})
		}
		if err := db.PutDiscovered(t.Context(), "test", space, at, found); err != nil {
			t.Fatal(err)
		}
		if err := db.RemoveDiscovered(t.Context(), "test", "look", at); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	discover(at, 20, func(n int) string { return "look-9" })
	discover(at.Add(time.Microsecond), 20, func(n int) string { return fmt.Sprint("look-", n/12) })
	discover(at.Add(time.Second), 20, func(n int) string { return fmt.Sprint("look-", n/12) })

	want := []SliceValue{
		{Name: "look", Value: "mine", Samples: 1},
		{Name: "weather", Value: "rain", Samples: 10},
		{Name: "weather", Value: "sun", Samples: 10},
		{Name: "look", Value: "look-0", Samples: 12, Model: "m@1", Layer: "c5"},
		{Name: "look", Value: "look-1", Samples: 8, Model: "m@1", Layer: "c5"},
	}
	got, err := db.Slices(t.Context(), "test")
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	overlaps, err := db.SliceOverlaps(t.Context(), "test", 8)
	if d := cmp.Diff([]SliceOverlap{{"look", "look-0", "weather", "rain", 10, 10}, {"look", "look-1", "weather", "sun", 8, 10}}, overlaps); err != nil || d != "" {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	near, err := db.NearestToCenters(t.Context(), "test", 2)
	if err != nil || len(near) != 4 || near[0].SampleID != sampleID(0) || near[0].UniqueID != samples[0].UniqueID || near[3].SampleID != sampleID(13) || near[3].Value != "look-1" {
		t.Errorf("nearest to centers: %+v, %v", near, err)
	}

	sliced := func(labeled bool, wanted map[string]string) (out []int) {
		t.Helper()
		ids, err := db.Sliced(t.Context(), "test", labeled, wanted)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			if ids[sampleID(n)] {
				out = append(out, n)
			}
		}
		return out
	}
	if got := sliced(false, map[string]string{"look": "look-1", "weather": "sun"}); !slices.Equal(got, []int{12, 13, 14, 15, 16, 17, 18}) {
		t.Errorf("samples of look-1 in the sun: %v", got)
	}
	if got := sliced(false, map[string]string{"look": "mine"}); !slices.Equal(got, []int{19}) {
		t.Errorf("samples that the producer has named: %v", got)
	}
	if got := sliced(true, map[string]string{"look": "look-0"}); !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Errorf("labeled samples of look-0: %v", got)
	}
	if got, want := ask(t, db, "SELECT slices FROM sample_latest WHERE sample_id = "+idLiteral(sampleID(12))), "({'look':'look-1','weather':'sun'})"; got != want {
		t.Errorf("slices %s, want %s", got, want)
	}

	if err := db.RenameDiscovered(t.Context(), "test", "look", "look-1", "night's"); err != nil {
		t.Fatal(err)
	}
	if got := sliced(false, map[string]string{"look": "night's"}); len(got) != 7 {
		t.Errorf("samples of the renamed value: %v", got)
	}
	if err := db.RemoveDiscovered(t.Context(), "test", "look", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, db, "SELECT count() FROM discovered_slices"); got != "(0)" {
		t.Errorf("%s rows after the removal", got)
	}
}

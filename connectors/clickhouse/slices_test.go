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
// replaces an earlier one as a whole, whichever is done first, and what it did not find goes.
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
	begin := func(space Space) Discovery {
		t.Helper()
		d, err := db.BeginDiscovery(t.Context(), "test", "look", space)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	put := func(d Discovery, first, end int, value func(n int) string) {
		t.Helper()
		var found []Discovered
		for n := first; n < end; n++ {
			found = append(found, Discovered{SampleID: sampleID(n), Value: value(n), Distance: float64(n) / 10})
		}
		if err := db.PutDiscovered(t.Context(), d, found); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(d Discovery, want bool) {
		t.Helper()
		if stands, err := db.PublishDiscovery(t.Context(), d); err != nil || stands != want {
			t.Fatalf("published: stands %v, %v", stands, err)
		}
	}
	has := func(want string) {
		t.Helper()
		if got := ask(t, db, "SELECT value, count() FROM slice_members GROUP BY value ORDER BY value"); got != want {
			t.Fatalf("the slice has\n%s\nwant\n%s", got, want)
		}
	}
	nine := func(int) string { return "look-9" }
	before := begin(space)
	put(before, 0, 20, nine)
	publish(before, true)
	early, late := begin(space), begin(space)
	put(early, 0, 10, nine)
	put(late, 0, 20, func(n int) string { return fmt.Sprint("look-", n/12) })
	has("('look-9',20)")
	publish(late, true)
	has("('look-0',12)\n('look-1',8)")
	put(early, 10, 20, nine)
	publish(early, false)
	has("('look-0',12)\n('look-1',8)")
	if got := ask(t, db, "SELECT count() FROM discovered_slices"); got != "(20)" {
		t.Errorf("%s rows, want those of the discovery that counts", got)
	}

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

	killed := begin(space)
	put(killed, 0, 20, func(int) string { return "look-1" })
	if err := db.RenameDiscovered(t.Context(), "test", "look", "look-1", "night's"); err != nil {
		t.Fatal(err)
	}
	if got := sliced(false, map[string]string{"look": "night's"}); len(got) != 7 {
		t.Errorf("samples of the renamed value: %v", got)
	}
	if got := ask(t, db, "SELECT countIf(value = 'look-1') FROM discovered_slices"); got != "(20)" {
		t.Errorf("%s rows of a discovery that goes on have the name of before", got)
	}
	publish(begin(Space{}), true)
	publish(killed, false)
	has("")
	if got := ask(t, db, "SELECT count() FROM discovered_slices"); got != "(0)" {
		t.Errorf("%s rows after the removal", got)
	}
}

// TestDiscoveryAfterTheClockWasPutBack: one that begins by a clock behind the last discovery's counts all the same.
func TestDiscoveryAfterTheClockWasPutBack(t *testing.T) {
	db := open(t)
	began := func() Discovery {
		t.Helper()
		d, err := db.BeginDiscovery(t.Context(), "test", "look", Space{Model: "m@1"})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ahead := began()
	ahead.Began = ahead.Began.Add(time.Hour)
	publish := func(d Discovery) {
		t.Helper()
		if stands, err := db.PublishDiscovery(t.Context(), d); err != nil || !stands {
			t.Errorf("begun at %v after %v: stands %v, %v", d.Began, ahead.Began, stands, err)
		}
	}
	publish(ahead)
	publish(began())
	if a, b := began(), began(); a.Began.Equal(b.Began) {
		t.Errorf("two begin at %v", a.Began)
	}
}

package clickhouse

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// TestSummariesOfEpochs: doubles, superseded attempts and losses that are no numbers do not bend them, classes that a later attempt names
// otherwise leave nothing behind, and a rebuild after retention keeps the epochs that it took.
func TestSummariesOfEpochs(t *testing.T) {
	db := open(t)
	first := func(l *schemas.Losses) {
		story(l, "run", 1, 0, "o1", 0, "wccw")
		story(l, "run", 1, 1, "o1", 0, "wwcc")
		l.Loss[4] = float32(math.NaN())
		for i := range l.Lineage {
			l.Lineage[i] = "old"
		}
	}
	rebuild := func() []Epoch {
		t.Helper()
		if err := db.RebuildEpochs(t.Context(), "run"); err != nil {
			t.Fatal(err)
		}
		got, err := db.Epochs(t.Context(), "run")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	insertStory(t, db, "", first)
	insertStory(t, db, "", first)
	want := []Epoch{{0, 2, new(0.), 0, 1}, {1, 2, new(1.), .5, 0}, {2, 2, new(2.), 1, 0}, {3, 2, new(3.), .5, 0}}
	for range 2 {
		if diff := cmp.Diff(want, rebuild()); diff != "" {
			t.Errorf("summaries (-want +got):\n%s", diff)
		}
	}
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 2, 0, "o1", 2, "c") })
	want = []Epoch{{0, 2, new(0.), 0, 1}, {1, 2, new(1.), .5, 0}, {2, 1, new(2.), 1, 0}}
	if diff := cmp.Diff(want, rebuild()); diff != "" {
		t.Errorf("after a resumed attempt (-want +got):\n%s", diff)
	}
	if got := ask(t, db, "SELECT epoch, lineage, presentations FROM loss_epochs FINAL WHERE epoch >= 2 ORDER BY epoch, lineage"); got != "(2,'',1)\n(2,'old',0)\n(3,'old',0)" {
		t.Errorf("classes of the superseded epochs:\n%s", got)
	}
	if err := db.exec(t.Context(), "take rows", "ALTER TABLE losses DELETE WHERE epoch < 2 SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rebuild()); diff != "" {
		t.Errorf("after retention (-want +got):\n%s", diff)
	}
	if err := db.exec(t.Context(), "take rows", "ALTER TABLE losses DELETE WHERE 1 SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rebuild()); diff != "" {
		t.Errorf("after retention took all (-want +got):\n%s", diff)
	}
}

func TestAnEpochWithoutAFiniteLossHasNoMean(t *testing.T) {
	db := open(t)
	insertStory(t, db, "", func(l *schemas.Losses) {
		story(l, "run", 1, 0, "", 0, "c")
		l.Loss[0] = float32(math.Inf(1))
	})
	if err := db.RebuildEpochs(t.Context(), "run"); err != nil {
		t.Fatal(err)
	}
	got, err := db.Epochs(t.Context(), "run")
	if diff := cmp.Diff([]Epoch{{0, 1, nil, 1, 1}}, got); err != nil || diff != "" {
		t.Errorf("%v, summaries (-want +got):\n%s", err, diff)
	}
}

func TestLossStats(t *testing.T) {
	db := open(t)
	for batch, fill := range []func(*schemas.Losses){
		func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "wcwc") },
		func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "wc") },
		func(l *schemas.Losses) { story(l, "run", 2, 0, "", 2, "c") },
	} {
		var l schemas.Losses
		fill(&l)
		insertStory(t, db, "", fill)
		err := db.PutArrivals(t.Context(), fmt.Sprint(batch), []schemas.LossArrival{{
			RunID: "run", Dataset: "roads", Attempt: l.Attempt[0], Epoch: l.Epoch[l.Len()-1], Rows: uint64(l.Len()), Late: uint64(batch % 2), NaN: 1,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	stale, err := db.StaleRuns(t.Context())
	if err != nil || !slices.Equal(stale, []string{"run"}) {
		t.Errorf("stale runs %v, %v", stale, err)
	}
	if err := db.RebuildEpochs(t.Context(), "run"); err != nil {
		t.Fatal(err)
	}
	if stale, err = db.StaleRuns(t.Context()); err != nil || len(stale) != 0 {
		t.Errorf("stale runs after a rebuild %v, %v", stale, err)
	}
	got, err := db.LossStats(t.Context(), "run")
	if err != nil {
		t.Fatal(err)
	}
	if got.BytesPerRow <= 0 || got.LastArrival.IsZero() || got.RowsPerS <= 0 {
		t.Errorf("size, time or rate is missing: %+v", got)
	}
	// Of seven rows that came two were sent again, one was replaced by the second attempt's, and one is what that attempt left behind.
	want := LossStats{RunID: "run", Dataset: "roads", Rows: 7, Standing: 3, Doubles: 3, Superseded: 1, Late: 1, NaN: 3, Attempts: 2, Epochs: 3}
	got.BytesPerRow, got.LastArrival, got.RowsPerS = 0, want.LastArrival, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	attempt, epoch, first, err := db.Progress(t.Context(), "run")
	if err != nil || first.IsZero() || attempt != 2 || epoch != 2 {
		t.Errorf("progress %d, %d, since %s, %v", attempt, epoch, first, err)
	}
	if _, _, first, err = db.Progress(t.Context(), "none"); err != nil || !first.IsZero() {
		t.Errorf("progress of no run: since %s, %v", first, err)
	}
	if runs, err := db.LossRuns(t.Context()); err != nil || !slices.Equal(runs, []string{"run"}) {
		t.Errorf("runs %v, %v", runs, err)
	}
}

// TestLossesGoOutInTheTablesOrder: every value stays with its row, equal keys stay in the order in which they came, and ids that share
// their first bytes are told apart.
func TestLossesGoOutInTheTablesOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l schemas.Losses
	for i := range 5000 {
		id := sampleID(rng.IntN(40))
		if i%3 == 0 {
			id = schemas.SampleID{15: byte(rng.IntN(9))}
		}
		l.Append(schemas.LossRow{
			RunID: fmt.Sprint("run", rng.IntN(5)), Attempt: uint32(rng.IntN(2)), Model: fmt.Sprint("m", i%300), SampleID: id, ObjectID: fmt.Sprint("o", rng.IntN(3)),
			Epoch: uint32(rng.IntN(4)), Step: uint64(i), Loss: float32(i), Correct: i%2 == 0, Lineage: fmt.Sprint(i % 2),
		})
	}
	order := lossOrder(&l)
	seen := make([]bool, l.Len())
	at := func(i int32) string {
		return fmt.Sprintf("%s/%s/%s/%d", l.RunID[i], l.SampleID[i], l.ObjectID[i], l.Epoch[i])
	}
	for k, i := range order {
		seen[i] = true
		if k > 0 {
			if c := strings.Compare(at(order[k-1]), at(i)); c > 0 || c == 0 && order[k-1] > i {
				t.Fatalf("row %d, %s, comes after row %d, %s", i, at(i), order[k-1], at(order[k-1]))
			}
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Fatalf("row %d is left out", i)
	}
	db := open(t)
	if err := db.InsertLosses(t.Context(), "t", &l); err != nil {
		t.Fatal(err)
	}
	const query = "SELECT count(), sum(run_id = 'run3'), uniqExact(step), countIf(toFloat64(loss) = step AND correct = (step % 2 = 0) AND model = concat('m', toString(step % 300)) AND lineage = toString(step % 2)) FROM losses"
	runs := 0
	for _, r := range l.RunID {
		if r == "run3" {
			runs++
		}
	}
	if got, want := ask(t, db, query), fmt.Sprintf("(5000,%d,5000,5000)", runs); got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

func TestLossStorage(t *testing.T) {
	db := open(t)
	engine := func() string {
		return ask(t, db, "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'losses'")
	}
	for _, test := range []struct {
		days int
		want string
	}{{30, "TTL arrived + toIntervalDay(30)"}, {7, "TTL arrived + toIntervalDay(7)"}, {0, ""}} {
		db.cfg.Losses = LossStorage{KeepDays: test.days}
		for range 2 {
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := engine(); !strings.Contains(got, test.want) || test.want == "" && strings.Contains(got, "TTL") {
			t.Errorf("%d days: %s", test.days, got)
		}
	}
	insertStory(t, db, "", func(l *schemas.Losses) { story(l, "run", 1, 0, "", 0, "wcwc") })
	if err := db.exec(t.Context(), "age", "ALTER TABLE losses UPDATE arrived = now() - INTERVAL 8 DAY WHERE epoch < 2 SETTINGS mutations_sync = 2"); err != nil {
		t.Fatal(err)
	}
	db.cfg.Losses = LossStorage{KeepDays: 7}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.exec(t.Context(), "merge", "OPTIMIZE TABLE losses FINAL"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, db, "SELECT count(), min(epoch) FROM losses"); got != "(2,2)" {
		t.Errorf("rows and first epoch %s, want those that arrived within 7 days", got)
	}
	db.cfg.Losses = LossStorage{StoragePolicy: "tiers"}
	if err := db.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "clickhouse.losses.storage_policy") {
		t.Errorf("a policy that the server does not have: %v", err)
	}
	for _, bad := range []LossStorage{{KeepDays: -1}, {ColdVolume: "cold"}, {ColdVolume: "cold", ColdAfterDays: 9, KeepDays: 9}, {StoragePolicy: "a'b"}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestUnknownSamples(t *testing.T) {
	db := open(t)
	if err := db.exec(t.Context(), "insert", fmt.Sprintf("INSERT INTO samples (dataset, sample_id, position) SELECT 'd', unhex('%s'), 1", sampleID(1))); err != nil {
		t.Fatal(err)
	}
	ids := make([]schemas.SampleID, idsPerQuery+10)
	for i := range ids {
		ids[i] = sampleID(i)
	}
	got, err := db.UnknownSamples(t.Context(), ids)
	if err != nil || len(got) != len(ids)-1 || slices.Contains(got, sampleID(1)) || got[0] != ids[0] {
		t.Errorf("%d unknown of %d, %v", len(got), len(ids), err)
	}
}

// Package scores tests that the view scores in ClickHouse says what stages/analysis/score defines.
package scores

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"gleaner/connectors/clickhouse"
	"gleaner/connectors/engine"
	"gleaner/schemas"
	"gleaner/stages/analysis/score"
)

func TestMain(m *testing.M) {
	engine.ClickHouseChild()
	os.Exit(m.Run())
}

// open starts an engine and opens a migrated database in it.
func open(t *testing.T) *clickhouse.DB {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg := engine.DefaultClickHouseConfig()
	cfg.Dir = t.TempDir()
	e, err := engine.NewClickHouse(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-e.Ready():
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	server := clickhouse.DefaultConfig()
	server.Addrs = []string{e.Addr()}
	db, err := clickhouse.Open(t.Context(), server, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// story is a run as it reaches the database: attempts that resume where they like, rows in any order, doubled, late, with holes
// and with values that are no numbers.
type story struct {
	r       *rand.Rand
	run     string
	samples int
	epochs  uint32
	// where the attempts begin and end, the first at 0
	begin, end []uint32
}

// row is what an attempt says of an object in an epoch: always the same. A few presentations are left out.
func (s *story) row(attempt, sample int, epoch uint32) (schemas.LossRow, bool) {
	h := fnv.New64a()
	fmt.Fprint(h, s.run, attempt, sample, epoch)
	r := rand.New(rand.NewPCG(h.Sum64(), 7))
	margin := float64(sample%5) - 3 + 4*float64(epoch)/float64(s.epochs) + 2*r.NormFloat64()
	if sample%7 == 3 { // an edge case: the loss rises
		margin = 4 - 5*float64(epoch)/float64(s.epochs) + 0.3*r.NormFloat64()
	}
	p := 1 / (1 + math.Exp(-margin))
	row := schemas.LossRow{
		RunID: s.run, Attempt: uint32(attempt + 1), Model: "m@1", Dataset: "street", SampleID: schemas.NewSampleID("street", fmt.Sprint(sample), schemas.Hash{}), ObjectID: []string{"", "o1", "o'\\"}[sample%3],
		Epoch: epoch, Step: uint64(epoch)*1000 + uint64(sample), Loss: float32(-math.Log(p)), Correct: margin > 0, Margin: float32(margin), PTrue: float32(p),
		EL2N: float32(math.Sqrt2 * (1 - p)), EmbNorm: float32(r.IntN(4)), Lineage: []string{"", "t@1 coco@2017:dog=dog"}[sample/3%2],
	}
	switch r.IntN(30) {
	case 0:
		row.Loss = float32(math.NaN())
	case 1:
		row.Loss, row.PTrue = float32(math.Inf(1)), 0
	case 2:
		row.Margin, row.PTrue, row.EL2N = float32(math.NaN()), float32(math.NaN()), float32(math.NaN())
	}
	return row, sample%4 != 1 || r.IntN(3) > 0
}

// batches deals the rows of all attempts out to inserts: mostly in order, some late, some twice.
func (s *story) batches(n int) []schemas.Losses {
	out := make([]schemas.Losses, n)
	total := 0
	for a := range s.begin {
		total += int(s.end[a] - s.begin[a])
	}
	at := 0
	for a := range s.begin {
		for epoch := s.begin[a]; epoch < s.end[a]; epoch++ {
			for _, sample := range s.r.Perm(s.samples) {
				row, ok := s.row(a, sample, epoch)
				if !ok {
					continue
				}
				home := at * n / total
				if s.r.IntN(10) == 0 {
					home = s.r.IntN(n)
				}
				out[home].Append(row)
				if s.r.IntN(10) == 0 {
					out[s.r.IntN(n)].Append(row)
				}
			}
			at++
		}
	}
	return out
}

// TestScoresAreTheDefinitions holds the view against the Go definitions on the curves that stand, after every fold of runs that come
// in pieces.
func TestScoresAreTheDefinitions(t *testing.T) {
	db := open(t)
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := &story{r: r, run: fmt.Sprint("run '", seed), samples: 30, epochs: 40 + uint32(r.IntN(60))}
		s.begin, s.end = []uint32{0}, []uint32{s.epochs}
		for range seed { // as many times resumed
			crashed := 1 + uint32(r.IntN(int(s.epochs)))
			s.end[len(s.end)-1] = min(s.epochs, crashed)
			s.begin, s.end = append(s.begin, uint32(r.IntN(int(crashed)))), append(s.end, s.epochs)
		}
		for i, batch := range s.batches(12) {
			if err := db.InsertLosses(t.Context(), "", &batch); err != nil {
				t.Fatal(err)
			}
			if r.IntN(3) == 0 {
				continue // of the next fold
			}
			fold(t, db)
			compare(t, db, s.run, fmt.Sprintf("seed %d, after batch %d", seed, i))
		}
		fold(t, db)
		compare(t, db, s.run, fmt.Sprintf("seed %d, at the end", seed))
		if err := db.RebuildBlocks(t.Context(), s.run); err != nil {
			t.Fatal(err)
		}
		compare(t, db, s.run, fmt.Sprintf("seed %d, rebuilt", seed))
	}
}

func fold(t *testing.T, db *clickhouse.DB) {
	t.Helper()
	if _, err := db.FoldLosses(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// compare fails where the view differs from the definitions, or has other objects.
func compare(t *testing.T, db *clickhouse.DB, run, when string) {
	t.Helper()
	rows, err := db.Scores(t.Context(), run, clickhouse.ScoreQuery{By: "aum"})
	if err != nil {
		t.Fatal(err)
	}
	view := map[string]clickhouse.Score{}
	for _, row := range rows {
		view[row.Sample+row.ObjectID] = row
	}
	var all []score.Member
	var keys []string
	for c, err := range db.Curves(t.Context(), run) {
		if err != nil {
			t.Fatal(err)
		}
		key := c.SampleID.String() + c.ObjectID
		keys = append(keys, key)
		all = append(all, score.Member{Class: view[key].Class, Scores: score.Of(score.DefaultConfig(), c)})
	}
	if len(view) != len(rows) || len(all) != len(rows) {
		t.Fatalf("%s: the view has %d rows of %d objects, there are %d curves", when, len(rows), len(view), len(all))
	}
	verdicts := score.Judge(all)
	for i, m := range all {
		got, want, v := view[keys[i]], m.Scores, verdicts[i]
		first := "never"
		if got.FirstLearned != nil {
			first = fmt.Sprint(*got.FirstLearned)
		}
		have := fmt.Sprint(got.Presentations, got.NotFinite, got.ForgettingEvents, got.Forgetting, first, got.NeverLearned, got.Unforgettable, got.Kind)
		wanted := "never"
		if want.Learned {
			wanted = fmt.Sprint(want.FirstLearned)
		}
		wanted = fmt.Sprint(want.Presentations, want.NotFinite, want.Events, want.Rank(), wanted, !want.Learned, want.Unforgettable(), v.Kind)
		if have != wanted {
			t.Errorf("%s: %s: %s, want %s", when, keys[i], have, wanted)
		}
		for name, pair := range map[string][2]float64{
			"confidence": {float64(got.Confidence), want.Confidence}, "variability": {float64(got.Variability), want.Variability},
			"correctness": {float64(got.Correctness), want.Correctness}, "aum": {float64(got.AUM), want.AUM}, "mean_loss": {float64(got.MeanLoss), want.MeanLoss},
			"el2n": {float64(got.EL2N), want.EL2N}, "grand": {float64(got.GraNd), want.GraNd}, "dyn_unc": {float64(got.DynUnc), want.DynUnc},
			"trend_slope": {float64(got.TrendSlope), want.Slope}, "trend_se": {float64(got.TrendSE), want.SE}, "trend_p": {float64(got.TrendP), want.P},
			"trend_q": {float64(got.TrendQ), v.Q}, "error_score": {float64(got.ErrorScore), v.Error}, "class_outlier": {float64(got.ClassOutlier), v.Outlier},
		} {
			if a, b := pair[0], pair[1]; math.IsNaN(a) != math.IsNaN(b) || math.Abs(a-b) > 1e-6*max(1, math.Abs(b)) {
				t.Errorf("%s: %s: %s is %v, want %v", when, keys[i], name, a, b)
			}
		}
	}
}

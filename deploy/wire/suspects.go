package wire

import (
	"context"
	"log/slog"
	"time"

	"gleaner/connectors/clickhouse"
	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
)

// scoreStore has the scores of training runs.
type scoreStore interface {
	// Run is, with an empty id, the run of a dataset that finished last.
	Run(ctx context.Context, dataset, runID string) (schemas.Run, bool, error)
	// Folded is when its scores last changed.
	Folded(ctx context.Context, runID string) (time.Time, error)
	Scores(ctx context.Context, runID string, q clickhouse.ScoreQuery) ([]clickhouse.Score, error)
}

const (
	mostSuspects = 100_000 // of a dataset are kept, some 300 bytes each
	// suspectsAnew is how often it is looked for a new run, at least.
	suspectsAnew = time.Hour
	// suspectsShare is the most of one core that it takes, here and at the server, unless suspectsAnew is too short for that.
	suspectsShare = 0.02
)

// suspects are the labels that look wrong by the losses of the run that finished last, of the datasets that were asked for. A run's
// scores are of its objects among each other, so that one label's cost as much as those of all: they are read once, and again when they
// have changed. It is safe for concurrent use.
type suspects struct {
	perDataset[suspected]
	from scoreStore
}

// suspected is what one run says.
type suspected struct {
	run     string
	attempt uint32
	folded  time.Time // by the server's clock
	read    time.Time // by ours
	labels  map[schemas.SampleID][]evidence.Losses
}

// newSuspects knows nothing yet; count is called with every failure to read.
func newSuspects(from scoreStore, log *slog.Logger, count func()) *suspects {
	s := &suspects{from: from}
	s.read, s.every, s.anew, s.share = s.learn, learnEvery, suspectsAnew, suspectsShare
	s.failed = func(dataset string, err error) {
		count()
		log.Warn("what training runs say of labels stays as it was known: scores cannot be read", "dataset", dataset, "error", err)
	}
	return s
}

// Losses implements lint.Losses: nothing when a dataset is asked for first, and seconds later what its last run says.
func (s *suspects) Losses(dataset string, sample schemas.SampleID) []evidence.Losses {
	return s.get(dataset).labels[sample]
}

func (s *suspects) learn(ctx context.Context, dataset string, known suspected) (suspected, error) {
	run, ok, err := s.from.Run(ctx, dataset, "")
	if err != nil || !ok {
		return suspected{}, err
	}
	now := suspected{run: run.RunID, attempt: run.Attempt, read: time.Now(), labels: map[schemas.SampleID][]evidence.Losses{}}
	if now.folded, err = s.from.Folded(ctx, run.RunID); err != nil {
		return suspected{}, err
	}
	if now.run == known.run && now.attempt == known.attempt && now.folded.Equal(known.folded) && now.read.Sub(known.read) < learnAnew {
		return known, nil
	}
	scores, err := s.from.Scores(ctx, run.RunID, clickhouse.ScoreQuery{By: "error_score", Kind: evidence.LabelError, Top: mostSuspects})
	if err != nil {
		return suspected{}, err
	}
	for _, c := range scores {
		id, err := schemas.ParseSampleID(c.Sample)
		if err != nil {
			return suspected{}, err
		}
		now.labels[id] = append(now.labels[id], evidence.Losses{
			RunID: c.RunID, ObjectID: c.ObjectID, Class: c.Class, Kind: c.Kind, Presentations: c.Presentations, AUM: float64(c.AUM), Outlier: float64(c.ClassOutlier),
			TrendQ: float64(c.TrendQ),
		})
	}
	return now, nil
}

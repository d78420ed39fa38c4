package wire

import (
	"context"
	"log/slog"
	"time"

	"gleaner/schemas"
	"gleaner/stages/lint/learned"
)

// judgmentStore counts what people made of findings.
type judgmentStore interface {
	// Judgments is how many rows there are.
	Judgments(ctx context.Context) (uint64, error)
	JudgmentCounts(ctx context.Context) ([]schemas.JudgmentCount, error)
}

// judgedLearner keeps a book up to the judgments in the store. It counts all of them when their number has changed, and once an hour,
// so that nothing is known of what was erased.
type judgedLearner struct {
	book *learned.Book
	from judgmentStore
	log  *slog.Logger

	rows uint64    // that the book was learned from
	last time.Time // when it was
}

func newJudgedLearner(from judgmentStore, log *slog.Logger) *judgedLearner {
	return &judgedLearner{book: new(learned.Book), from: from, log: log}
}

// judgedShare is the most of one core that following judgments takes here, and at the server, unless counting takes so long that
// nothing new would be learned for more than judgedAnew.
const (
	judgedShare = 0.05
	judgedAnew  = time.Minute
)

// run refreshes the book every few seconds, the less often the longer it takes, until ctx ends. While the store does not answer, what
// is known stays.
func (l *judgedLearner) run(ctx context.Context) {
	for {
		began := time.Now()
		if err := l.refresh(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("what was learned of findings stays as it is: judgments cannot be counted", "error", err)
		}
		pause := min(max(learnEvery, time.Duration(float64(time.Since(began))/judgedShare)), judgedAnew)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// refresh learns anew, where there is anything new.
func (l *judgedLearner) refresh(ctx context.Context) error {
	rows, err := l.from.Judgments(ctx)
	if err != nil || rows == l.rows && time.Since(l.last) < learnAnew {
		return err
	}
	began := time.Now()
	counts, err := l.from.JudgmentCounts(ctx)
	if err != nil {
		return err
	}
	l.book.Learn(counts)
	l.rows, l.last = rows, began
	return nil
}

// LearnedOfFindings returns what people's judgments of the findings in a dataset say now.
func (c *Connections) LearnedOfFindings(ctx context.Context, dataset string) ([]learned.Type, error) {
	l := newJudgedLearner(c.DB, c.Log)
	err := l.refresh(ctx)
	return l.book.Known(dataset), err
}

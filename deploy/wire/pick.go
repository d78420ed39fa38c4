package wire

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages"
	"gleaner/stages/analysis/coreset"
)

// Kinds of selections that picking makes.
const (
	kindPicked    = "picked" // coreset is what the rules of a dataset pick
	kindUnlabeled = "unlabeled"
)

// PickQuery says what to pick, of what, and by what.
type PickQuery struct {
	coreset.Query
	Dataset   string            `json:"dataset"`
	Version   string            `json:"version,omitempty"` // dataset@version; empty: of the labels as they stand
	Unlabeled bool              `json:"unlabeled,omitempty"`
	Split     schemas.Split     `json:"split,omitempty"` // empty: of all
	Slices    map[string]string `json:"slices,omitempty"`
	Run       string            `json:"run,omitempty"`   // whose scores count
	By        string            `json:"by,omitempty"`    // a column of the views of scores
	Model     string            `json:"model,omitempty"` // NAME or NAME@VERSION, whose embeddings count; empty: the one that wrote last
	Layer     string            `json:"layer,omitempty"` // of the model; found, not asked for
	Attempt   uint32            `json:"attempt,omitempty"`
	Pool      schemas.Hash      `json:"pool"` // digest of the sample ids that were picked from
	Seed      int64             `json:"seed"`
}

// id is the same for the same picks in answer to the same question about the same samples.
func (q PickQuery) id(kind string, picks []schemas.Pick) (string, error) {
	text, err := schemas.CanonicalJSON(q)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return schemas.SelectionID(picks, q.Dataset, kind, hex.EncodeToString(sum[:16])), nil
}

// Covering is how well a method's picks stand for the pool.
type Covering struct {
	Method   string   `json:"method"`
	Picks    int      `json:"picks"`
	Bytes    int64    `json:"bytes"`
	Classes  int      `json:"classes"`            // that have a pick
	Coverage *float64 `json:"coverage,omitempty"` // mean cosine of a sample with the pick most like it, [0,1]; nil: samples lack embeddings
}

// Picked is what a query picked.
type Picked struct {
	Selection schemas.Selection `json:"selection"`
	Query     PickQuery         `json:"query"`
	Samples   int               `json:"samples"`  // that were picked from
	Classes   int               `json:"classes"`  // of these
	Unscored  int               `json:"unscored"` // of these, whom methods by scores pass over
	LeftOut   map[string]int    `json:"left_out"` // samples that were not picked from, by why
	Compared  []Covering        `json:"compared"` // the method's picks, then random ones, and random ones balanced by class
}

// Pick picks, and unless dry, registers the version that it makes of the labels and writes the selection to the database and to the
// selections topic, the picks to the blob store where they are too many for it. The same query of the same samples, whose scores are the
// same, gives the same id and picks. Losses that came are folded into scores first, in any case. show may be nil.
func (c *Connections) Pick(ctx context.Context, q PickQuery, dry bool, show func(done, total int, what string)) (Picked, error) {
	if err := q.Validate(); err != nil {
		return Picked{}, err
	}
	pool, err := c.pool(ctx, &q, dry)
	if err != nil {
		return Picked{}, fmt.Errorf("pick from %s: %w", q.Dataset, err)
	}
	kind := kindPicked
	if q.Unlabeled {
		kind = kindUnlabeled
	}
	p := Picked{Query: q, Samples: len(pool.IDs), Classes: len(pool.Names), LeftOut: pool.leftOut, Unscored: pool.unscored()}
	work := coreset.Work{Seed: q.Seed, Progress: show}
	picks, err := coreset.Pick(ctx, &pool.Pool, q.Query, work)
	if err != nil {
		return p, err
	}
	erased, err := stages.Tombstones(ctx, c.Blobs)
	if err != nil {
		return p, err
	}
	picks = slices.DeleteFunc(picks, func(choice coreset.Choice) bool { return erased[pool.IDs[choice.Sample]] })
	p.Selection = schemas.Selection{
		Dataset: q.Dataset, DatasetVersion: q.Version, Kind: kind, Method: q.Method, RunID: q.Run, Seed: q.Seed,
		At: time.Now().UTC().Truncate(time.Microsecond), Picks: make([]schemas.Pick, len(picks)),
	}
	for i, choice := range picks {
		reason := fmt.Sprintf("pick %d of %d by %s", i+1, len(picks), q.Method)
		if choice.Kept {
			reason = "to be kept in any case"
		}
		p.Selection.Picks[i] = schemas.Pick{SampleID: pool.IDs[choice.Sample], Score: choice.Score, Weight: choice.Weight, Reason: reason}
	}
	if p.Selection.ID, err = q.id(kind, p.Selection.Picks); err != nil {
		return p, err
	}
	if err := p.compare(ctx, pool, picks, work); err != nil {
		return p, err
	}
	if dry {
		return p, nil
	}
	return p, c.PutSelection(ctx, p.Selection)
}

// compare measures the picks beside random ones of the same budget.
func (p *Picked) compare(ctx context.Context, pool *pool, picks []coreset.Choice, work coreset.Work) error {
	methods := []string{coreset.Random}
	if pool.Classes != nil {
		methods = append(methods, coreset.Balanced)
	}
	if err := p.cover(ctx, pool, p.Query.Method, picks, work); err != nil {
		return err
	}
	for _, m := range methods {
		if m == p.Query.Method {
			continue
		}
		q := p.Query.Query
		if q.Method = m; m == coreset.Balanced {
			q.PerClass = ""
		}
		others, err := coreset.Pick(ctx, &pool.Pool, q, work)
		if err != nil {
			return err
		}
		if err := p.cover(ctx, pool, m, others, work); err != nil {
			return err
		}
	}
	return nil
}

func (p *Picked) cover(ctx context.Context, pool *pool, method string, picks []coreset.Choice, work coreset.Work) error {
	c := Covering{Method: method, Picks: len(picks)}
	classes := map[int]bool{}
	for _, choice := range picks {
		c.Bytes += pool.Bytes[choice.Sample]
		if pool.Classes != nil {
			classes[pool.Classes[choice.Sample]] = true
		}
	}
	c.Classes = len(classes)
	if pool.Vectors != nil {
		coverage, err := coreset.Coverage(ctx, &pool.Pool, picks, work)
		if err != nil {
			return err
		}
		c.Coverage = &coverage
	}
	p.Compared = append(p.Compared, c)
	return nil
}

// PutSelection writes a selection to the database and then to its topic, so that whoever hears of it finds its picks. Those that are too
// many for the topic go to the blob store. Writing it again replaces it.
func (c *Connections) PutSelection(ctx context.Context, s schemas.Selection) error {
	if err := c.DB.PutSelection(ctx, s); err != nil {
		return err
	}
	e, err := stages.EmitSelection(ctx, c.Blobs, s)
	if err != nil {
		return err
	}
	if err := c.Kafka.Append(ctx, e.Record); err != nil {
		return fmt.Errorf("selection %s: %w", s.ID, err)
	}
	return nil
}

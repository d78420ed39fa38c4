package clickhouse

import (
	"context"
	"fmt"

	"gleaner/schemas"
)

// InsertLosses adds a table of loss rows. token names the batch (topic, partition and offsets): the same token and
// rows are inserted once while the server lives, also when the call is repeated; doubles beyond that fold. It blocks until the rows
// are readable. Tables of 50,000 rows and more are cheapest: each call makes the server a part.
func (db *DB) InsertLosses(ctx context.Context, token string, l *schemas.Losses) error {
	n := l.Len()
	for name, got := range map[string]int{
		"attempt": len(l.Attempt), "model": len(l.Model), "dataset": len(l.Dataset), "sample_id": len(l.SampleID),
		"object_id": len(l.ObjectID), "epoch": len(l.Epoch), "step": len(l.Step), "loss": len(l.Loss), "correct": len(l.Correct),
		"margin": len(l.Margin), "p_true": len(l.PTrue), "el2n": len(l.EL2N), "emb_norm": len(l.EmbNorm), "forgot": len(l.Forgot), "lineage": len(l.Lineage),
	} {
		if got != n {
			return fmt.Errorf("clickhouse: losses: column %s has %d rows, run_id has %d", name, got, n)
		}
	}
	if n == 0 {
		return nil
	}
	return db.insert(ctx, "losses", batchToken(token, l.SampleID), []column{
		{"run_id", l.RunID},
		{"attempt", l.Attempt},
		{"model", l.Model},
		{"dataset", l.Dataset},
		{"sample_id", idBytes(l.SampleID)},
		{"object_id", l.ObjectID},
		{"epoch", l.Epoch},
		{"step", l.Step},
		{"loss", l.Loss},
		{"correct", l.Correct},
		{"margin", l.Margin},
		{"p_true", l.PTrue},
		{"el2n", l.EL2N},
		{"emb_norm", l.EmbNorm},
		{"forgot", l.Forgot},
		{"lineage", l.Lineage},
	})
}

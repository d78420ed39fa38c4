package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"time"

	"gleaner/schemas"
)

// lossRowsPerMessage keeps a message near half a megabyte.
const lossRowsPerMessage = 8192

// PushLosses writes tables of losses to the losses topic, each run's rows in order, and then says of every run that it has
// finished, unless open. blind counts the rows without a margin, which no doubt can rest on. progress is called with the rows of every write and may be nil.
func (c *Connections) PushLosses(ctx context.Context, tables iter.Seq2[schemas.Losses, error], open bool, progress func(rows int)) (runs []schemas.Run, blind uint64, err error) {
	sink := c.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	at := map[string]int{}
	parts := map[string]*schemas.Losses{}
	send := func(id string) error {
		part := parts[id]
		value, err := schemas.EncodeLosses(part)
		if err != nil {
			return err
		}
		n := part.Len()
		parts[id] = &schemas.Losses{}
		if err := sink.Write(ctx, []schemas.Record{{Topic: schemas.LossRows, Key: []byte(id), Value: value}}); err != nil {
			return err
		}
		if progress != nil {
			progress(n)
		}
		return nil
	}
	for table, err := range tables {
		if err != nil {
			return nil, blind, err
		}
		for i := range table.Len() {
			id := table.RunID[i]
			k, ok := at[id]
			if !ok {
				k = len(runs)
				at[id], parts[id] = k, &schemas.Losses{}
				runs = append(runs, schemas.Run{RunID: id, Model: table.Model[i], Dataset: table.Dataset[i], Started: time.Now().UTC()})
			}
			runs[k].Rows++
			if math.IsNaN(float64(table.Margin[i])) {
				blind++
			}
			runs[k].Attempt = max(runs[k].Attempt, table.Attempt[i])
			runs[k].Epochs = max(runs[k].Epochs, table.Epoch[i]+1)
			row := table.Slice(i, i+1)
			parts[id].AppendTable(&row)
			if parts[id].Len() == lossRowsPerMessage {
				if err := send(id); err != nil {
					return nil, blind, fmt.Errorf("push losses: run %s: %w", id, err)
				}
			}
		}
	}
	for i := range runs {
		id := runs[i].RunID
		if parts[id].Len() > 0 {
			if err := send(id); err != nil {
				return nil, blind, fmt.Errorf("push losses: run %s: %w", id, err)
			}
		}
		if open {
			continue
		}
		runs[i].Finished = time.Now().UTC()
		value, err := json.Marshal(runs[i])
		if err != nil {
			return nil, blind, err
		}
		err = sink.Write(ctx, []schemas.Record{{
			Topic: schemas.LossRows, Key: []byte(id), Value: value,
			Headers: []schemas.Header{{Key: schemas.HeaderEvent, Value: []byte(schemas.EventRunFinished)}},
		}})
		if err != nil {
			return nil, blind, fmt.Errorf("push losses: end of run %s: %w", id, err)
		}
	}
	return runs, blind, nil
}

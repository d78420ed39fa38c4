package wire

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"gleaner/schemas"
)

// PushedLosses is what a push of losses came to.
type PushedLosses struct {
	Runs           []schemas.Run
	Blind          uint64 // rows without a margin, which no doubt can rest on
	UnknownRows    uint64 // rows of samples that the catalog does not have
	UnknownSamples uint64
}

// PushLosses writes tables of losses to the losses topic, each run's rows in order, and then says of every run that it has
// finished, unless open. Rows of unknown samples are written and counted: what they are of may still come. progress is called with
// the rows of every write and may be nil.
func (c *Connections) PushLosses(ctx context.Context, tables iter.Seq2[schemas.Losses, error], open bool, progress func(rows int)) (pushed PushedLosses, err error) {
	runs := []schemas.Run{}
	defer func() { pushed.Runs = runs }()
	known := map[schemas.SampleID]bool{}
	sink := c.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	at := map[string]int{}
	parts := map[string]*schemas.Losses{}
	send := func(id string) error {
		part := parts[id]
		records, err := schemas.LossRecords(id, part)
		if err != nil {
			return err
		}
		n := part.Len()
		parts[id] = &schemas.Losses{}
		if err := sink.Write(ctx, records); err != nil {
			return err
		}
		if progress != nil {
			progress(n)
		}
		return nil
	}
	for table, err := range tables {
		if err != nil {
			return pushed, err
		}
		if err := c.lookUp(ctx, table.SampleID, known, &pushed); err != nil {
			return pushed, err
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
				pushed.Blind++
			}
			runs[k].Attempt = max(runs[k].Attempt, table.Attempt[i])
			runs[k].Epochs = max(runs[k].Epochs, table.Epoch[i]+1)
			row := table.Slice(i, i+1)
			parts[id].AppendTable(&row)
			if parts[id].Len() == schemas.LossRowsPerMessage {
				if err := send(id); err != nil {
					return pushed, fmt.Errorf("push losses: run %s: %w", id, err)
				}
			}
		}
	}
	for i := range runs {
		id := runs[i].RunID
		if parts[id].Len() > 0 {
			if err := send(id); err != nil {
				return pushed, fmt.Errorf("push losses: run %s: %w", id, err)
			}
		}
		if open {
			continue
		}
		runs[i].Finished = time.Now().UTC()
		end, err := schemas.RunFinishedRecord(runs[i])
		if err != nil {
			return pushed, err
		}
		err = sink.Write(ctx, []schemas.Record{end})
		if err != nil {
			return pushed, fmt.Errorf("push losses: end of run %s: %w", id, err)
		}
	}
	return pushed, nil
}

// lookUp counts the rows of samples that the catalog does not have; known remembers what it said of each.
func (c *Connections) lookUp(ctx context.Context, ids []schemas.SampleID, known map[schemas.SampleID]bool, pushed *PushedLosses) error {
	var ask []schemas.SampleID
	for _, id := range ids {
		if _, asked := known[id]; !asked {
			known[id] = true
			ask = append(ask, id)
		}
	}
	unknown, err := c.DB.UnknownSamples(ctx, ask)
	if err != nil {
		return fmt.Errorf("push losses: %w", err)
	}
	for _, id := range unknown {
		known[id] = false
	}
	pushed.UnknownSamples += uint64(len(unknown))
	for _, id := range ids {
		if !known[id] {
			pushed.UnknownRows++
		}
	}
	return nil
}

package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gleaner/connectors/kafka"
	"gleaner/schemas"
	"gleaner/trainers/boxes"
)

// FollowProbe follows the labels topic and trains a probe whenever labels of the dataset have come and then none for as
// long as quiet, which must outlast the catalog's lag, since training reads the labels there. Labels are acknowledged after
// the run that saw them, so an interrupted run begins again. trained is called after every run, also with why there could
// be none yet. It blocks until ctx ends.
func (c *Connections) FollowProbe(ctx context.Context, name string, quiet time.Duration, progress func(done, total int, what string), trained func(schemas.Run, error)) error {
	source, err := c.Kafka.Source(kafka.SourceConfig{Group: "gleaner-probe-" + name, Topic: schemas.Labels})
	if err != nil {
		return err
	}
	defer source.Close(context.WithoutCancel(ctx))
	type read struct {
		schemas.Delivery
		err error
	}
	reads := make(chan read)
	go func() {
		for {
			d, err := source.Read(ctx)
			select {
			case reads <- read{d, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	var acks []func() // of what was read since the last run; the labels themselves are read from the catalog
	fresh := false
	silence := time.NewTimer(quiet)
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-reads:
			if errors.Is(r.err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			if r.err != nil {
				return fmt.Errorf("follow labels: %w", r.err)
			}
			ack := r.Ack // without the records
			for i, rec := range r.Records {
				dataset, _ := rec.Header(schemas.HeaderDataset)
				fresh = fresh || dataset == name
				acks = append(acks, func() { ack(i) })
			}
		case <-silence.C:
			if fresh {
				run, err := c.TrainProbe(ctx, name, progress)
				if err != nil && !errors.Is(err, ErrNoLabels) && !errors.Is(err, boxes.ErrTooFew) {
					return err
				}
				trained(run, err)
			}
			for _, ack := range acks {
				ack()
			}
			acks, fresh = nil, false
		}
		silence.Reset(quiet)
	}
}

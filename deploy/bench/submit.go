package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"gleaner/deploy/bench/meter"

	"gleaner/connectors/web"
	"gleaner/deploy/bench/report"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

const (
	submitPhotos = 64 // that the model labels first, for what lint sees
	submitTasks  = 400
	submitEvery  = 50 * time.Millisecond // a submission is due
	submitBoxes  = 50
)

// crowd is what a person submits for a task, with the task's body.
type crowd struct {
	body schemas.BlobRef
	work schemas.Annotation
}

// submit measures a person's submission over HTTP at a warm desk: it is answered with what lint doubts, and counts when it comes
// again with an override for each finding. Beside it one that counts without lint.
func (b *bench) submit(ctx context.Context, out io.Writer) error {
	crowds, err := b.crowds(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### A submission\n\n%d boxes on a photo, of what yolox_nano proposes there; one submission was due every %d ms, %d in all. Over HTTP, until "+
		"it was answered; processor time of the whole process, with the client, by request.\n\n| | requests | p50 | p99 | largest | processor time |\n|---|---|---|---|---|---|\n", submitBoxes, submitEvery.Milliseconds(), submitTasks)
	row := func(name string, took []time.Duration, used time.Duration) {
		if len(took) > 0 {
			fmt.Fprintf(out, "| %s | %d | %.1f ms | %.1f ms | %.1f ms | %.1f ms |\n", name, len(took), report.Millis(report.Median(took)),
				report.Millis(report.Quantile(took, .99)), report.Millis(report.Quantile(took, 1)), report.Millis(used))
		}
	}
	asked, counted, used, err := b.submissions(ctx, crowds, "bench-asked", web.DefaultConfig().AskFrom)
	if err != nil {
		return err
	}
	row("answered with lint's findings", asked, used)
	row("counts, lint having nothing more to say", counted, used)
	if _, counted, used, err = b.submissions(ctx, crowds, "bench-unasked", 2); err != nil {
		return err
	}
	row("counts, without lint", counted, used)
	return nil
}

// crowds lets the whole flow label photos first, and makes of each task's proposals what is submitted.
func (b *bench) crowds(ctx context.Context) ([]crowd, error) {
	photos, err := b.readPhotos()
	if err != nil {
		return nil, err
	}
	s, stop, err := b.start(ctx, wire.AllSteps())
	if err != nil {
		return nil, err
	}
	defer stop()
	if _, err := b.pass(ctx, s, "submit", photos[:min(submitPhotos, len(photos))]); err != nil {
		return nil, err
	}
	var list struct{ Tasks []schemas.Task }
	if _, err := call(ctx, http.MethodGet, s.Web()+"/api/tasks?queue=submit&limit=1000", nil, &list); err != nil {
		return nil, err
	}
	var out []crowd
	for _, t := range list.Tasks {
		data, err := b.conn.Blobs.Get(ctx, t.Body.Key)
		if err != nil {
			return nil, err
		}
		sample, err := schemas.DecodeSample(data)
		if err != nil {
			return nil, err
		}
		if len(sample.Proposals) > 0 {
			out = append(out, crowd{t.Body, crowded(&sample)})
		}
	}
	return out, nil
}

// crowded labels a sample with its proposals, and where these are few with copies of them, set apart.
func crowded(s *schemas.Sample) (work schemas.Annotation) {
	for i := range submitBoxes {
		p := s.Proposals[i%len(s.Proposals)]
		shift := float32(i / len(s.Proposals) * 7)
		box := geometry.Box{X1: p.Box.X1 + shift, Y1: p.Box.Y1, X2: p.Box.X2 + shift, Y2: p.Box.Y2}.Clip(s.Image.W, s.Image.H)
		if box.Empty() {
			box = p.Box.Clip(s.Image.W, s.Image.H)
		}
		work.Objects = append(work.Objects, schemas.Object{ID: fmt.Sprint("h", i+1), Class: p.Class, Box: box})
	}
	return work
}

// submissions claims tasks of a queue of their own and submits them at a fixed rate. asked are the times of answers with findings,
// counted those of submissions that took effect; used is the mean processor time of all of them.
func (b *bench) submissions(ctx context.Context, crowds []crowd, queue string, askFrom float32) (asked, counted []time.Duration, used time.Duration, err error) {
	if err := createFor(ctx, b.conn, queue, crowds); err != nil {
		return nil, nil, 0, err
	}
	b.conn.Config.Web.AskFrom = askFrom
	s, stop, err := b.start(ctx, []string{wire.DeskStep})
	if err != nil {
		return nil, nil, 0, err
	}
	defer stop()
	for s.Web() == "" || s.Queue(queue).Open < submitTasks {
		time.Sleep(20 * time.Millisecond)
	}
	tasks := make([]schemas.Task, submitTasks)
	for i := range tasks {
		var view struct{ Task schemas.Task }
		if _, err := call(ctx, http.MethodPost, s.Web()+"/api/tasks/claim", map[string]string{"queue": queue}, &view); err != nil {
			return nil, nil, 0, err
		}
		tasks[i] = view.Task
	}
	works := map[string]schemas.Annotation{}
	for _, c := range crowds {
		works[c.body.Key] = c.work
	}
	var mu sync.Mutex
	errs := make([]error, len(tasks))
	var group sync.WaitGroup
	from, start := meter.Read(), time.Now()
	for i, t := range tasks {
		time.Sleep(time.Until(start.Add(time.Duration(i) * submitEvery)))
		group.Go(func() {
			work := works[t.Body.Key]
			for errs[i] == nil {
				var answer struct{ Findings []schemas.Finding }
				began := time.Now()
				status, err := call(ctx, http.MethodPost, s.Web()+"/api/tasks/"+t.ID+"/submit", map[string]any{"version": t.Version, "annotation": work}, &answer)
				took := time.Since(began)
				mu.Lock()
				switch {
				case err != nil:
					errs[i] = err
				case status == http.StatusOK:
					counted = append(counted, took)
				case len(answer.Findings) == 0:
					errs[i] = fmt.Errorf("task %s: the submission was refused, and not for what lint doubts", t.ID)
				default:
					asked = append(asked, took)
				}
				mu.Unlock()
				if status == http.StatusOK {
					return
				}
				for _, f := range answer.Findings {
					work.Overrides = append(work.Overrides, f.Settle("it is right"))
				}
			}
		})
	}
	group.Wait()
	used = from.Since().Own / time.Duration(max(len(asked)+len(counted), 1))
	return asked, counted, used, errors.Join(errs...)
}

// createFor opens tasks in a queue, with the crowds' bodies in turn.
func createFor(ctx context.Context, c *wire.Connections, queue string, crowds []crowd) error {
	records := make([]schemas.Record, submitTasks)
	for i := range records {
		id := schemas.NewSampleID(queue, string(binary.BigEndian.AppendUint64(nil, uint64(i))), schemas.Hash{})
		body, err := json.Marshal(schemas.CreateBody{
			SampleID: id, Dataset: queue, Task: "detect", Queue: queue, Reason: "bench", Body: crowds[i%len(crowds)].body,
		})
		if err != nil {
			return err
		}
		create := schemas.Command{ID: "create-" + id.String(), Actor: "bench", At: time.Now().UTC(), Kind: schemas.CommandCreate, Body: body}
		if records[i], err = create.Record(); err != nil {
			return err
		}
	}
	sink := c.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	return sink.Write(ctx, records)
}

// call is one request of the API; other answers than a success and one about the body are an error.
func call(ctx context.Context, method, url string, body, answer any) (status int, err error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(payload))
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-Actor", "bench")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if !slices.Contains([]int{http.StatusOK, http.StatusUnprocessableEntity}, response.StatusCode) {
		return response.StatusCode, fmt.Errorf("%s %s: %s: %s", method, url, response.Status, text)
	}
	return response.StatusCode, json.Unmarshal(text, answer)
}

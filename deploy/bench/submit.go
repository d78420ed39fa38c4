package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
	"gleaner/stages/lint/evidence"
)

const (
	submitPhotos = 64 // that the model labels first, for what lint sees
	submitTasks  = 400
	submitEvery  = 50 * time.Millisecond // a submission is due
	submitBoxes  = 50
	// submitLabeled are samples of the same dataset that have labels, beside near duplicates of the photos.
	submitLabeled = 20_000
	submitEpochs  = 8
	submitWarm    = time.Minute      // within which lint must have read what the database says
	submitSettle  = 15 * time.Second // for which ClickHouse merges what was written at once, as it is nowhere else
)

// crowd is what a person submits for a task, with the task's body.
type crowd struct {
	body   schemas.BlobRef
	sample schemas.Sample
	work   schemas.Annotation
	argued bool // a training run argues with the second box
}

// submitted is what became of submissions.
type submitted struct {
	asked, counted []time.Duration             // times of answers with findings, and of submissions that took effect
	with           map[schemas.FindingType]int // answers that have a finding of a type
	used           meter.Cost                  // of all of them
}

// submit measures a person's submission over HTTP at a warm desk: it is answered with what lint doubts, and counts when it comes
// again with an override for each finding. Beside it one that counts without lint.
func (b *bench) submit(ctx context.Context, out io.Writer) error {
	crowds, err := b.crowds(ctx)
	if err != nil {
		return err
	}
	if err := b.past(ctx, crowds); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n### A submission\n\n%d boxes on a photo, of what yolox_nano proposes there; one submission was due every %d ms, %d in all. Over HTTP, until "+
		"it was answered; processor time by request, of the process with the client and of ClickHouse. The photos have %d labeled near duplicates each, which lint asks ClickHouse for at every request, "+
		"among %d labeled samples; a training run that has finished argues with a label of every other photo. The aim is a p99 below 150 ms.\n\n"+
		"| | requests | p50 | p99 | largest | processor time | of ClickHouse |\n|---|---|---|---|---|---|---|\n", submitBoxes, submitEvery.Milliseconds(), submitTasks, evidence.MaxTwins, submitLabeled)
	row := func(name string, took []time.Duration, of submitted) {
		if n := float64(len(of.asked) + len(of.counted)); len(took) > 0 {
			fmt.Fprintf(out, "| %s | %d | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.1f ms |\n", name, len(took), report.Millis(report.Median(took)),
				report.Millis(report.Quantile(took, .99)), report.Millis(report.Quantile(took, 1)), report.Millis(of.used.Own)/n, report.Millis(of.used.Children)/n)
		}
	}
	asked, err := b.submissions(ctx, crowds, "bench-asked", web.DefaultConfig().AskFrom)
	if err != nil {
		return err
	}
	row("answered with lint's findings", asked.asked, asked)
	row("counts, lint having nothing more to say", asked.counted, asked)
	unasked, err := b.submissions(ctx, crowds, "bench-unasked", 2)
	if err != nil {
		return err
	}
	row("counts, without lint", unasked.counted, unasked)
	fmt.Fprintf(out, "\nOf the answers %d have a finding of near duplicates, and %d one of losses.\n", asked.with[schemas.FindingTwin], asked.with[schemas.FindingLoss])
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
			out = append(out, crowd{body: t.Body, sample: sample, work: crowded(&sample), argued: len(out)%2 == 0})
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

// past gives the crowds' dataset labels, among them those of near duplicates that lack the first box, and a run that has finished.
func (b *bench) past(ctx context.Context, crowds []crowd) error {
	var labels []schemas.Label
	var samples []schemas.Sample
	add := func(of *crowd, name string, group schemas.SampleID, phash uint64, objects []schemas.Object) {
		l := schemas.Label{
			SampleID: schemas.NewSampleID(of.sample.Dataset, name, schemas.Hash{}), Dataset: of.sample.Dataset, UniqueID: name, Task: "detect", Image: of.sample.Image,
			Group: group, Rank: schemas.RankHuman, Revision: 1, Objects: objects, Actor: "bench", At: time.Now().UTC(),
		}
		if group == (schemas.SampleID{}) {
			l.Group = l.SampleID
		}
		labels = append(labels, l)
		samples = append(samples, schemas.Sample{
			ID: l.SampleID, Dataset: l.Dataset, UniqueID: l.UniqueID, Task: l.Task, Image: l.Image, Group: l.Group, PHash: phash,
			Stage: schemas.StageSamples, Received: l.At,
		})
	}
	run := schemas.Run{RunID: "bench-submit", Attempt: 1, Model: "bench", Dataset: crowds[0].sample.Dataset, Epochs: submitEpochs, Started: time.Now().UTC()}
	var losses schemas.Losses
	for i := range crowds {
		c := &crowds[i]
		for k := range evidence.MaxTwins {
			add(c, fmt.Sprintf("%s-%d", c.sample.UniqueID, k), c.sample.Group, c.sample.PHash^1<<k, c.work.Objects[1:])
		}
		for k, o := range c.work.Objects {
			row := schemas.LossRow{
				RunID: run.RunID, Attempt: run.Attempt, Model: run.Model, Dataset: run.Dataset, SampleID: c.sample.ID, ObjectID: o.ID, Lineage: o.Class,
				Loss: 0.1, Correct: true, Margin: 4, PTrue: 0.9,
			}
			if c.argued && k == 1 {
				row.Loss, row.Correct, row.Margin, row.PTrue = 3, false, -3, 0.05
			}
			for row.Epoch = range submitEpochs {
				losses.Append(row)
			}
		}
	}
	for i := range submitLabeled {
		c := &crowds[i%len(crowds)]
		add(c, fmt.Sprintf("camera/%08d.jpg", i), schemas.SampleID{}, rand.Uint64(), c.work.Objects[:5])
	}
	for from := 0; from < len(labels); from += 1000 {
		to := min(from+1000, len(labels))
		if err := errors.Join(b.conn.DB.PutSamples(ctx, "", samples[from:to]), b.conn.DB.PutLabels(ctx, "", labels[from:to])); err != nil {
			return err
		}
	}
	if err := b.conn.DB.InsertLosses(ctx, run.RunID, &losses); err != nil {
		return err
	}
	if _, err := b.conn.DB.FoldLosses(ctx); err != nil {
		return err
	}
	run.Rows, run.Finished = uint64(losses.Len()), time.Now().UTC() //nolint:gosec // not below 0
	return b.conn.DB.PutRun(ctx, run)
}

// submissions claims tasks of a queue of their own and submits them at a fixed rate.
func (b *bench) submissions(ctx context.Context, crowds []crowd, queue string, askFrom float32) (out submitted, err error) {
	if err := createFor(ctx, b.conn, queue, crowds); err != nil {
		return out, err
	}
	b.conn.Config.Web.AskFrom = askFrom
	s, stop, err := b.start(ctx, []string{wire.DeskStep})
	if err != nil {
		return out, err
	}
	defer stop()
	for s.Web() == "" || s.Queue(queue).Open < submitTasks {
		time.Sleep(20 * time.Millisecond)
	}
	tasks := make([]schemas.Task, submitTasks)
	for i := range tasks {
		var view struct{ Task schemas.Task }
		if _, err := call(ctx, http.MethodPost, s.Web()+"/api/tasks/claim", map[string]string{"queue": queue}, &view); err != nil {
			return out, err
		}
		tasks[i] = view.Task
	}
	of := map[string]crowd{}
	for _, c := range crowds {
		of[c.body.Key] = c
	}
	put := func(t schemas.Task, work schemas.Annotation) (found []schemas.Finding, counts bool, err error) {
		var answer struct{ Findings []schemas.Finding }
		status, err := call(ctx, http.MethodPost, s.Web()+"/api/tasks/"+t.ID+"/submit", map[string]any{"version": t.Version, "annotation": work}, &answer)
		counts = status == http.StatusOK
		if err == nil && !counts && len(answer.Findings) == 0 {
			err = fmt.Errorf("task %s: the submission was refused, and not for what lint doubts", t.ID)
		}
		return answer.Findings, counts, err
	}
	if askFrom <= 1 {
		if err := warm(func() ([]schemas.Finding, error) {
			t := tasks[slices.IndexFunc(tasks, func(t schemas.Task) bool { return of[t.Body.Key].argued })]
			found, _, err := put(t, of[t.Body.Key].work)
			return found, err
		}); err != nil {
			return out, err
		}
		time.Sleep(submitSettle)
	}
	out.with = map[schemas.FindingType]int{}
	var mu sync.Mutex
	errs := make([]error, len(tasks))
	var group sync.WaitGroup
	from, start := meter.Read(), time.Now()
	for i, t := range tasks {
		time.Sleep(time.Until(start.Add(time.Duration(i) * submitEvery)))
		group.Go(func() {
			work := of[t.Body.Key].work
			for counts := false; !counts && errs[i] == nil; {
				var found []schemas.Finding
				began := time.Now()
				found, counts, errs[i] = put(t, work)
				took := time.Since(began)
				mu.Lock()
				switch {
				case errs[i] != nil:
				case counts:
					out.counted = append(out.counted, took)
				default:
					out.asked = append(out.asked, took)
					for _, of := range []schemas.FindingType{schemas.FindingTwin, schemas.FindingLoss} {
						if has(found, of) {
							out.with[of]++
						}
					}
				}
				mu.Unlock()
				for _, f := range found {
					work.Overrides = append(work.Overrides, f.Settle("it is right"))
				}
			}
		})
	}
	group.Wait()
	out.used = from.Since()
	return out, errors.Join(errs...)
}

// warm submits until the answer holds what the database says, which lint has seconds after it was first asked about a dataset.
func warm(put func() ([]schemas.Finding, error)) error {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		found, err := put()
		if err != nil || has(found, schemas.FindingTwin) && has(found, schemas.FindingLoss) {
			return err
		}
		if time.Since(began) > submitWarm {
			return fmt.Errorf("lint does not find what near duplicates and losses say: %+v", found)
		}
	}
}

func has(found []schemas.Finding, t schemas.FindingType) bool {
	return slices.ContainsFunc(found, func(f schemas.Finding) bool { return f.Type == t })
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

// Package demo runs the whole system once around on a folder of images: pushed, labeled by a model, doubted, finished by a
// simulated labeler, learned from, and the labels that the learner argues with sent back.
package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"gleaner/connectors/formats"
	"gleaner/connectors/web"
	"gleaner/deploy/sheet"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/trainers/boxes"
)

// Options of one demo.
type Options struct {
	Images    string // folder
	Dataset   string
	Simulate  int                                    // images that the simulated labeler finishes, at most
	Once      bool                                   // the system ends after the report
	SheetPath string                                 // where the contact sheet goes
	Progress  func(total int64, what string) Counter // shows a bar
}

// Counter is a progress bar.
type Counter interface {
	Set(int)
	End()
}

// Report is what there is to tell at the end.
type Report struct {
	Images    int      // that could be pushed
	Models    []string // that label the dataset first
	Push      wire.PushResult
	Flow      time.Duration // from the first push until every image was accounted for
	Rates     web.Status    // the steps as they stood then
	Labels    *formats.Beside
	Simulated int
	Faults    []error      // of labels beside the images that cannot be used
	Run       *schemas.Run // whose losses are looked at; nil when nothing was trained
	Beside    *schemas.Run // of the learner that was less accurate in the same time; nil when there was none
	NotRun    string       // why, then
	Selection *schemas.Selection
	Account   wire.Account
	Erased    uint64 // of the images, by `gleaner erase`
	Dead      uint64 // of the images, among the dead letters and nowhere else
	Sheet     bool   // a contact sheet was written: some images got past ingest
	Doubtful  []Doubtful
}

// sheetImages is how many pictures the contact sheet shows.
const sheetImages = 24

// Run does it all. The system must be running; ctx ends it.
func Run(ctx context.Context, c *wire.Connections, s *wire.System, o Options) (Report, error) {
	var r Report
	files, ids, err := imagesOf(o)
	if err != nil {
		return r, err
	}
	r.Images = len(files)
	r.Labels, err = formats.Open(o.Images)
	if err != nil && !errors.Is(err, formats.ErrNone) { // before anything is pushed
		return r, err
	}
	registry, err := c.Registry(ctx)
	if err != nil {
		return r, err
	}
	r.Models = registry.Serves(o.Dataset).Models
	began := time.Now()
	bar := o.Progress(int64(len(files)), "push")
	pushed := 0
	r.Push, err = c.Push(ctx, files, wire.PushOptions{Dataset: o.Dataset}, func(n int) { pushed += n; bar.Set(pushed) })
	bar.End()
	if err != nil {
		return r, err
	}
	r.Images -= len(r.Push.Failed)
	if err := await(ctx, c, s, o, "through the flow", r.Images, func(a wire.Account) int {
		return int(min(a.Total(), a.Linted+a.Rejects())) // the contact sheet reads the catalog
	}); err != nil {
		return r, err
	}
	r.Flow = time.Since(began)
	if r.Rates, err = s.Status(ctx); err != nil {
		return r, err
	}
	samples, err := mostDoubtful(ctx, c, ids)
	if err != nil {
		return r, err
	}
	r.Doubtful, r.Sheet = worstFindings(samples, 10), len(samples) > 0
	if err := writeSheet(ctx, c, samples, o); err != nil {
		return r, err
	}

	if r.Labels != nil {
		if err := simulate(ctx, c, s, o, &r); err != nil {
			return r, err
		}
	}
	if err := train(ctx, c, s, o, &r); err != nil {
		return r, err
	}
	if len(r.Models) == 0 {
		// Nothing labeled first, so the sheet so far shows bare images: show what people labeled, and what is doubted of it.
		if samples, err = mostDoubtful(ctx, c, ids); err != nil {
			return r, err
		}
		if err := writeSheet(ctx, c, argued(samples, r.Selection), o); err != nil {
			return r, err
		}
	}
	if r.Account, err = s.Account(ctx, o.Dataset); err != nil {
		return r, err
	}
	r.Erased, r.Dead, err = c.Elsewhere(ctx, ids)
	r.Dead = min(r.Dead, uint64(max(0, r.Images-int(r.Account.Total()+r.Erased))))
	return r, err
}

func imagesOf(o Options) ([]wire.PushFile, []schemas.SampleID, error) {
	names, err := formats.Images(o.Images)
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("no images in %s", o.Images)
	}
	files := make([]wire.PushFile, len(names))
	ids := make([]schemas.SampleID, len(names))
	for i, n := range names {
		files[i] = wire.PushFile{Path: filepath.Join(o.Images, filepath.FromSlash(n)), UniqueID: n}
		ids[i] = schemas.NewSampleID(o.Dataset, n, schemas.Hash{})
	}
	return files, ids, nil
}

// still is how long nothing may have been counted before await asks whether anything is left to be done.
const still = 5 * time.Second

// await polls until as many samples are counted as asked for, or until the flow is at rest: then the others were erased, are dead letters,
// or are with people, and will not come.
func await(ctx context.Context, c *wire.Connections, s *wire.System, o Options, what string, want int, count func(wire.Account) int) error {
	bar := o.Progress(int64(want), what)
	defer bar.End()
	last, since := -1, time.Now()
	for {
		if err := s.Failed(); err != nil {
			return err
		}
		a, err := s.Account(ctx, o.Dataset)
		if err != nil {
			return err
		}
		n := min(count(a), want)
		bar.Set(n)
		if n == want {
			return nil
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > still {
			if idle, err := c.Idle(ctx); idle || err != nil {
				return err
			}
			since = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// simulate lets the simulated labeler finish what is left of its share: a second demo on the same data adds nothing.
func simulate(ctx context.Context, c *wire.Connections, s *wire.System, o Options, r *Report) error {
	a, err := s.Account(ctx, o.Dataset)
	if err != nil {
		return err
	}
	left := o.Simulate - int(a.Human)
	if left <= 0 {
		return nil
	}
	bar := o.Progress(int64(left), "simulated labeler")
	l := &labeler{base: c.At.Web, token: c.Config.Web.Token, beside: r.Labels}
	r.Simulated, err = l.work(ctx, o.Dataset, left, func() { r.Simulated++; bar.Set(r.Simulated) })
	bar.End()
	r.Faults = l.faults
	if err != nil {
		return err
	}
	return await(ctx, c, s, o, "labels accepted", int(a.Human)+r.Simulated, func(a wire.Account) int { return int(a.Human) })
}

// train trains, unless a run on these very labels has finished, and waits for what analysis makes of it.
func train(ctx context.Context, c *wire.Connections, s *wire.System, o Options, r *Report) error {
	before, err := c.Selections(ctx, o.Dataset)
	if err != nil {
		return err
	}
	var bar Counter
	shown := ""
	contest, err := c.TrainBetter(ctx, o.Dataset, func(done, total int, what string) {
		if what != shown {
			if bar != nil {
				bar.End()
			}
			if total == 0 {
				total = -1
			}
			bar, shown = o.Progress(int64(total), what), what
		}
		bar.Set(done)
	})
	if bar != nil {
		bar.End()
	}
	switch {
	case errors.Is(err, wire.ErrNoLabels) || errors.Is(err, boxes.ErrTooFew):
		r.NotRun = err.Error()
		return nil
	case err != nil:
		return err
	}
	r.Run, r.Beside = &contest.Used, contest.Beside
	for {
		selections, err := c.Selections(ctx, o.Dataset)
		if err != nil {
			return err
		}
		found, ok := selections["doubtful"]
		if ok && (!contest.Fresh || found.ID != before["doubtful"].ID) {
			r.Selection = &found
			break
		}
		if err := s.Failed(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	samples := map[schemas.SampleID]bool{}
	for _, p := range r.Selection.Picks {
		samples[p.SampleID] = true
	}
	if !contest.Fresh {
		return nil // they are back already, and some may be done
	}
	return await(ctx, c, s, o, "doubted labels back on the desk", len(samples), func(a wire.Account) int { return int(a.Returned) })
}

// Doubtful is one label that lint doubts.
type Doubtful struct {
	UniqueID string
	Finding  schemas.Finding
}

// writeSheet draws the first samples, if there are any.
func writeSheet(ctx context.Context, c *wire.Connections, samples []schemas.Sample, o Options) error {
	if len(samples) == 0 {
		return nil
	}
	images := pixels.NewCache(c.Config.Pixels.Cache, c.Blobs.Get)
	var cells []sheet.Cell
	for _, s := range samples[:min(len(samples), sheetImages)] {
		img, err := images.Image(ctx, s.Image)
		if err != nil {
			return fmt.Errorf("contact sheet: sample %s: %w", s.ID, err)
		}
		cells = append(cells, sheet.Cell{Image: img, Caption: s.UniqueID, Objects: s.Objects, Findings: s.Findings})
	}
	if err := sheet.Write(o.SheetPath, cells, 4); err != nil {
		return fmt.Errorf("contact sheet: %w", err)
	}
	return nil
}

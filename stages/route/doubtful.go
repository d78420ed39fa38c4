package route

// Selections of kinds doubtful and review: labels that the losses of a training run argue with, and what a dataset's rules send to
// people by its scores, go back to people.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"gleaner/schemas"
	"gleaner/stages"
)

func (r *Route) selection(ctx context.Context, rec schemas.Record) ([]schemas.Emit, error) {
	if rec.Value == nil {
		return nil, nil // taken back
	}
	var sel schemas.Selection
	if err := json.Unmarshal(rec.Value, &sel); err != nil {
		return nil, schemas.NewFault("undecodable", fmt.Errorf("route: selection: %w", err))
	}
	if sel.Kind != schemas.SelectionDoubtful && sel.Kind != string(schemas.ActionReview) {
		return nil, nil
	}
	if sel.ID == "" {
		return nil, schemas.NewFault("undecodable", errors.New("route: selection: it has no id"))
	}
	picks, err := r.picks(ctx, &sel)
	if err != nil {
		return nil, err
	}
	// One task a sample, in the order of the picks, however many of its objects are doubted.
	var order []schemas.SampleID
	bySample := map[schemas.SampleID][]schemas.Pick{}
	for _, p := range picks {
		if bySample[p.SampleID] == nil {
			order = append(order, p.SampleID)
		}
		bySample[p.SampleID] = append(bySample[p.SampleID], p)
	}
	var emits []schemas.Emit
	var passed passedOver
	for _, id := range order {
		out, err := r.doubt(ctx, &sel, id, bySample[id], &passed, rec)
		if err != nil {
			return nil, fmt.Errorf("route: selection %s: sample %s: %w", sel.ID, id, err)
		}
		emits = append(emits, out...)
	}
	r.logger.Info("route: labels go back to people", "dataset", sel.Dataset, "selection", sel.ID, "tasks", len(emits),
		"erased", passed.erased, "unlabeled", passed.unlabeled, "relabeled", passed.relabeled, "settled", passed.settled)
	// What it asks for is on the desk's log from then on: the request leaves its topic, which would keep it forever.
	return append(emits, schemas.Emit{Topic: schemas.Selections, Record: schemas.Record{Topic: schemas.Selections, Key: rec.Key}}), nil
}

// passedOver counts the samples of a selection that do not go back.
type passedOver struct {
	erased    int
	unlabeled int // the catalog knows no sample or no label of it
	relabeled int // its label is newer than what the selection speaks of
	settled   int // a person has looked at every doubt about it, and kept the label
}

// standing is the time at which the labels stood that a selection speaks of; one that names no time speaks of those of now.
func standing(sel *schemas.Selection) time.Time {
	switch {
	case !sel.AsOf.IsZero():
		return sel.AsOf
	case !sel.At.IsZero():
		return sel.At
	}
	return time.Now()
}

func (r *Route) picks(ctx context.Context, sel *schemas.Selection) ([]schemas.Pick, error) {
	if sel.Blob == nil {
		return sel.Picks, nil
	}
	data, err := r.blobs.Get(ctx, sel.Blob.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, schemas.NewFault("missing-blob", fmt.Errorf("route: selection %s: picks %s: %w", sel.ID, sel.Blob.Key, err))
	}
	if err != nil {
		return nil, fmt.Errorf("route: selection %s: picks %s: %w", sel.ID, sel.Blob.Key, err)
	}
	var picks []schemas.Pick
	if err := json.Unmarshal(data, &picks); err != nil {
		return nil, schemas.NewFault("undecodable", fmt.Errorf("route: selection %s: picks %s: %w", sel.ID, sel.Blob.Key, err))
	}
	return picks, nil
}

// doubt reopens one sample with its current label and the doubts about it.
func (r *Route) doubt(ctx context.Context, sel *schemas.Selection, id schemas.SampleID, picks []schemas.Pick, passed *passedOver, rec schemas.Record) ([]schemas.Emit, error) {
	gone, err := stages.Erased(ctx, r.blobs, id)
	if err != nil {
		return nil, err
	}
	if gone {
		passed.erased++
		return nil, nil
	}
	s, ok, err := r.catalog.Sample(ctx, id)
	if err != nil {
		return nil, err
	}
	var l schemas.Label
	if ok {
		l, ok, err = r.catalog.Label(ctx, id)
	}
	switch {
	case err != nil:
		return nil, err
	case !ok:
		passed.unlabeled++
		return nil, nil
	case l.At.After(standing(sel)):
		passed.relabeled++
		return nil, nil
	}
	doubts := unsettled(picks, &l)
	if len(doubts) == 0 {
		passed.settled++
		return nil, nil
	}
	// What lint found belongs to the objects of one revision; on others it would point at the wrong ones.
	if s.Revision != l.Revision || (s.Rank >= schemas.RankHuman) != (l.Rank >= schemas.RankHuman) {
		s.Findings = nil
	}
	s.Findings = append(s.Findings, doubts...)
	s.Objects, s.Overrides, s.Rank, s.Revision, s.Actor = l.Objects, l.Overrides, l.Rank, l.Revision, l.Actor
	most := 0.0
	for _, f := range doubts {
		most = max(most, float64(f.Score))
	}
	b := schemas.CreateBody{Priority: r.cfg.Datasets[s.Dataset].Priority + most, Reason: doubts[0].Why, Reopen: true}
	if b.Reason == "" {
		b.Reason = "the losses of run " + sel.RunID + " doubt the label"
	}
	b.Reason = clip(b.Reason, 300)
	if len(doubts) > 1 {
		b.Reason += fmt.Sprintf("; and %d more", len(doubts)-1)
	}
	if l.Rank >= schemas.RankHuman {
		b.Revision = l.Revision
	}
	sum := sha256.Sum256([]byte(request(sel, picks) + "\x00" + id.String()))
	return r.task(ctx, &s, b, "route/"+sel.Kind+"/"+hex.EncodeToString(sum[:16]), rec)
}

// request tells one request about a sample from another. A run may say one thing several times: what is of the same time is the same
// request, and a later decision a new one.
func request(sel *schemas.Selection, picks []schemas.Pick) string {
	if sel.RunID == "" {
		return sel.ID
	}
	var since time.Time
	for _, p := range picks {
		if p.Since.After(since) {
			since = p.Since
		}
	}
	if since.IsZero() {
		since = sel.At // of a doubt: when the run ended
	}
	return fmt.Sprintf("%s/%s/%d", sel.Dataset, sel.RunID, since.UnixMicro())
}

// unsettled shows the picks of one sample on its label, but for those that a person has overridden.
func unsettled(picks []schemas.Pick, l *schemas.Label) []schemas.Finding {
	var out []schemas.Finding
	for _, p := range picks {
		f := finding(p, l.Objects)
		if !slices.ContainsFunc(l.Overrides, func(o schemas.Override) bool { return o.Covers(f) }) {
			out = append(out, f)
		}
	}
	return out
}

// finding shows a pick on the image. Its score is the pick's, which may have any scale, on the logistic curve: order is kept.
func finding(p schemas.Pick, objects []schemas.Object) schemas.Finding {
	f := schemas.Finding{
		Type: schemas.FindingLoss, ObjectID: p.ObjectID, Score: float32(1 / (1 + math.Exp(-p.Score))), Why: p.Reason,
	}
	if i := slices.IndexFunc(objects, func(o schemas.Object) bool { return o.ID == p.ObjectID }); p.ObjectID != "" && i >= 0 {
		f.Class, f.Box = objects[i].Class, objects[i].Box
	}
	return f
}

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"gleaner/connectors/formats"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// Simulated is the name under which the simulated labeler works: it stands in the provenance of every label it makes.
const Simulated = "simulated:labels-beside-images"

// labeler finishes tasks as a person would, over the desk's HTTP API, with the labels that lie beside the images.
type labeler struct {
	base   string // of the API
	token  string
	beside *formats.Beside
	faults []error // of labels that cannot be used: their tasks are left to people
}

// work submits up to n open tasks of the queue whose images have labels, and returns how many. done is called with each.
func (l *labeler) work(ctx context.Context, queue string, n int, done func()) (int, error) {
	var list struct{ Tasks []schemas.Task }
	query := url.Values{"queue": {queue}, "state": {string(schemas.TaskOpen)}, "limit": {"1000"}}
	if err := l.call(ctx, http.MethodGet, "/api/tasks?"+query.Encode(), "", nil, &list); err != nil {
		return 0, err
	}
	finished := 0
	for _, t := range list.Tasks {
		if finished == n {
			break
		}
		if t.Round > 1 {
			continue // doubted labels are for people: the labels beside the image are what is doubted
		}
		ok, err := l.finish(ctx, t)
		if err != nil {
			return finished, fmt.Errorf("simulated labeler: task %s (%s): %w", t.ID, t.UniqueID, err)
		}
		if ok {
			finished++
			done()
		}
	}
	return finished, nil
}

func (l *labeler) finish(ctx context.Context, t schemas.Task) (bool, error) {
	if !l.beside.Labeled(t.UniqueID) {
		return false, nil
	}
	key := fmt.Sprintf("sim-%s-%d", t.ID, t.Round)
	var view struct {
		Task   schemas.Task
		Sample schemas.Sample
	}
	if err := l.call(ctx, http.MethodGet, "/api/tasks/"+t.ID, "", nil, &view); err != nil {
		return false, err
	}
	w, h := view.Sample.Image.W, view.Sample.Image.H
	objects, _, err := l.beside.Objects(t.UniqueID, w, h)
	if err != nil {
		l.faults = append(l.faults, err)
		return false, nil
	}
	err = l.call(ctx, http.MethodPost, "/api/tasks/claim", key+"-claim", map[string]any{"task_id": t.ID}, &view)
	if errors.Is(err, errConflict) {
		return false, nil // somebody else took it
	}
	if err != nil {
		return false, err
	}
	type object struct {
		ID    string       `json:"id"`
		Class string       `json:"class"`
		Box   geometry.Box `json:"box"`
	}
	drawn := []object{}
	for _, o := range objects {
		if box := o.Box.Clip(w, h); !box.Empty() {
			drawn = append(drawn, object{"beside-" + o.ID, o.Class, box}) // drawn anew, not what became of the model's
		}
	}
	submit := func(overrides []schemas.Override) error {
		annotation := map[string]any{"objects": drawn, "overrides": overrides}
		body := map[string]any{"version": view.Task.Version, "annotation": annotation}
		return l.call(ctx, http.MethodPost, "/api/tasks/"+url.PathEscape(t.ID)+"/submit", key+"-submit", body, nil)
	}
	err = submit(nil)
	if asked := (*doubted)(nil); errors.As(err, &asked) {
		var overrides []schemas.Override
		for _, f := range asked.Findings {
			overrides = append(overrides, f.Settle("the label beside the image says so"))
		}
		err = submit(overrides)
	}
	return true, err
}

var errConflict = errors.New("conflict")

// doubted is the answer to a submission that lint doubts.
type doubted struct{ Findings []schemas.Finding }

func (d *doubted) Error() string { return fmt.Sprintf("lint doubts %d labels", len(d.Findings)) }

func (l *labeler) call(ctx context.Context, method, path, key string, body, answer any) error {
	var payload io.Reader
	if body != nil {
		out, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(out)
	}
	request, err := http.NewRequestWithContext(ctx, method, l.base+path, payload)
	if err != nil {
		return err
	}
	request.Header.Set("X-Actor", Simulated)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	if l.token != "" {
		request.Header.Set("Authorization", "Bearer "+l.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return err
	}
	asked := new(doubted)
	switch {
	case response.StatusCode == http.StatusUnprocessableEntity && json.Unmarshal(text, asked) == nil && len(asked.Findings) > 0:
		return asked
	case response.StatusCode == http.StatusConflict || response.StatusCode == http.StatusNoContent:
		return fmt.Errorf("%w: %s", errConflict, text)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	case answer == nil:
		return nil
	}
	return json.Unmarshal(text, answer)
}

package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/connectors/web"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// What lint doubts comes back before a submission counts, and an override with a reason or another label lets it count.
func TestDoubtsBeforeASubmissionCounts(t *testing.T) {
	car, missing := geometry.Box{X1: 1, Y1: 2, X2: 30, Y2: 40}, geometry.Box{X1: 32, Y1: 2, X2: 60, Y2: 40}
	d := &doubter{findings: []schemas.Finding{
		{Type: schemas.FindingMissing, Class: "bus", Box: missing, Score: 0.9, Why: "A bus is here.", Fix: &missing},
		{Type: schemas.FindingSpurious, ObjectID: "o1", Class: "car", Box: car, Score: 0.8, Why: "No car is here."},
		{Type: schemas.FindingRule, ObjectID: "o1", Class: "car", Box: car, Score: 0.7, Why: "Its color is missing."},
		{Type: schemas.FindingDegenerate, ObjectID: "o1", Class: "car", Box: car, Score: 0.2, Why: "It is wide."},
	}}
	var claimed []schemas.SampleID
	s := open(t, func(_ *web.Config, deps *web.Deps) {
		deps.Lint, deps.Claimed = d.lint, func(s schemas.Sample) { claimed = append(claimed, s.ID) }
	})
	task := "/api/tasks/" + s.desk.task.ID
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 200, `"version":2`)
	if len(claimed) != 1 || claimed[0] != s.sample.ID {
		t.Errorf("claimed %v", claimed)
	}
	const labels = `"objects":[{"id":"o1","class":"car","box":{"x1":1,"y1":2,"x2":30,"y2":40}}]`
	s.ask("PUT", task+"/draft", `{"version":2,"annotation":{`+labels+`}}`).want(t, 200, `"version":3`)
	if len(d.asked) != 0 {
		t.Error("a draft was doubted")
	}
	asked := func(rest string, want ...schemas.FindingType) {
		t.Helper()
		a := s.ask("POST", task+"/submit", `{"version":3,"annotation":{`+labels+rest+`}}`)
		a.want(t, 422, "lint doubts")
		var answer struct{ Findings []schemas.Finding }
		if err := json.Unmarshal(a.body, &answer); err != nil {
			t.Fatal(err)
		}
		var got []schemas.FindingType
		for _, f := range answer.Findings {
			got = append(got, f.Type)
		}
		if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] || s.desk.task.State != schemas.TaskClaimed {
			t.Errorf("asked about %v of a task that is %s, want %v", got, s.desk.task.State, want)
		}
	}
	const bus = `{"type":"missing","class":"bus","box":{"x1":32,"y1":2,"x2":60,"y2":41},"why":"A bus is here.","reason":"a mirror"}`
	asked("", schemas.FindingMissing, schemas.FindingSpurious)
	asked(`,"overrides":[`+bus+`]`, schemas.FindingSpurious)
	s.ask("POST", task+"/submit", `{"version":3,"annotation":{`+labels+`,"overrides":[{"type":"spurious","object_id":"o1","reason":" "}]}}`).want(t, 422, "it has no reason")
	final := `{"version":3,"annotation":{` + labels + `,"overrides":[` + bus + `,{"type":"spurious","object_id":"o1","reason":"seen from behind"}]}}`
	s.ask("POST", task+"/submit", final, "Idempotency-Key", "submit-001").want(t, 200, `"state":"submitted"`)
	if a := d.asked[len(d.asked)-1]; len(a.Overrides) != 2 || len(a.Findings) != 2 {
		t.Errorf("lint was asked about %+v", a)
	}

	// A retry has its answer, whatever lint says by now.
	d.findings[0].Class = "tram"
	s.ask("POST", task+"/submit", final, "Idempotency-Key", "submit-001").want(t, 200, `"state":"submitted"`)
}

// What a person was shown is the server's to say: what they were answered, once each and as it was last, by any instance, and nothing
// that they claim, nor what others were answered or another round was.
func TestShownByTheServersWord(t *testing.T) {
	car := geometry.Box{X1: 1, Y1: 2, X2: 30, Y2: 40}
	spurious := schemas.Finding{Type: schemas.FindingSpurious, ObjectID: "o1", Class: "car", Box: car, Score: 0.8, Prior: 0.9, Why: "No car is here."}
	loose := schemas.Finding{Type: schemas.FindingLoose, ObjectID: "o1", Class: "car", Box: car, Score: 0.6, Why: "It is wide."}
	d := &doubter{findings: []schemas.Finding{spurious}}
	s := open(t, func(_ *web.Config, deps *web.Deps) { deps.Lint = d.lint })
	other := open(t, func(_ *web.Config, deps *web.Deps) { deps.Desk, deps.Blobs, deps.Lint = s.desk, s.shelf, d.lint })
	task := "/api/tasks/" + s.desk.task.ID
	shown := func() []schemas.Finding {
		t.Helper()
		s.ask("PUT", task+"/draft", fmt.Sprintf(`{"version":%d,"annotation":%s}`, s.desk.task.Version, ann)).want(t, 200, "")
		var a schemas.Annotation
		if err := json.Unmarshal(s.shelf.blobs[s.desk.task.Draft.Key], &a); err != nil {
			t.Fatal(err)
		}
		return a.Findings
	}
	submit := func(rest string) answer {
		const labels = `"objects":[{"id":"o1","class":"car","box":{"x1":1,"y1":2,"x2":30,"y2":40}}]`
		return s.ask("POST", task+"/submit", fmt.Sprintf(`{"version":%d,"annotation":{%s%s}}`, s.desk.task.Version, labels, rest))
	}
	submit("").want(t, 422, "No car is here.") // of nobody's task
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 200, "")
	if got := shown(); got != nil {
		t.Errorf("before any answer to the holder: %+v", got)
	}
	submit("").want(t, 422, "No car is here.")
	spurious.Score = 0.7
	d.findings = []schemas.Finding{loose, spurious}
	s.url, other.url = other.url, s.url
	submit("").want(t, 422, "It is wide.")
	s.url, other.url = other.url, s.url
	if diff := cmp.Diff([]schemas.Finding{loose, spurious}, shown()); diff != "" {
		t.Error(diff)
	}
	s.desk.task.Round++
	if got := shown(); got != nil {
		t.Errorf("of another round: %+v", got)
	}
	s.desk.task.Round--

	d.findings = []schemas.Finding{}
	made := strings.Repeat(`{"type":"loose","object_id":"o1","box":{"x1":1,"y1":2,"x2":30,"y2":40},"score":1,"prior":1,"why":"Made up."},`, 100)
	submit(`,"findings":[`+strings.TrimSuffix(made, ",")+`]`).want(t, 200, `"state":"submitted"`)
	var a schemas.Annotation
	if err := json.Unmarshal(s.shelf.blobs[s.desk.task.Result.Key], &a); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]schemas.Finding{loose, spurious}, a.Findings); diff != "" {
		t.Error(diff)
	}
}

// What the task came with was seen, for as long as the label is as it was.
func TestDoubtsThatWereShown(t *testing.T) {
	car, bus := geometry.Box{X1: 1, Y1: 2, X2: 30, Y2: 40}, geometry.Box{X1: 32, Y1: 2, X2: 60, Y2: 40}
	d := &doubter{findings: []schemas.Finding{
		{Type: schemas.FindingSpurious, ObjectID: "o1", Class: "car", Box: car, Score: 0.8, Why: "No car is here."},
		{Type: schemas.FindingMissing, Class: "bus", Box: bus, Score: 0.8, Why: "A bus is here."},
	}}
	s := open(t, func(_ *web.Config, deps *web.Deps) { deps.Lint = d.lint })
	s.sample.Findings = d.findings
	s.sample.Objects[0].Box.X1 = -3 // as a model may say; what is submitted is cut to the image
	body, err := schemas.EncodeSample(&s.sample)
	if err != nil {
		t.Fatal(err)
	}
	s.shelf.blobs["bodies/x"] = body
	task := "/api/tasks/" + s.desk.task.ID
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 200, `"version":2`)
	s.ask("POST", task+"/submit", `{"version":2,"annotation":{"objects":[{"id":"o1","class":"car","box":{"x1":0,"y1":2,"x2":29,"y2":40}}]}}`).want(t, 422, "No car is here.")
	s.ask("POST", task+"/submit", `{"version":2,"annotation":{"objects":[{"id":"o1","class":"car","box":{"x1":0,"y1":2,"x2":30,"y2":40}}]}}`).want(t, 200, `"state":"submitted"`)
}

// Lint never stands in the way of work by failing.
func TestDoubtsThatFail(t *testing.T) {
	for name, err := range map[string]error{"error": errors.New("no model"), "panic": nil, "hang": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			s := open(t, func(c *web.Config, deps *web.Deps) {
				deps.Lint = (&doubter{err: err}).lint
				c.LintWait = 20 * time.Millisecond
			})
			s.ask("POST", "/api/tasks/claim", `{}`).want(t, 200, `"version":2`)
			s.ask("POST", "/api/tasks/"+s.desk.task.ID+"/submit", `{"version":2,"annotation":`+ann+`}`).want(t, 200, `"state":"submitted"`)
		})
	}
}

// Nor by not ending: no submission waits for it, and no more of it runs than there are processors.
func TestDoubtsThatNeverEnd(t *testing.T) {
	var running atomic.Int64
	end := make(chan struct{})
	s := open(t, func(c *web.Config, deps *web.Deps) {
		c.LintWait = 20 * time.Millisecond
		deps.Lint = func(context.Context, schemas.Sample, schemas.Annotation, string) ([]schemas.Finding, error) {
			running.Add(1)
			<-end
			return nil, nil
		}
	})
	defer close(end)
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 200, `"version":2`)
	submit := func() answer {
		return s.ask("POST", "/api/tasks/"+s.desk.task.ID+"/submit", `{"version":2,"annotation":`+ann+`}`)
	}
	submit().want(t, 200, `"state":"submitted"`)
	for range 3 * runtime.GOMAXPROCS(0) {
		submit().want(t, 409, "")
	}
	if n := running.Load(); n > 2*int64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%d lints run at a time", n)
	}
}

package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

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
	final := `{"version":3,"annotation":{` + labels + `,"overrides":[` + bus + `,{"type":"spurious","object_id":"o1","reason":"seen from behind"}],"findings":[{"type":"missing","box":{"x1":32,"y1":2,"x2":60,"y2":40},"score":0.9,"why":"A bus is here."}]}}`
	s.ask("POST", task+"/submit", final, "Idempotency-Key", "submit-001").want(t, 200, `"state":"submitted"`)
	if a := d.asked[len(d.asked)-1]; len(a.Overrides) != 2 || len(a.Findings) != 1 {
		t.Errorf("lint was asked about %+v", a)
	}

	// A retry has its answer, whatever lint says by now.
	d.findings[0].Class = "tram"
	s.ask("POST", task+"/submit", final, "Idempotency-Key", "submit-001").want(t, 200, `"state":"submitted"`)
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

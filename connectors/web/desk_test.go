package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gleaner/connectors/web"
	"gleaner/schemas"
)

const ann = `{"objects":[{"id":"h1","class":"bus","box":{"x1":1,"y1":2,"x2":30,"y2":40}}]}`

func TestTaskLife(t *testing.T) {
	s := open(t, nil)
	task := "/api/tasks/" + s.desk.task.ID
	claim := s.ask("POST", "/api/tasks/claim", `{"queue":"d","lease_s":90}`, "Idempotency-Key", "claim-0001")
	claim.want(t, 200, `"state":"claimed"`)
	var view struct {
		Sample  schemas.Sample
		Classes []string
		URLs    map[string]string
	}
	if err := json.Unmarshal(claim.body, &view); err != nil {
		t.Fatal(err)
	}
	if view.Sample.ID != s.sample.ID || view.Sample.Superpixels.Count != 2 || view.Sample.Superpixels.Data != nil || len(view.Sample.Objects) != 1 {
		t.Errorf("sample %+v", view.Sample)
	}
	if fmt.Sprint(view.Classes) != "[bus car]" {
		t.Errorf("classes %v", view.Classes)
	}
	var body schemas.ClaimBody
	if err := json.Unmarshal(s.desk.commands[0].Body, &body); err != nil || body.Lease != 90*time.Second || body.Queue != "d" {
		t.Errorf("claim body %s: %v", s.desk.commands[0].Body, err)
	}
	if c := s.desk.commands[0]; c.Actor != "alice" || c.ID != "claim-0001" || c.NotAfter.Sub(c.At) != time.Minute {
		t.Errorf("command %+v", c)
	}

	again := s.ask("POST", "/api/tasks/claim", `{}`, "Idempotency-Key", "claim-0001")
	again.want(t, 200, `"state":"claimed"`)
	if len(s.desk.commands) != 1 {
		t.Errorf("a retry with the same key is %d commands", len(s.desk.commands))
	}
	s.ask("GET", "/api/commands/claim-0001", "").want(t, 200, `"verdict":"applied"`)
	s.ask("GET", "/api/commands/other-001", "").want(t, 404, "no outcome")

	s.ask("PUT", task+"/draft", `{"version":2,"annotation":`+ann+`}`).want(t, 200, `"version":3`)
	s.ask("GET", task, "").want(t, 200, `"draft":{"objects":[{"id":"h1"`)
	stale := s.ask("POST", task+"/submit", `{"version":2,"annotation":`+ann+`}`)
	stale.want(t, 409, `"version":3`)
	s.ask("POST", task+"/submit", `{"version":3,"annotation":`+ann+`}`, "X-Actor", "bob").want(t, 409, "refused")
	s.ask("POST", task+"/renew", `{"version":3}`).want(t, 200, `"version":4`)
	s.ask("POST", task+"/release", `{"version":4,"reason":"too dark"}`).want(t, 200, `"state":"open"`)
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 200, `"version":6`)
	s.ask("POST", task+"/submit", `{"version":6,"annotation":`+ann+`}`).want(t, 200, `"state":"submitted"`)
	if r := s.desk.task.Result; r == nil || !strings.Contains(string(s.shelf.blobs[r.Key]), `"class":"bus"`) {
		t.Errorf("result %v is not in the blob store", r)
	}
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 204, "")
	s.ask("GET", "/api/tasks?state=submitted", "").want(t, 200, `"result"`)
	s.ask("GET", "/api/tasks?state=open", "").want(t, 200, `"tasks":[]`)
	s.ask("GET", "/api/queues", "").want(t, 200, `"queue":"d"`)
}

func TestRulesOfTheDataset(t *testing.T) {
	s := open(t, func(_ *web.Config, d *web.Deps) {
		d.Rules = house{schemas.DatasetRules{Dataset: "d", Objects: []schemas.ObjectRule{{Class: "tram"}, {Class: "bus", Attributes: []schemas.AttributeRule{{Name: "color"}}}}}}
	})
	task := "/api/tasks/" + s.desk.task.ID
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 200, `"classes":["bus","tram"],"wanted":[{"class":"tram"},{"class":"bus","attributes":[{"name":"color"}]}]`)

	const small = `{"objects":[{"id":"h1","class":"bus","box":{"x1":1,"y1":2,"x2":9,"y2":40}}]}`
	s.ask("PUT", task+"/draft", `{"version":2,"annotation":`+small+`}`).want(t, 200, `"version":3`) // unfinished work may be wrong
	refused := s.ask("POST", task+"/submit", `{"version":3,"annotation":`+small+`}`)
	refused.want(t, 422, "the rules of dataset d: object h1: The box is too small.")
	var answer struct{ Violations []schemas.Violation }
	if err := json.Unmarshal(refused.body, &answer); err != nil {
		t.Fatal(err)
	}
	if v := answer.Violations; len(v) != 2 || v[0].Rule != "min_size" || v[0].Severity != schemas.SeverityError || v[1].Rule != "attribute" {
		t.Errorf("violations %+v: want the error first, then the warning", v)
	}
	if s.desk.task.State != schemas.TaskClaimed {
		t.Errorf("the task is %s after a refusal", s.desk.task.State)
	}
	s.ask("POST", task+"/submit", `{"version":3,"annotation":`+ann+`}`).want(t, 200, `"state":"submitted"`) // a warning passes
}

func TestRefusals(t *testing.T) {
	s := open(t, func(c *web.Config, d *web.Deps) { c.MaxJSON = 2000; d.Catalog = nil })
	task := "/api/tasks/" + s.desk.task.ID
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		says               string
	}{
		"no actor":          {"POST", "/api/tasks/claim", `{}`, []string{"X-Actor", ""}, 400, "X-Actor"},
		"actor with markup": {"POST", "/api/tasks/claim", `{}`, []string{"X-Actor", "<b>"}, 400, "X-Actor"},
		"form of a site":    {"POST", "/api/tasks/claim", `queue=d`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "not JSON"},
		"other site":        {"POST", "/api/tasks/claim", `{}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, "another site"},
		"other origin":      {"POST", "/api/tasks/claim", `{}`, []string{"Origin", "http://evil.example"}, 403, "another site"},
		"rebound name":      {"GET", "/api/queues", ``, []string{"Host", "evil.example"}, 421, "Host"},
		"empty body":        {"POST", "/api/tasks/claim", ` `, nil, 400, "empty"},
		"unknown field":     {"POST", "/api/tasks/claim", `{"que":"d"}`, nil, 400, "que"},
		"two values":        {"POST", "/api/tasks/claim", `{}{}`, nil, 400, "follows"},
		"huge":              {"POST", "/api/tasks/claim", `{"queue":"` + strings.Repeat("x", 3000) + `"}`, nil, 413, "larger than"},
		"lease":             {"POST", "/api/tasks/claim", `{"lease_s":-1}`, nil, 400, "lease_s"},
		"short key":         {"POST", "/api/tasks/claim", `{}`, []string{"Idempotency-Key", "a"}, 400, "Idempotency-Key"},
		"no version":        {"POST", task + "/renew", `{}`, nil, 400, "no version"},
		"no draft version":  {"PUT", task + "/draft", `{"annotation":{"objects":[]}}`, nil, 400, "no version"},
		"no annotation":     {"POST", task + "/submit", `{"version":1}`, nil, 400, "no annotation"},
		"no objects":        {"PUT", task + "/draft", `{"version":1,"annotation":{}}`, nil, 400, "no annotation"},
		"no such task":      {"POST", "/api/tasks/x/renew", `{"version":1}`, nil, 404, "no such task"},
		"submit to none":    {"POST", "/api/tasks/x/submit", `{"version":1,"annotation":{"objects":[]}}`, nil, 404, "no task"},
		"bad box":           {"PUT", task + "/draft", `{"version":1,"annotation":{"objects":[{"id":"h1","class":"bus","box":{"x1":1,"y1":1,"x2":99,"y2":9}}]}}`, nil, 422, `object 1 (id \"h1\"`},
		"beyond float":      {"PUT", task + "/draft", `{"version":1,"annotation":{"objects":[{"id":"h1","class":"bus","box":{"x1":1e99,"y1":1,"x2":9,"y2":9}}]}}`, nil, 400, "x1"},
		"state":             {"GET", "/api/tasks?state=odd", ``, nil, 400, "odd"},
		"limit":             {"GET", "/api/tasks?limit=1000000", ``, nil, 400, "limit"},
		"method":            {"DELETE", "/api/tasks/x", ``, nil, 404, "no such endpoint"},
		"bad sample":        {"GET", "/api/samples/zz", ``, nil, 400, "32 hex"},
		"no catalog":        {"GET", "/api/samples/" + strings.Repeat("0", 32), ``, nil, 501, "catalog"},
		"bad digest":        {"GET", "/api/images/zz", ``, nil, 400, "64 hex"},
		"no image":          {"GET", "/api/images/" + strings.Repeat("0", 64), ``, nil, 404, "no image"},
		"path":              {"GET", "/api/images/..%2f..%2fbodies%2fx", ``, nil, 400, "64 hex"},
		"no status":         {"GET", "/api/status", ``, nil, 501, "status"},
	} {
		t.Run(name, func(t *testing.T) {
			s.ask(c.method, c.path, c.body, c.headers...).want(t, c.status, c.says)
		})
	}
	if len(s.desk.commands) != 1 { // the renewal of a task that is not there
		t.Errorf("refused requests became %d commands", len(s.desk.commands)-1)
	}
	for key := range s.shelf.blobs {
		if strings.HasPrefix(key, "bodies/") && key != "bodies/x" {
			t.Errorf("a refused annotation was stored as %s", key)
		}
	}
}

func TestDeskFailures(t *testing.T) {
	s := open(t, nil)
	s.desk.err = fmt.Errorf("append: %w", schemas.ErrOutcomeUnknown)
	a := s.ask("POST", "/api/tasks/claim", `{}`, "Idempotency-Key", "same-key-1")
	a.want(t, 503, "same Idempotency-Key")
	if a.Header.Get("Idempotency-Key") != "same-key-1" || a.Header.Get("Retry-After") == "" {
		t.Errorf("headers %v", a.Header)
	}
	s.ask("POST", "/api/tasks/claim", `{}`, "Idempotency-Key", "same-key-1").want(t, 200, "claimed")
	s.desk.err = errors.New("clock is off")
	s.ask("POST", "/api/tasks/claim", `{}`).want(t, 503, "clock is off")
}

func TestNamesBeyondASCII(t *testing.T) {
	s := open(t, nil)
	s.ask("POST", "/api/tasks/claim", `{}`, "X-Actor", "%C5%81ukasz").want(t, 200, `"holder":"Łukasz"`)
}

package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/tiff"

	"gleaner/connectors/web"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/schemas/labelmap"
)

// site is a running server with what stands behind it.
type site struct {
	t      *testing.T
	url    string
	desk   *bench
	shelf  *shelf
	tray   *tray
	sample schemas.Sample
}

func open(t *testing.T, change func(*web.Config, *web.Deps)) *site {
	t.Helper()
	s := &site{t: t, shelf: &shelf{blobs: map[string][]byte{}}, tray: &tray{}}
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	labels := make([]uint16, 64*48)
	for i := range labels {
		if i%64 >= 32 {
			labels[i] = 1
		}
	}
	code, err := labelmap.Encode(labels, 64, 48)
	if err != nil {
		t.Fatal(err)
	}
	hash := s.shelf.image(img.Bytes())
	s.sample = schemas.Sample{
		ID: schemas.NewSampleID("d", "u", hash), Dataset: "d", UniqueID: "u", Task: "detect",
		Image:       schemas.ImageRef{SHA256: hash, Size: int64(img.Len()), MediaType: "image/png", W: 64, H: 48, Inline: img.Bytes()},
		Objects:     []schemas.Object{{ID: "o1", Class: "car", Box: geometry.Box{X1: 1, Y1: 2, X2: 30, Y2: 40}, Score: 0.5, Source: "m@1"}},
		Superpixels: schemas.Superpixels{Count: 2, Encoding: labelmap.Encoding, Data: code},
	}
	body, err := schemas.EncodeSample(&s.sample)
	if err != nil {
		t.Fatal(err)
	}
	s.shelf.blobs["bodies/x"] = body
	s.desk = newBench(s.sample, schemas.BlobRef{Key: "bodies/x", Size: int64(len(body))})
	cfg := web.DefaultConfig()
	cfg.Address = "127.0.0.1:0"
	deps := web.Deps{Desk: s.desk, Blobs: s.shelf, Raw: s.tray, Catalog: cards{s.sample}, Classes: func(string) []string { return []string{"bus"} }}
	if change != nil {
		change(&cfg, &deps)
	}
	server, err := web.New(cfg, deps, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	s.url = "http://" + server.Addr()
	return s
}

// answer is what came back, with the body read.
type answer struct {
	*http.Response
	body []byte
}

// ask sends a request; headers are pairs. A JSON content type and an actor are sent unless headers say otherwise.
func (s *site) ask(method, path, body string, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Actor", "alice")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res, data}
}

// want fails unless the status is as expected; of an error it also wants a sentence that says what and one that says what to do.
func (a answer) want(t *testing.T, status int, says string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	if status >= 400 {
		var e struct {
			Error    string `json:"error"`
			WhatToDo string `json:"what_to_do"`
		}
		if err := json.Unmarshal(a.body, &e); err != nil || e.Error == "" || e.WhatToDo == "" {
			t.Errorf("error body %q: %v", a.body, err)
		}
	}
	if !strings.Contains(string(a.body), says) {
		t.Errorf("body %s does not say %q", a.body, says)
	}
}

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

func TestImages(t *testing.T) {
	s := open(t, nil)
	id := s.sample.ID.String()
	for _, path := range []string{"/api/samples/" + id + "/image", "/api/images/" + s.sample.Image.SHA256.String()} {
		a := s.ask("GET", path, "")
		a.want(t, 200, "")
		h := a.Header
		if !bytes.Equal(a.body, s.sample.Image.Inline) || h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || !strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d bytes, headers %v", path, len(a.body), h)
		}
		s.ask("GET", path, "", "If-None-Match", h.Get("ETag")).want(t, 304, "")
	}
	for name, evil := range map[string]string{
		"svg":  `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
		"html": `<!doctype html><script>alert(1)</script>`,
	} {
		a := s.ask("GET", "/api/images/"+s.shelf.image([]byte(evil)).String(), "")
		a.want(t, 200, "")
		if a.Header.Get("Content-Type") != "application/octet-stream" || a.Header.Get("Content-Disposition") != "attachment" {
			t.Errorf("%s is served as %v", name, a.Header)
		}
	}
	var scan bytes.Buffer
	if err := tiff.Encode(&scan, image.NewGray(image.Rect(0, 0, 5, 7)), nil); err != nil {
		t.Fatal(err)
	}
	path := "/api/images/" + s.shelf.image(scan.Bytes()).String()
	if shown, err := png.Decode(bytes.NewReader(s.ask("GET", path, "", "Accept", "image/*,*/*").body)); err != nil || shown.Bounds() != image.Rect(0, 0, 5, 7) {
		t.Errorf("a TIFF for a browser: %v", err)
	}
	if got := s.ask("GET", path, "", "Accept", "image/tiff").body; !bytes.Equal(got, scan.Bytes()) {
		t.Error("a TIFF asked for as such arrived changed")
	}
	a := s.ask("GET", "/api/samples/"+id+"/superpixels", "")
	a.want(t, 200, "")
	img, err := png.Decode(bytes.NewReader(a.body))
	if err != nil || img.Bounds() != image.Rect(0, 0, 64, 48) {
		t.Fatalf("superpixels: %v %v", img.Bounds(), err)
	}
	for x := range 64 {
		if marked := color.NRGBAModel.Convert(img.At(x, 20)).(color.NRGBA).A > 0; marked != (x == 31) {
			t.Errorf("column %d is marked: %t", x, marked)
		}
	}
	s.ask("GET", "/api/samples/"+id, "").want(t, 200, `"superpixels":"/api/samples/`+id)

	s.shelf.blobs[schemas.TombstoneKey(s.sample.ID)] = []byte("{}")
	for _, path := range []string{"", "/image", "/superpixels"} {
		s.ask("GET", "/api/samples/"+id+path, "").want(t, 410, "erased")
	}
	s.ask("GET", "/api/tasks/"+s.desk.task.ID, "").want(t, 410, "erased")
}

func TestUpload(t *testing.T) {
	s := open(t, func(c *web.Config, _ *web.Deps) { c.MaxImage = 1000 })
	a := s.ask("POST", "/api/images", "pixels", "Content-Type", "image/png", "dataset", "d", "unique-id", "é1", "task", "detect", "slice.weather", "rain")
	a.want(t, 202, schemas.NewSampleID("d", "é1", schemas.Hash{}).String())
	rec := s.tray.records[0]
	if rec.Topic != schemas.Raw || string(rec.Key) != "é1" || string(rec.Value) != "pixels" {
		t.Errorf("record %+v", rec)
	}
	for key, want := range map[string]string{"dataset": "d", "unique-id": "é1", "media-type": "image/png", "task": "detect", "slice.weather": "rain"} {
		if got, _ := rec.Header(key); got != want {
			t.Errorf("header %s is %q, want %q", key, got, want)
		}
	}
	hash := strings.Repeat("ab", 32)
	s.ask("POST", "/api/images", `{"url":"https://x/y.jpg","sha256":"`+hash+`"}`, "Content-Type", schemas.MediaTypeRef, "dataset", "d").want(t, 202, hash)
	if got, _ := s.tray.records[1].Header("media-type"); got != schemas.MediaTypeRef {
		t.Errorf("a reference arrived as %q", got)
	}
	s.ask("POST", "/api/images", "x", "dataset", "d").want(t, 202, "")
	if got, ok := s.tray.records[2].Header("media-type"); ok {
		t.Errorf("media type %q was made up", got)
	}
	s.ask("POST", "/api/images", "x").want(t, 400, "dataset")
	s.ask("POST", "/api/images", "", "dataset", "d").want(t, 400, "empty")
	s.ask("POST", "/api/images", "x", "dataset", "d", "unique-id", strings.Repeat("u", 2000)).want(t, 400, "unique-id")
	s.ask("POST", "/api/images", `{"url":`, "Content-Type", schemas.MediaTypeRef, "dataset", "d").want(t, 400, "reference")
	s.ask("POST", "/api/images", strings.Repeat("x", 1001), "dataset", "d").want(t, 413, "larger than")
	if len(s.tray.records) != 3 {
		t.Errorf("%d records were written, want 3", len(s.tray.records))
	}
	s.tray.err = &schemas.WriteError{Failed: map[int]error{0: schemas.ErrTooLarge}}
	s.ask("POST", "/api/images", "x", "dataset", "d").want(t, 413, "raw topic")
}

func TestToken(t *testing.T) {
	const token = "a-long-random-token"
	s := open(t, func(c *web.Config, d *web.Deps) {
		c.Token = token
		d.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })
	})
	for _, path := range []string{"/api/queues", "/metrics", "/api/images/" + s.sample.Image.SHA256.String()} {
		s.ask("GET", path, "").want(t, 401, "token")
		s.ask("GET", path, "", "Authorization", "Bearer wrong").want(t, 401, "token")
		s.ask("GET", path, "", "Cookie", "gleaner_session="+token).want(t, 401, "token")
		s.ask("GET", path, "", "Authorization", "Bearer "+token).want(t, 200, "")
	}
	for _, path := range []string{"/", "/label", "/ui/home.js", "/healthz"} {
		s.ask("GET", path, "").want(t, 200, "")
	}
	s.ask("POST", "/api/session", `{"token":"wrong"}`).want(t, 401, "not the token")
	in := s.ask("POST", "/api/session", `{"token":"`+token+`"}`)
	in.want(t, 204, "")
	c := in.Cookies()
	if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || strings.Contains(c[0].Value, token) {
		t.Fatalf("cookie %v", c)
	}
	s.ask("GET", "/api/queues", "", "Cookie", c[0].Name+"="+c[0].Value).want(t, 200, "")
}

func TestPagesNeedNothingElse(t *testing.T) {
	s := open(t, nil)
	for _, path := range []string{"/", "/label", "/ui/home.js", "/ui/label.js", "/ui/style.css", "/ui/icon.svg"} {
		a := s.ask("GET", path, "")
		a.want(t, 200, "")
		for _, other := range []string{"https://", "http://"} {
			if text := strings.ReplaceAll(string(a.body), "http://www.w3.org/2000/svg", ""); strings.Contains(text, other) {
				t.Errorf("%s names an address outside", path)
			}
		}
		if strings.Contains(string(a.body), "innerHTML") {
			t.Errorf("%s makes markup of text", path)
		}
		s.ask("GET", path, "", "If-None-Match", a.Header.Get("ETag")).want(t, 304, "")
	}
	if csp := s.ask("GET", "/", "").Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	if a := s.ask("GET", "/ui/..%2f..%2fgo.mod", ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("a path out of the folder answers %d", a.StatusCode)
	}
}

// A body that is waited for takes its share of memory only, and gives it back.
func TestBodiesAreBounded(t *testing.T) {
	s := open(t, func(c *web.Config, _ *web.Deps) {
		c.MaxImage, c.MaxJSON, c.MaxBodies = 1000, 1000, 1500
		c.Wait = 50 * time.Millisecond
	})
	in, out := io.Pipe()
	slow := make(chan int, 1)
	go func() {
		req, _ := http.NewRequest(http.MethodPost, s.url+"/api/images", in) // of unknown length: takes the whole limit
		req.Header.Set("dataset", "d")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			slow <- 0
			return
		}
		res.Body.Close()
		slow <- res.StatusCode
	}()
	_, _ = out.Write([]byte("x")) // returns once the server reads
	for s.ask("POST", "/api/images", strings.Repeat("x", 900), "dataset", "d").StatusCode != http.StatusServiceUnavailable {
		t.Log("the slow request has not begun yet")
	}
	out.Close()
	if got := <-slow; got != 202 {
		t.Fatalf("the slow request ended with %d", got)
	}
	s.ask("POST", "/api/images", strings.Repeat("x", 900), "dataset", "d").want(t, 202, "")
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*web.Config)
		says   string
	}{
		"no port":       {func(c *web.Config) { c.Address = "localhost" }, "host:port"},
		"open":          {func(c *web.Config) { c.Address = "0.0.0.0:80" }, "web.token"},
		"every address": {func(c *web.Config) { c.Address = ":80" }, "web.token"},
		"weak token":    {func(c *web.Config) { c.Token = "abc" }, "shorter than 16"},
		"half TLS":      {func(c *web.Config) { c.TLS.Cert = "x" }, "cert and key"},
		"no limit":      {func(c *web.Config) { c.MaxJSON = 0 }, "max_json"},
		"no room":       {func(c *web.Config) { c.MaxBodies = 10 }, "max_bodies"},
		"script link":   {func(c *web.Config) { c.Links.ClickHouse = "javascript:alert(1)" }, "links.clickhouse"},
	} {
		cfg := web.DefaultConfig()
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v does not say %q", name, err, c.says)
		}
	}
	for name, change := range map[string]func(*web.Config){
		"default": func(*web.Config) {}, "insecure": func(c *web.Config) { c.Address, c.Insecure = ":80", true },
		"token": func(c *web.Config) { c.Address, c.Token = ":80", "0123456789abcdef" }, "ipv6": func(c *web.Config) { c.Address = "[::1]:0" },
	} {
		cfg := web.DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	s := open(t, nil)
	cfg := web.DefaultConfig()
	cfg.Address = strings.TrimPrefix(s.url, "http://")
	server, err := web.New(cfg, web.Deps{Desk: s.desk, Blobs: s.shelf}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.Address) {
		t.Errorf("second server on the port: %v", err)
	}
}

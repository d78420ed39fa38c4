package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

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
	code, err := (&labelmap.Map{W: 64, H: 48, Labels: labels}).Encode()
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

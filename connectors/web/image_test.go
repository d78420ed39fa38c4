package web_test

import (
	"bytes"
	"encoding/hex"
	"image"
	"image/png"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/tiff"

	"gleaner/connectors/web"
	"gleaner/schemas"
	"gleaner/schemas/labelmap"
)

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
	if !bytes.Equal(a.body, s.sample.Superpixels.Data) || a.Header.Get("Content-Type") != "application/vnd.gleaner.labelmap" {
		t.Errorf("superpixels: %d bytes, headers %v", len(a.body), a.Header)
	}
	s.ask("GET", "/api/samples/"+id+"/superpixels", "", "If-None-Match", a.Header.Get("ETag")).want(t, 304, "")
	s.ask("GET", "/api/samples/"+id, "").want(t, 200, `"superpixels":"/api/samples/`+id)

	s.shelf.blobs[schemas.TombstoneKey(s.sample.ID)] = []byte("{}")
	for _, path := range []string{"", "/image", "/superpixels"} {
		s.ask("GET", "/api/samples/"+id+path, "").want(t, 410, "erased")
	}
	s.ask("GET", "/api/tasks/"+s.desk.task.ID, "").want(t, 410, "erased")
}

// Samples of before carry label maps of an encoding that the page does not read.
func TestSuperpixelsOfBefore(t *testing.T) {
	s := open(t, nil)
	path := "/api/samples/" + s.sample.ID.String() + "/superpixels"
	old, err := hex.DecodeString("474c4d01060401001874eb9242fe0800")
	if err != nil {
		t.Fatal(err)
	}
	carry := func(data []byte) {
		s.sample.Superpixels = schemas.Superpixels{Count: 4, Encoding: "labelmap/1", Data: data}
		body, err := schemas.EncodeSample(&s.sample)
		if err != nil {
			t.Fatal(err)
		}
		s.shelf.blobs["bodies/x"] = body
	}
	carry(old)
	a := s.ask("GET", path, "")
	a.want(t, 200, "GLM\x02")
	want, err := labelmap.Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := labelmap.Decode(a.body); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("served as %+v, %v", got, err)
	}
	carry([]byte("GLM\x09 of years to come"))
	s.ask("GET", path, "").want(t, 404, "cannot be read")
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

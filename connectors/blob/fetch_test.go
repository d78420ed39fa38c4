package blob_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gleaner/connectors/blob"
	"gleaner/schemas"
)

func TestFetch(t *testing.T) {
	image := bytes.Repeat([]byte("pixel"), 100)
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(image) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		for range 10 { // without a Content-Length
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
			w.(http.Flusher).Flush()
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	dir := t.TempDir()
	folder, secret := filepath.Join(dir, "shared"), filepath.Join(dir, "secret.jpg")
	for _, err := range []error{
		os.Mkdir(folder, 0o755), os.WriteFile(secret, image, 0o644), os.WriteFile(filepath.Join(folder, "a.jpg"), image, 0o644),
		os.Symlink(secret, filepath.Join(folder, "link.jpg")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	open := blob.FetchConfig{MaxBytes: 4096, Timeout: 10 * time.Second, AllowPrivate: true, Folders: []string{folder}}
	public := blob.DefaultFetchConfig()
	const worth = "worth a retry"
	for _, c := range []struct {
		name, url string
		cfg       blob.FetchConfig
		want      string // fault reason, empty: the image
	}{
		{"web", server.URL + "/ok", open, ""},
		{"redirect", server.URL + "/moved", open, ""},
		{"absent", server.URL + "/absent", open, "not-found"},
		{"busy", server.URL + "/busy", open, worth},
		{"huge", server.URL + "/huge", open, "too-large"},
		{"nobody listens", "http://127.0.0.1:1/x", open, worth},
		{"private", server.URL + "/ok", public, "forbidden-url"},
		{"link-local", "http://169.254.169.254/latest/meta-data", public, "forbidden-url"},
		{"private v6", "http://[fd00::1]/x", public, "forbidden-url"},
		{"carrier's own, a cloud's credentials", "http://100.100.100.200/latest/meta-data", public, "forbidden-url"},
		{"protocol assignments, another's", "http://192.0.0.192/opc", public, "forbidden-url"},
		{"private within v6", "http://[64:ff9b::169.254.169.254]/x", public, "forbidden-url"},
		{"private within 6to4", "http://[2002:a9fe:a9fe::]/x", public, "forbidden-url"},
		{"mapped", "http://[::ffff:127.0.0.1]/x", public, "forbidden-url"},
		{"file", "file://" + folder + "/a.jpg", open, ""},
		{"file absent", "file://" + folder + "/b.jpg", open, "not-found"},
		{"file outside", "file://" + secret, open, "forbidden-url"},
		{"file above", "file://" + folder + "/../secret.jpg", open, "forbidden-url"},
		{"file by link", "file://" + folder + "/link.jpg", open, "not-found"},
		{"folder", "file://" + folder, open, "forbidden-url"},
		{"no folder allowed", "file://" + folder + "/a.jpg", public, "forbidden-url"},
		{"scheme", "ftp://example.org/a.jpg", open, "forbidden-url"},
		{"not a URL", "http://[", open, "forbidden-url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := blob.NewFetcher(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			var done, total int64
			f.Progress = func(d, t int64) { done, total = d, t }
			data, err := f.Fetch(t.Context(), c.url)
			if err == nil && (done != int64(len(data)) || total != done) {
				t.Errorf("of %d bytes the last progress is %d of %d", len(data), done, total)
			}
			switch fault, ok := schemas.AsFault(err); {
			case c.want == "":
				if err != nil || !bytes.Equal(data, image) {
					t.Errorf("%d bytes, error %v", len(data), err)
				}
			case c.want == worth:
				if err == nil || ok {
					t.Errorf("error %v, want one that is no fault", err)
				}
			case !ok || fault.Reason != c.want:
				t.Errorf("error %v, want a fault %q", err, c.want)
			}
		})
	}
	var bad *schemas.Fault
	if _, err := blob.NewFetcher(blob.FetchConfig{Folders: []string{"relative"}, MaxBytes: 1, Timeout: 1}); err == nil || errors.As(err, &bad) {
		t.Errorf("relative folder: error %v", err)
	}
}

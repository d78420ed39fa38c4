package blob_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"gleaner/connectors/blob"
)

// bucketURL starts an S3-compatible server in the process and returns the URL of a fresh bucket on it.
func bucketURL(t *testing.T) string {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	backend := s3mem.New()
	if err := backend.CreateBucket("images"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return "s3://images?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL)
}

func TestBucketRace(t *testing.T) {
	at := bucketURL(t)
	var wg sync.WaitGroup
	var created [20]atomic.Int32
	for r := range racers {
		s := open(t, at+"&prefix=shared/")
		wg.Go(func() {
			for i := range created {
				key, own := fmt.Sprintf("owners/%d", i), fmt.Sprintf("racer%d", r)
				existing, first, err := s.PutNew(t.Context(), key, []byte(own))
				if err != nil {
					t.Error(err)
					return
				}
				if first {
					created[i].Add(1)
					existing = []byte(own)
				}
				got, err := s.Get(t.Context(), key)
				if err != nil || string(got) != string(existing) {
					t.Errorf("key %s holds %q, the call said %q: %v", key, got, existing, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range created {
		if n := created[i].Load(); n != 1 {
			t.Errorf("key %d was created %d times", i, n)
		}
	}
	for key, err := range open(t, at).List(t.Context(), "") {
		if err != nil || !strings.HasPrefix(key, "shared/owners/") {
			t.Errorf("key %q outside of the prefix: %v", key, err)
		}
	}
}

func TestBucketMissing(t *testing.T) {
	at := strings.Replace(bucketURL(t), "s3://images", "s3://absent", 1)
	_, err := blob.Open(t.Context(), blob.Config{URL: at})
	if err == nil || !strings.Contains(err.Error(), "bucket absent: it does not exist") {
		t.Errorf("error %v, want that the bucket does not exist", err)
	}
}

// TestHungBucketIsLeft asks a bucket that answers once, so that it can be opened, and then not until the test ends.
func TestHungBucketIsLeft(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	over := make(chan struct{})
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			<-over
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	defer close(over)
	s, err := blob.Open(t.Context(), blob.Config{
		URL: "s3://images?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(server.URL), Timeout: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, call := range map[string]func() error{
		"put":     func() error { return s.Put(t.Context(), "a", []byte("b")) },
		"put new": func() error { _, _, err := s.PutNew(t.Context(), "a", []byte("b")); return err },
		"get":     func() error { _, err := s.Get(t.Context(), "a"); return err },
		"delete":  func() error { return s.Delete(t.Context(), "a") },
		"list": func() error {
			for _, err := range s.List(t.Context(), "a") {
				return err
			}
			return nil
		},
	} {
		if err := call(); err == nil || errors.Is(err, fs.ErrNotExist) || t.Context().Err() != nil {
			t.Errorf("%s: error %v, want that the time is over", name, err)
		}
	}
}

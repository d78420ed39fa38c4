package conntest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
)

// Store checks that a blob store keeps its contract. open returns a store that other tests do not write to, or the same one
// at every call: the suite uses keys of its own.
func Store(t *testing.T, open func(t *testing.T) Blobs) {
	cases := []struct {
		name string
		run  func(t *testing.T, s Blobs, root string)
	}{
		{"put, get, replace", putGet},
		{"missing is fs.ErrNotExist", missing},
		{"put-new keeps the first", putNew},
		{"put-new has one winner", putNewRace},
		{"put-new of several keys", putNewEach},
		{"delete", deletion},
		{"list by prefix", list},
		{"keys of all shapes", keys},
		{"callers keep their bytes", ownBytes},
		{"a context that has ended", endedContext},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t), "conntest/"+rand.Text()+"/") })
	}
}

func putGet(t *testing.T, s Blobs, root string) {
	big := make([]byte, 5<<20)
	_, _ = rand.Read(big)
	for _, data := range [][]byte{{}, []byte("one"), big, []byte("two")} {
		if err := s.Put(t.Context(), root+"a", data); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), root+"a"); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("put %d bytes, got %d, error %v", len(data), len(got), err)
		}
	}
}

func missing(t *testing.T, s Blobs, root string) {
	if _, err := s.Get(t.Context(), root+"none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get of a missing key: %v", err)
	}
	if err := s.Put(t.Context(), root+"folder/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), root+"folder"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get of a key that is only the beginning of another: %v", err)
	}
}

func putNew(t *testing.T, s Blobs, root string) {
	existing, created, err := s.PutNew(t.Context(), root+"a", []byte("first"))
	if err != nil || !created {
		t.Fatalf("put-new of a new key: created %v, existing %q, error %v", created, existing, err)
	}
	existing, created, err = s.PutNew(t.Context(), root+"a", []byte("second"))
	if err != nil || created || string(existing) != "first" {
		t.Fatalf("put-new of a key in use: created %v, existing %q, error %v", created, existing, err)
	}
	if got, err := s.Get(t.Context(), root+"a"); err != nil || string(got) != "first" {
		t.Fatalf("after both: %q, %v", got, err)
	}
}

func putNewRace(t *testing.T, s Blobs, root string) {
	for round := range 20 {
		key := fmt.Sprint(root, round)
		const n = 16
		var group sync.WaitGroup
		var mu sync.Mutex
		var winners []string
		saw := map[string]int{}
		for i := range n {
			group.Go(func() {
				mine := fmt.Sprintf("%d-%s", i, bytes.Repeat([]byte{'x'}, 10_000)) // long enough to be seen half-written
				existing, created, err := s.PutNew(t.Context(), key, []byte(mine))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Errorf("put-new: %v", err)
				case created:
					winners = append(winners, mine)
				default:
					saw[string(existing)]++
				}
			})
		}
		group.Wait()
		if len(winners) != 1 {
			t.Fatalf("%d of %d concurrent put-new won", len(winners), n)
		}
		if saw[winners[0]] != n-1 {
			t.Fatalf("of %d losers %d were shown the winner's bytes", n-1, saw[winners[0]])
		}
		if got, err := s.Get(t.Context(), key); err != nil || string(got) != winners[0] {
			t.Fatalf("what is stored is not the winner's: %v", err)
		}
	}
}

func putNewEach(t *testing.T, s Blobs, root string) {
	a, b, c := root+"a", root+"folder/b", root+"c"
	put := func(value string, want int, other string, keys ...string) {
		t.Helper()
		if n, existing, err := s.PutNewEach(t.Context(), []byte(value), keys...); err != nil || n != want || string(existing) != other {
			t.Errorf("put-new of %q under %q: %d have it, the next has %q, error %v, want %d and %q", value, keys, n, existing, err, want, other)
		}
	}
	has := func(key, want string) {
		t.Helper()
		if got, err := s.Get(t.Context(), key); string(got) != want || (want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s has %q, error %v, want %q", key, got, err, want)
		}
	}
	put("one", 1, "", a)
	put("one", 2, "", a, b) // as a retry does that had come to the first
	put("two", 1, "one", c, b, a)
	has(a, "one")
	has(b, "one")
	has(c, "two")
	// Each key goes its own way from there.
	if err := s.Put(t.Context(), a, []byte("three")); err != nil {
		t.Fatal(err)
	}
	has(b, "one")
	if err := s.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	has(a, "three")
	put("one", 0, "three", a, b)
	has(b, "")
}

func deletion(t *testing.T, s Blobs, root string) {
	if err := s.Put(t.Context(), root+"a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), root+"a"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), root+"a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get after delete: %v", err)
	}
	if err := s.Delete(t.Context(), root+"a"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("delete of a missing key: %v", err)
	}
	if _, created, err := s.PutNew(t.Context(), root+"a", []byte("y")); err != nil || !created {
		t.Errorf("put-new after delete: created %v, error %v", created, err)
	}
}

func list(t *testing.T, s Blobs, root string) {
	want := []string{root + "a-b", root + "a.b", root + "a/1", root + "a/2", root + "a/b/3", root + "ab"} // as paths in another order
	for _, k := range append(want, root+"c/4") {
		if err := s.Put(t.Context(), k, []byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{"a": want, "a/": want[2:5], "a/b": want[4:5], "a.": want[1:2], "a/b/3/": nil, "none": nil} {
		if got := listed(t, s, root+prefix); !slices.Equal(got, want) {
			t.Errorf("list of %s: %q, want %q", prefix, got, want)
		}
	}
	for _, err := range s.List(t.Context(), root) { // may be left early
		if err != nil {
			t.Error(err)
		}
		break
	}
}

// listed returns the keys as they come.
func listed(t *testing.T, s Blobs, prefix string) []string {
	t.Helper()
	var out []string
	for k, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %s: %v", prefix, err)
		}
		out = append(out, k)
	}
	return out
}

func keys(t *testing.T, s Blobs, root string) {
	for _, k := range []string{"x.jpg", "deep/er/and/deeper", "ünïcode/図", "with space", "a+b=c&d", "%41", "UPPER", "upper", "#1?2"} {
		if err := s.Put(t.Context(), root+k, []byte(k)); err != nil {
			t.Errorf("put %q: %v", k, err)
			continue
		}
		if got, err := s.Get(t.Context(), root+k); err != nil || string(got) != k {
			t.Errorf("get %q: %q, %v", k, got, err)
		}
		if !slices.Contains(listed(t, s, root), root+k) {
			t.Errorf("list leaves out %q", k)
		}
	}
}

func ownBytes(t *testing.T, s Blobs, root string) {
	mine := []byte("mine")
	if err := s.Put(t.Context(), root+"a", mine); err != nil {
		t.Fatal(err)
	}
	mine[0] = 'X'
	got, err := s.Get(t.Context(), root+"a")
	if err != nil || string(got) != "mine" {
		t.Fatalf("changed behind the store's back: %q, %v", got, err)
	}
	got[0] = 'Y'
	if again, err := s.Get(t.Context(), root+"a"); err != nil || string(again) != "mine" {
		t.Fatalf("changed behind the store's back: %q, %v", again, err)
	}
}

func endedContext(t *testing.T, s Blobs, root string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, root+"a", []byte("x")); err == nil {
		if _, err := s.Get(t.Context(), root+"a"); err != nil {
			t.Errorf("put under a context that has ended returned no error, yet: %v", err)
		}
	}
}

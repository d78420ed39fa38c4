package schemas

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestParseModelID(t *testing.T) {
	if name, version, err := ParseModelID("my model@2.1-rc"); err != nil || name != "my model" || version != "2.1-rc" {
		t.Errorf("%q, %q, %v", name, version, err)
	}
	for _, id := range []string{"", "a", "@", "a@", "@1", "a@1@2", "a/b@1", "a@1/2", "a,b@1", "a+b@1", "a@1+2", "a@1+b@1", "a\n@1", strings.Repeat("a", 79) + "@1"} {
		if _, _, err := ParseModelID(id); err == nil || !strings.Contains(err.Error(), "want name@version") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestModelSetValidate(t *testing.T) {
	for _, s := range []ModelSet{
		{}, {Models: []string{"a@1"}}, {Models: []string{"a@1", "b@1"}, Canary: []string{"a@2", "b@1"}, Share: 0.5},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for want, s := range map[string]ModelSet{
		"want name@version":            {Models: []string{"a"}},
		"a@1 is named twice":           {Models: []string{"a@1", "b@1", "a@1"}},
		"b@1 is named twice":           {Models: []string{"a@1"}, Canary: []string{"b@1", "b@1"}, Share: 0.1},
		"share 1: must be above 0":     {Models: []string{"a@1"}, Canary: []string{"b@1"}, Share: 1},
		"share -0.1: must":             {Models: []string{"a@1"}, Canary: []string{"b@1"}, Share: -0.1},
		"share NaN":                    {Models: []string{"a@1"}, Canary: []string{"b@1"}, Share: math.NaN()},
		"a canary needs models and a":  {Models: []string{"a@1"}, Share: 0.1},
		"models for the rest":          {Canary: []string{"b@1"}, Share: 0.1},
		"needs models and a share abo": {Models: []string{"a@1"}, Canary: []string{"b@1"}},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	if err := (Serving{Dataset: "d", Previous: &ModelSet{Share: 2}}).Validate(); err == nil || !strings.Contains(err.Error(), "serving d: previous: ") {
		t.Errorf("%v", err)
	}
	if err := (Serving{}).Validate(); err == nil {
		t.Error("no dataset is good")
	}
}

// TestCanary draws many samples: the canary has its share of them within 5 standard deviations, other canaries have others, and
// a greater share takes none away.
func TestCanary(t *testing.T) {
	const n = 20_000
	some := ModelSet{Models: []string{"a@1"}, Canary: []string{"a@2"}, Share: 0.1}
	more, other := some, some
	more.Share, other.Canary = 0.3, []string{"a@3"}
	var picked, both int
	for i := range uint64(n) {
		var id SampleID
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		copy(id[:], sum[:])
		is := slices.Equal(some.For(id), some.Canary)
		if !is && !slices.Equal(some.For(id), some.Models) {
			t.Fatalf("neither: %v", some.For(id))
		}
		if is {
			picked++
			if !slices.Equal(more.For(id), more.Canary) {
				t.Errorf("%s left the canary as its share grew", id)
			}
			if slices.Equal(other.For(id), other.Canary) {
				both++
			}
		}
	}
	within := func(what string, got, of int) {
		if mean, sd := 0.1*float64(of), math.Sqrt(0.09*float64(of)); math.Abs(float64(got)-mean) > 5*sd {
			t.Errorf("%s: %d of %d", what, got, of)
		}
	}
	within("canary", picked, n)
	within("canaries of different models", both, picked)
}

package prelabel

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
)

func entry(id string, digest byte, classes ...string) schemas.Model {
	name, version, _ := schemas.ParseModelID(id)
	h := schemas.Hash{digest}
	return schemas.Model{
		ID: id, Name: name, Version: version, SHA256: h, File: schemas.BlobRef{Key: schemas.ModelKey(h)}, Task: schemas.TaskDetect,
		Classes: append([]string{"cat"}, classes...),
	}
}

func record(tb testing.TB, key string, v any) schemas.Record {
	tb.Helper()
	value, err := schemas.CanonicalJSON(v)
	if err != nil {
		tb.Fatal(err)
	}
	return schemas.Record{Topic: schemas.Models, Key: []byte(key), Value: value}
}

func serving(dataset string, models ...string) schemas.Serving {
	return schemas.Serving{Dataset: dataset, ModelSet: schemas.ModelSet{Models: models}, Actor: "test", At: time.Now()}
}

func TestRegistry(t *testing.T) {
	r := NewRegistry()
	for _, rec := range []schemas.Record{
		record(t, "a@1", entry("a@1", 1, "dog")),
		record(t, "a@1", entry("a@1", 2)), // too late
		record(t, "b@1", entry("b@1", 3, "eel")),
		record(t, "serving/*", serving("*", "b@1")),
		record(t, "serving/*", serving("*", "a@1")),
		record(t, "serving/a/b", serving("a/b", "b@1")),
		record(t, "removed/b@1", schemas.ModelRemoval{ID: "b@1"}),
		record(t, "serving/gone", serving("gone", "b@1")),
		{Key: []byte("serving/gone")},
		record(t, "serving/none", serving("none")),
	} {
		if err := r.Apply(rec); err != nil {
			t.Error(err)
		}
	}
	if m := r.Models["a@1"]; m.SHA256 != (schemas.Hash{1}) || len(r.Models) != 2 || len(r.Removed) != 1 {
		t.Errorf("%+v", r)
	}
	for dataset, want := range map[string]string{"street": "a@1", "a/b": "b@1", "gone": "a@1", "none": "a@1"} {
		if got := r.Serves(dataset).Models; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is served by %v, want %s", dataset, got, want)
		}
	}
	before := r.Clone()
	for want, rec := range map[string]schemas.Record{
		`record "a@2": it is that of "a@1"`:  record(t, "a@2", entry("a@1", 1)),
		`it is that of "x"`:                  record(t, "serving/y", serving("x", "a@1")),
		`it is that of "b@1"`:                record(t, "removed/a@1", schemas.ModelRemoval{ID: "b@1"}),
		`a canary needs`:                     record(t, "serving/x", schemas.Serving{Dataset: "x", ModelSet: schemas.ModelSet{Share: 0.5}}),
		`is not where digest`:                record(t, "c@1", schemas.Model{ID: "c@1", Name: "c", Version: "1", Classes: []string{"cat"}}),
		`it has no classes`:                  record(t, "c@1", schemas.Model{ID: "c@1", Name: "c", Version: "1", File: schemas.BlobRef{Key: schemas.ModelKey(schemas.Hash{})}}),
		`its name is "d"`:                    record(t, "c@1", schemas.Model{ID: "c@1", Name: "d", Version: "1"}),
		`invalid character`:                  {Key: []byte("d@1"), Value: []byte("?")},
		`want name@version`:                  record(t, "other", schemas.Model{ID: "other"}),
		`no dataset is named`:                record(t, "serving/", serving("")),
		`"removed/other": model "other": wa`: record(t, "removed/other", schemas.ModelRemoval{ID: "other"}),
	} {
		if err := r.Apply(rec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", rec.Key, err, want)
		}
	}
	if len(r.Models) != len(before.Models) || len(r.Serving) != len(before.Serving) || len(r.Removed) != len(before.Removed) {
		t.Errorf("records that are refused changed %+v to %+v", before, r)
	}
}

// FuzzRegistry applies records of any content: what is taken in is valid and under its own name.
func FuzzRegistry(f *testing.F) {
	for _, rec := range []schemas.Record{
		record(f, "a@1", entry("a@1", 1)), record(f, "serving/*", serving("*", "a@1")), record(f, "removed/a@1", schemas.ModelRemoval{ID: "a@1"}),
	} {
		f.Add(rec.Key, rec.Value)
	}
	f.Add([]byte("serving/d"), []byte(`{"dataset":"d","models":["a@1"],"canary":["a@2"],"share":1e-300,"previous":{"models":null}}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r := NewRegistry()
		if r.Apply(schemas.Record{Key: key, Value: value}) != nil {
			return
		}
		for name, s := range r.Serving {
			if err := s.Validate(); err != nil || name != s.Dataset {
				t.Errorf("%s: %+v: %v", name, s, err)
			}
			s.For(schemas.SampleID{1})
		}
		for id, m := range r.Models {
			if err := m.Validate(); err != nil || id != m.ID {
				t.Errorf("%s: %+v: %v", id, m, err)
			}
		}
	})
}

package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// TestBadFiles holds each file that cannot be right to say what is wrong and where.
func TestBadFiles(t *testing.T) {
	predicate := func(when string) string {
		return "dataset: d\npredicates:\n  - name: p\n    when: " + when + "\n    message: m\n"
	}
	object := func(rule string) string { return "dataset: d\nobjects:\n  - {class: c, " + rule + "}\n" }
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"empty":              {"", []string{"empty", "dataset: NAME"}},
		"comments alone":     {"# nothing\n", []string{"empty"}},
		"no dataset":         {"objects: [{class: a}]\n", []string{"dataset: \"\": want the name"}},
		"name with version":  {"dataset: d@1\n", []string{"[1:10]", "dataset"}},
		"a list":             {"- a\n", []string{"[1:1]", "mapping is expected"}},
		"not YAML":           {"dataset: [\n", []string{"[1:10]", "']' not found"}},
		"two documents":      {"dataset: a\n---\ndataset: b\n", []string{"second document"}},
		"misspelled":         {"dataset: d\nobject: []\n", []string{"[2:1]", `unknown field "object"`}},
		"misspelled within":  {object("minsize: {width: 3}"), []string{"[3:16]", `unknown field "minsize"`}},
		"registry's field":   {"dataset: d\nid: d@1\n", []string{"[2:1]", `unknown field "id"`}},
		"alias":              {"dataset: &d x\ntaxonomy: *d\n", []string{"[1:10]", "anchors"}},
		"tag":                {"dataset: !name x\n", []string{"[1:10]", "tags"}},
		"taxonomy":           {"dataset: d\ntaxonomy: animals\n", []string{"[2:11]", "name@version"}},
		"class twice":        {"dataset: d\nobjects:\n  - class: a\n  - class: a\n", []string{"[4:12]", `"a" is there twice`}},
		"no class":           {"dataset: d\nobjects:\n  - max_count: 3\n", []string{"[3:", "objects[0].class"}},
		"target of all":      {"dataset: d\ntarget_quality: 1\n", []string{"[2:17]", "target_quality: 1: want a share between .5 and .995"}},
		"audits for nothing": {"dataset: d\naudit_share: .1\n", []string{"audit_share", "without a target_quality"}},
		"audits before":      {"dataset: d\naccept_before_audits: true\n", []string{"accept_before_audits", "without a target_quality"}},
		"too few audits":     {"dataset: d\ntarget_quality: .95\naudit_share: .04\n", []string{"audit_share: 0.04: want a share between 0.06", "and 1"}},
		"negative size":      {object("min_size: {width: -1}"), []string{"[3:34]", "min_size.width: -1"}},
		"size as text":       {object("min_size: {width: 8px}"), []string{"[3:34]", "8px"}},
		"share above 1":      {object("min_size: {area: 2, unit: share}"), []string{"min_size.area: 2", "at most 1"}},
		"unit":               {object("min_size: {area: 2, unit: cm}"), []string{`"cm"`, "pixels or share"}},
		"size not a number":  {object("min_size: {width: .nan}"), []string{"min_size.width: NaN"}},
		"attribute's name":   {object("attributes: [{name: 'a b'}]"), []string{"attributes[0].name", `"a b"`}},
		"attribute twice":    {object("attributes: [{name: a}, {name: a}]"), []string{"attributes[1].name", "twice"}},
		"empty value":        {object("attributes: [{name: a, values: ['']}]"), []string{"attributes[0].values"}},
		"occlusion":          {object("occlusion: {policy: hide}"), []string{"occlusion.policy", "label, skip or mark"}},
		"share of occlusion": {object("occlusion: {policy: skip, above: 80}"), []string{"occlusion.above: 80", "below 1"}},
		"above without skip": {object("occlusion: {policy: mark, above: 0.8}"), []string{"occlusion.above", "policy: skip"}},
		"truncation":         {object("truncation: no"), []string{"truncation", "label, skip or mark"}},
		"max_count":          {object("max_count: -3"), []string{"[3:27]", "max_count: -3"}},
		"severity":           {object("severity: fatal"), []string{"severity", "error or warn"}},
		"no message":         {"dataset: d\npredicates:\n  - {name: p, when: 'true'}\n", []string{"[3:", "message"}},
		"name of predicate":  {"dataset: d\npredicates:\n  - {name: p q, when: 'true', message: m}\n", []string{"[3:12]", "a letter first"}},
		"built-in name":      {"dataset: d\nimage:\n  - {name: min_size, when: 'true', message: m}\n", []string{"[3:12]", "take another"}},
		"name twice":         {"dataset: d\npredicates: [{name: p, when: 'true', message: m}]\nimage: [{name: p, when: 'true', message: m}]\n", []string{"[3:16]", `"p" is there twice`}},
		"applies":            {"dataset: d\npredicates: [{name: p, when: 'true', message: m, applies: all}]\n", []string{"applies", "label, proposal or both"}},
		"image on proposals": {"dataset: d\nimage: [{name: p, when: 'true', message: m, applies: both}]\n", []string{"applies", "labels alone"}},
		"no expression":      {predicate("''"), []string{"[4:11]", `predicate "p"`, "no expression"}},
		"syntax":             {predicate("object.width >"), []string{"[4:11]", `predicate "p"`, "line 1, column 15", "object.width >\n"}},
		"misspelled field":   {predicate("object.widht > 2.0"), []string{"[4:11]", `predicate "p"`, "line 1, column 7", "undefined field 'widht'", "\n          ^"}},
		"second line":        {predicate("|\n      object.width > 2.0 &&\n      object.hight > 2.0"), []string{"[4:11]", "line 2, column 7", "'hight'"}},
		"whole number":       {predicate("object.width * 2 > 3.0"), []string{"column 14", "such as 2.0"}},
		"no condition":       {predicate("object.width"), []string{"is a double", "true or false"}},
		"objects of one":     {predicate("objects.size() > 3"), []string{"undeclared reference to 'objects'"}},
		"object of all":      {"dataset: d\nimage: [{name: p, when: 'object.width > 2.0', message: m}]\n", []string{"undeclared reference to 'object'"}},
		"function":           {predicate("iou(object, 3) > 0.5"), []string{"no matching overload for 'iou'"}},
		"bad pattern":        {predicate("object.class.matches('(')"), []string{"column 22", "invalid matches argument"}},
		"huge pattern":       {predicate("object.class.matches('(a{30}){30}(b{30}){30}')"), []string{"regex program size"}},
		"deep brackets":      {predicate(strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100)), []string{"recursion limit"}},
		"deep loops":         {predicate("'[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))'"), []string{"nesting limit"}},
		"long expression":    {predicate(`"'` + strings.Repeat("x", 3000) + `' == ''"`), []string{"size exceeds limit"}},
		"decision":           {"dataset: d\ndecisions:\n  - {name: x, action: remove, when: aum < 0}\n  - {name: y, action: review, when: amu < 0.0}\n", []string{"[4:37]", `decision "y"`, "undeclared reference to 'amu'"}},
		"decision twice":     {"dataset: d\ndecisions: [{name: x, action: remove, when: 'true'}, {name: x, action: coreset, when: 'true'}]\n", []string{"[2:61]", `"x" is there twice`}},
		"nested file":        {"dataset: " + strings.Repeat("[", 1000), []string{"[1:1]", "nested too deeply"}},
		"nested lines":       {strings.Repeat("[\n", 1000), []string{"[101:1]", "nested too deeply"}},
		"large file":         {"dataset: d\n" + strings.Repeat("#\n", 1<<17), []string{"rules have at most"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]byte(c.file))
			if err == nil {
				t.Fatal("it is read")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in:\n%v", want, err)
				}
			}
		})
	}
}

// TestAllThatIsWrong holds one reading of a file to name every mistake in it.
func TestAllThatIsWrong(t *testing.T) {
	_, err := Read([]byte("dataset: d\nobjects: [{class: a, max_count: -1}]\npredicates: [{name: p, when: object.x, message: m}, {name: q, when: '1', message: m}]\n"))
	if err == nil || strings.Count(err.Error(), "[2:")+strings.Count(err.Error(), "[3:") != 3 {
		t.Errorf("%v: want three mistakes", err)
	}
}

// crowd is a sample of many objects, one on another.
func crowd(n int) schemas.Sample {
	s := schemas.Sample{Dataset: "d", Image: schemas.ImageRef{W: 1000, H: 1000}}
	for i := range n {
		s.Objects = append(s.Objects, schemas.Object{ID: fmt.Sprintf("o%d", i), Class: strings.Repeat("x", 100), Box: geometry.Box{X2: float32(i), Y2: float32(i)}})
	}
	return s
}

// TestHostile holds expressions that would take for ever, or all memory, to end by their bounds and to say so.
func TestHostile(t *testing.T) {
	s := crowd(500)
	for name, c := range map[string]struct{ when, want string }{
		"cubic loop":      {`objects.all(a, objects.all(b, objects.all(c, iou(a, b) + iou(b, c) >= 0.0)))`, "too many operations"},
		"growing list":    {`[0, 1].map(x, [objects + objects].map(a, a + a + a + a + a + a + a + a).map(a, a + a + a + a + a + a + a + a)).size() > 100`, "too much memory"},
		"huge list":       {`[objects + objects].map(a, a + a + a + a + a + a + a + a).map(a, a + a + a + a + a + a + a + a + a + a + a + a + a).exists(a, a.exists(o, o.width < 0.0))`, "too much memory"},
		"growing string":  {`['` + strings.Repeat("x", 900) + `'].map(a, ` + strings.Repeat("a + ", 40) + `a).map(a, ` + strings.Repeat("a + ", 40) + `a).map(a, ` + strings.Repeat("a + ", 40) + `a)[0].size() > 100`, "too many operations"},
		"pattern of data": {`objects.all(a, objects.all(b, !a.class.matches("(x+x+)+y" + b.class)))`, "too many operations"},
		"division":        {`1 / (objects.size() - 500) == 1`, "division by zero"},
		"index":           {`objects[1000].width > 1.0`, "index out of bounds"},
	} {
		t.Run(name, func(t *testing.T) {
			r := schemas.DatasetRules{Dataset: "d", Image: []schemas.Predicate{{Name: "hostile", When: c.when, Message: "m"}, {Name: "tame", When: "objects.size() == 500", Message: "all are there"}}}
			set, err := Compile(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := set.Check(t.Context(), &s, s.Objects)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 2 || got[0].Severity != schemas.SeverityWarn || !strings.HasPrefix(got[0].Message, "The rule hostile cannot be evaluated: ") || !strings.Contains(got[0].Message, c.want) || got[1].Message != "all are there" {
				t.Errorf("%+v, want %q and the next rule", got, c.want)
			}
		})
	}
}

// TestSampleIsBounded holds many predicates, each within its bound, to be bounded together.
func TestSampleIsBounded(t *testing.T) {
	s := crowd(200)
	r := schemas.DatasetRules{Dataset: "d"}
	for i := range 50 {
		r.Image = append(r.Image, schemas.Predicate{Name: fmt.Sprintf("p%d", i), When: "objects.exists(a, objects.exists(b, iou(a, b) > 2.0))", Message: "m"})
	}
	set, err := Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := set.Check(t.Context(), &s, s.Objects)
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Message, "together they take too many operations") {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestInterrupted holds a check to end with its context and to say why.
func TestInterrupted(t *testing.T) {
	s := crowd(500)
	set, err := Compile(schemas.DatasetRules{Dataset: "d", Image: []schemas.Predicate{{Name: "p", When: "objects.all(a, objects.all(b, iou(a, b) >= 0.0))", Message: "m"}}})
	if err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if _, err := set.Check(ctx, &s, s.Objects); !errors.Is(err, stopped) {
		t.Errorf("%v, want %v", err, stopped)
	}
}

// TestWithoutRules holds every object to be kept and none to be against anything where a dataset has no rules, or other
// datasets alone have some.
func TestWithoutRules(t *testing.T) {
	var registry Registry
	if err := registry.Put(schemas.DatasetRules{Dataset: "other", Objects: []schemas.ObjectRule{{Class: "cat"}}}); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := schemas.Sample{Dataset: "mine", Image: schemas.ImageRef{W: r.IntN(100), H: r.IntN(100)}}
		for i := range r.IntN(50) {
			s.Objects = append(s.Objects, schemas.Object{
				ID: fmt.Sprint(i), Class: fmt.Sprint("c", r.IntN(9)), Score: r.Float32(),
				Box: geometry.Box{X1: 100 * r.Float32(), Y1: 100 * r.Float32(), X2: 100 * r.Float32(), Y2: 100 * r.Float32()},
			})
		}
		violations, err := registry.Check(t.Context(), &s, s.Objects)
		if err != nil || len(violations) != 0 {
			t.Fatalf("seed %d: %v, %v", seed, violations, err)
		}
		if kept, err := registry.Keep(t.Context(), &s, s.Objects); err != nil || !reflect.DeepEqual(kept, s.Objects) {
			t.Fatalf("seed %d: %d of %d are kept, %v", seed, len(kept), len(s.Objects), err)
		}
	}
}

// TestRegistry holds rules that do not compile to leave those before in force.
func TestRegistry(t *testing.T) {
	var registry Registry
	if err := registry.Put(schemas.DatasetRules{Dataset: "d", Objects: []schemas.ObjectRule{{Class: "cat"}}}); err != nil {
		t.Fatal(err)
	}
	if err := registry.Put(schemas.DatasetRules{Dataset: "d", Predicates: []schemas.Predicate{{Name: "p", When: "object.new_field", Message: "m"}}}); err == nil {
		t.Fatal("they compile")
	}
	if r, ok := registry.Rules("d"); !ok || len(r.Objects) != 1 {
		t.Errorf("%+v, %v", r, ok)
	}
}

func TestCompare(t *testing.T) {
	from, err := Read([]byte("dataset: d\ntaxonomy: a@1\nobjects: [{class: cat, min_size: {width: 8}}, {class: dog}]\npredicates: [{name: p, when: 'true', message: m}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read([]byte("dataset: d\ntarget_quality: .95\naudit_share: .06\n")); err != nil {
		t.Errorf("the least share of audits: %v", err)
	}
	to, err := Read([]byte("dataset: d\ntaxonomy: a@2\ntarget_quality: .95\nobjects: [{class: eel}, {class: cat, min_size: {width: 10}, max_count: 3}]\npredicates: [{name: p, when: 'false', message: m}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Compare(from.Rules(), to.Rules())
	want := []Change{
		{"class cat: max_count", "", "3"},
		{"class cat: min_size", `{"width":8}`, `{"width":10}`},
		{"class dog", `{"class":"dog"}`, ""},
		{"class eel", "", `{"class":"eel"}`},
		{"predicate p: when", `"true"`, `"false"`},
		{"target_quality", "", "0.95"},
		{"taxonomy: is", `"a@1"`, `"a@2"`},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if same, err := Compare(from.Rules(), from.Rules()); err != nil || len(same) != 0 {
		t.Errorf("with itself: %+v, %v", same, err)
	}
}

// FuzzRead holds any file to be refused or applied within bounds, to survive the registry's JSON, and to mean the same there.
func FuzzRead(f *testing.F) {
	cases, err := os.ReadFile("testdata/check.txt")
	if err != nil {
		f.Fatal(err)
	}
	for block := range strings.SplitSeq(string(cases), "\n\n") {
		if strings.HasPrefix(block, "    ") {
			f.Add([]byte(strings.ReplaceAll(block[4:], "\n    ", "\n")))
		}
	}
	for _, when := range []string{
		"objects.all(a, objects.all(b, iou(a, b) < 1.0))", "[objects].map(a, a + a).map(a, a + a)[0].size() > 3", `"x".matches("(a+)+")`,
		"object{class: 'x'} == objects[0]", "type(image) == image", "timestamp('2020-01-01T00:00:00Z') > timestamp(0)", "dyn(objects)[0].foo.bar",
	} {
		f.Add([]byte("dataset: d\nimage:\n  - name: p\n    when: " + when + "\n    message: m\n"))
	}
	s := crowd(20)
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		defer func() {
			if took := time.Since(start); took > 20*time.Second { // no measure of speed: what has no bound takes minutes
				t.Errorf("it took %s", took)
			}
		}()
		set, err := Read(data)
		if err != nil {
			return
		}
		got, err := set.Check(t.Context(), &s, s.Objects)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := set.Keep(t.Context(), &s, s.Objects)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := set.Rules().Identified(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		value, err := schemas.CanonicalJSON(entry)
		if err != nil {
			t.Fatal(err)
		}
		var back schemas.DatasetRules
		if err := json.Unmarshal(value, &back); err != nil {
			t.Fatal(err)
		}
		again, err := Compile(back)
		if err != nil {
			t.Fatalf("it no longer compiles: %v", err)
		}
		if got2, err := again.Check(t.Context(), &s, s.Objects); err != nil || !reflect.DeepEqual(got, got2) {
			t.Fatalf("%v, %v, before %v", got2, err, got)
		}
		if kept2, err := again.Keep(t.Context(), &s, s.Objects); err != nil || !reflect.DeepEqual(kept, kept2) {
			t.Fatalf("%v, %v, before %v", kept2, err, kept)
		}
	})
}

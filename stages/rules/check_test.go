package rules

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// checkCase is one case of testdata/check.txt.
type checkCase struct {
	name   string
	set    *Set
	sample schemas.Sample
	want   []schemas.Violation
	kept   []string
	drops  bool // kept says what stays
}

// TestCheck plays testdata/check.txt, whose head describes its format.
func TestCheck(t *testing.T) {
	data, err := os.ReadFile("testdata/check.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range parseCases(t, string(data)) {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.set.Check(t.Context(), &c.sample, c.sample.Objects)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("violations: -want +got\n%s", d)
			}
			kept, err := c.set.Keep(t.Context(), &c.sample, c.sample.Objects)
			if err != nil {
				t.Fatal(err)
			}
			if ids := idsOf(kept); c.drops && !slices.Equal(ids, c.kept) || !c.drops && len(ids) != len(c.sample.Objects) {
				t.Errorf("kept %v of %v, want %v", ids, idsOf(c.sample.Objects), c.kept)
			}
		})
	}
}

func idsOf(objects []schemas.Object) []string {
	var out []string
	for _, o := range objects {
		out = append(out, o.ID)
	}
	return out
}

func parseCases(t *testing.T, text string) []checkCase {
	t.Helper()
	var cases []checkCase
	var set *Set
	var file []string
	for n, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "    ") {
			file = append(file, strings.TrimPrefix(line, "    "))
			continue
		}
		if len(file) > 0 {
			var err error
			if set, err = Read([]byte(strings.Join(file, "\n"))); err != nil {
				t.Fatalf("rules above line %d: %v", n+1, err)
			}
			file = nil
		}
		word := strings.Fields(line)
		if len(word) == 0 || word[0] == "#" {
			continue
		}
		if word[0] == "case" {
			c := checkCase{name: strings.Join(word[1:], " "), set: set}
			c.sample.Dataset = set.Rules().Dataset
			cases = append(cases, c)
			continue
		}
		if err := cases[len(cases)-1].read(word); err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
	}
	return cases
}

func (c *checkCase) read(word []string) (err error) {
	number := func(s string) float32 {
		v, e := strconv.ParseFloat(s, 32)
		if e != nil {
			err = e
		}
		return float32(v)
	}
	pairs := func(words []string) map[string]string {
		var m map[string]string
		for _, w := range words {
			k, v, _ := strings.Cut(w, "=")
			if m == nil {
				m = map[string]string{}
			}
			m[k] = v
		}
		return m
	}
	s := &c.sample
	switch word[0] {
	case "image":
		s.Image.W, s.Image.H, s.Slices = int(number(word[1])), int(number(word[2])), pairs(word[3:])
	case "object":
		p := strings.Split(word[3], ",")
		o := schemas.Object{ID: word[1], Class: word[2], Source: "m@1", Attributes: pairs(word[4:])}
		o.Box = geometry.Box{X1: number(p[0]), Y1: number(p[1]), X2: number(p[2]), Y2: number(p[3])}
		if score, ok := o.Attributes["score"]; ok {
			o.Score = number(score)
			delete(o.Attributes, "score")
		}
		_, o.Refine = o.Attributes["refine"]
		delete(o.Attributes, "refine")
		s.Objects = append(s.Objects, o)
	case "violation":
		unevaluated := word[3] == "unevaluated" // which warns
		if unevaluated {
			word[3] = string(schemas.SeverityWarn)
		}
		c.want = append(c.want, schemas.Violation{
			ObjectID: strings.TrimPrefix(word[1], "-"), Rule: word[2], Severity: schemas.Severity(word[3]), Message: strings.Join(word[4:], " "), Unevaluated: unevaluated,
		})
	case "kept":
		c.kept, c.drops = word[1:], true
	default:
		return fmt.Errorf("unknown word %q", word[0])
	}
	return err
}

// TestKeepAgreesWithCheck holds what prelabel keeps to be what lint then has nothing against, as far as both judge alike.
func TestKeepAgreesWithCheck(t *testing.T) {
	set, err := Compile(schemas.DatasetRules{
		Dataset: "d", Objects: []schemas.ObjectRule{
			{Class: "a", MinSize: schemas.MinSize{Width: 20, Area: 600}}, {Class: "b", MinSize: schemas.MinSize{Height: 0.3, Unit: schemas.SizeShare}, Truncation: schemas.PolicySkip},
		},
		Predicates: []schemas.Predicate{{Name: "p", When: "object.x1 > 0.5 * image.width", Message: "m", Applies: schemas.AppliesBoth}},
	})
	if err != nil {
		t.Fatal(err)
	}
	kept, dropped := 0, 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		x, y := 80*r.Float32(), 80*r.Float32()
		s := schemas.Sample{Image: schemas.ImageRef{W: 100, H: 90}, Objects: []schemas.Object{{
			ID: "o", Class: []string{"a", "b", "c"}[r.IntN(3)], Box: geometry.Box{X1: x, Y1: y, X2: x + 60*r.Float32(), Y2: y + 60*r.Float32()},
		}}}
		keeps, err := set.Keep(t.Context(), &s, s.Objects)
		if err != nil {
			t.Fatal(err)
		}
		violations, err := set.Check(t.Context(), &s, s.Objects)
		if err != nil {
			t.Fatal(err)
		}
		if (len(keeps) == 1) != (len(violations) == 0) {
			t.Fatalf("%+v: kept %d, violations %+v", s.Objects[0], len(keeps), violations)
		}
		kept += len(keeps)
		dropped += 1 - len(keeps)
	}
	if kept < 100 || dropped < 100 {
		t.Errorf("%d kept and %d dropped show little", kept, dropped)
	}
}

// BenchmarkKeep is what prelabel pays for 300 proposals under rules with two predicates, ns a sample.
func BenchmarkKeep(b *testing.B) {
	set, err := Read([]byte(`dataset: d
objects: [{class: car, min_size: {width: 8, height: 8}}, {class: person}]
predicates:
  - {name: flat, when: object.width > 5.0 * object.height, message: m, applies: both}
  - {name: sky, when: object.class == "car" && object.y2 < 0.2 * image.height, message: m, applies: both}
`))
	if err != nil {
		b.Fatal(err)
	}
	s := schemas.Sample{Dataset: "d", Image: schemas.ImageRef{W: 640, H: 480}}
	for i := range 300 {
		x := float32(2 * i)
		s.Objects = append(s.Objects, schemas.Object{ID: fmt.Sprint(i), Class: []string{"car", "person", "dog"}[i%3], Box: geometry.Box{X1: x, Y1: 100, X2: x + 40, Y2: 140}})
	}
	for b.Loop() {
		if _, err := set.Keep(b.Context(), &s, s.Objects); err != nil {
			b.Fatal(err)
		}
	}
}

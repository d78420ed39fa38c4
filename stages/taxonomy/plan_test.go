package taxonomy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gleaner/schemas"
)

var gap = regexp.MustCompile(`  +`)

// TestPlans plays testdata/plans.txt, whose head describes its format. Rows of tables are compared but for their padding.
func TestPlans(t *testing.T) {
	data, err := os.ReadFile("testdata/plans.txt")
	if err != nil {
		t.Fatal(err)
	}
	var name, table string
	var models []Model
	var got []string
	for n, line := range strings.Split(string(data), "\n") {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("line %d (%s): %s", n+1, name, fmt.Sprintf(format, args...))
		}
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "", "#":
		case "case":
			name, table, models = rest, header+"\n", nil
		case "model":
			part := strings.SplitN(rest, " ", 3)
			m := Model{ID: part[0], Space: part[1], Metrics: map[string]float64{}}
			for _, c := range strings.Split(part[2], ", ") {
				class, metric, measured := strings.Cut(c, "=")
				m.Classes = append(m.Classes, class)
				if measured {
					if m.Metrics[class], err = strconv.ParseFloat(metric, 64); err != nil {
						fail("%v", err)
					}
				}
			}
			models = append(models, m)
		case "plan":
			if len(got) > 0 {
				fail("rows that nobody expected: %q", got)
			}
			dataset, classes, _ := strings.Cut(rest, " ")
			p, err := tree(t, table).Plan(dataset, Wants(strings.Split(classes, ", ")...), models)
			if err != nil {
				fail("%v", err)
				continue
			}
			var out bytes.Buffer
			if err := p.WriteTable(&out); err != nil {
				fail("%v", err)
			}
			got = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		case ">":
			if len(got) == 0 {
				fail("want %q, but the table has ended", rest)
				continue
			}
			if a, b := gap.ReplaceAllString(got[0], "  "), gap.ReplaceAllString(rest, "  "); a != b {
				fail("got  %s\nwant %s", a, b)
			}
			got = got[1:]
		default:
			table += gap.ReplaceAllString(line, "\t") + "\n"
		}
	}
	if len(got) > 0 {
		t.Errorf("rows that nobody expected: %q", got)
	}
}

func tree(tb testing.TB, table string) *Tree {
	tb.Helper()
	tax, err := ReadTSV(strings.NewReader(table))
	if err != nil {
		tb.Fatal(err)
	}
	tax.ID = "test@1"
	tree, err := Build(tax)
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

// fleet makes models of random classes of a tree.
func fleet(rng *rand.Rand, tree *Tree, n int) []Model {
	models := make([]Model, n)
	for i := range models {
		m := Model{ID: fmt.Sprintf("m%d@1", i), Space: tree.spaces[rng.IntN(len(tree.spaces))], Metrics: map[string]float64{}}
		for _, c := range tree.classes[m.Space] {
			if rng.IntN(3) == 0 {
				m.Classes = append(m.Classes, c)
				if rng.IntN(2) == 0 {
					m.Metrics[c] = rng.Float64()
				}
			}
		}
		models[i] = m
	}
	return models
}

// fitsOf is the best fit of some models to each class, by translating every class of theirs.
func fitsOf(tb testing.TB, tree *Tree, dataset string, wanted []string, models []Model) map[string]Fit {
	tb.Helper()
	best := map[string]Fit{}
	wants, err := tree.wants(dataset, Wants(wanted...))
	if err != nil {
		tb.Fatal(err)
	}
	for _, w := range wants {
		for _, m := range models {
			for _, c := range m.Classes {
				fit, _ := tree.fit(tree.mapped[m.Space][c], w)
				best[w.Class] = max(best[w.Class], fit)
			}
		}
	}
	return best
}

// TestPlanCovers: what any model can do for a class, the chosen ones do; none of them can be left out; and the order of models
// does not matter. Of up to 20 models no smaller set does it.
func TestPlanCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		tree := randomTree(t, rng)
		models := fleet(rng, tree, 1+rng.IntN(30))
		dataset := tree.spaces[0]
		var wanted []string
		for name := range tree.nodes {
			if rng.IntN(3) == 0 {
				wanted = append(wanted, name)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		slices.Sort(wanted)
		p, err := tree.Plan(dataset, Wants(wanted...), models)
		if err != nil {
			t.Fatal(err)
		}
		pick := func(ids []string) []Model {
			return slices.DeleteFunc(slices.Clone(models), func(m Model) bool { return !slices.Contains(ids, m.ID) })
		}
		all, chosen := fitsOf(t, tree, dataset, wanted, models), fitsOf(t, tree, dataset, wanted, pick(p.Models))
		for _, s := range p.Classes {
			if s.Fit != all[s.Class] || s.Fit != chosen[s.Class] || (s.Model == "") != (s.Fit == FitNone) {
				t.Fatalf("round %d: %+v, all models do %s, the chosen %s", round, s, all[s.Class], chosen[s.Class])
			}
		}
		same := func(ids []string) bool {
			got := fitsOf(t, tree, dataset, wanted, pick(ids))
			for class, fit := range all {
				if got[class] != fit {
					return false
				}
			}
			return true
		}
		for i := range p.Models {
			if same(slices.Delete(slices.Clone(p.Models), i, i+1)) {
				t.Fatalf("round %d: %s of %v is not needed", round, p.Models[i], p.Models)
			}
		}
		if len(models) <= exactCover {
			for i, a := range models {
				for _, b := range models[i+1:] {
					if len(p.Models) > 2 && same([]string{a.ID, b.ID}) {
						t.Fatalf("round %d: %s and %s do what %v do", round, a.ID, b.ID, p.Models)
					}
				}
			}
		}
		rng.Shuffle(len(models), func(i, j int) { models[i], models[j] = models[j], models[i] })
		again, err := tree.Plan(dataset, Wants(wanted...), models)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
			t.Fatalf("round %d: with other order %+v, %v\nwas %+v", round, again, err, p)
		}
	}
}

// BenchmarkPlan tries all sets of as many models as are tried exactly.
func BenchmarkPlan(b *testing.B) {
	coco, err := COCO()
	if err != nil {
		b.Fatal(err)
	}
	tree, err := Build(coco)
	if err != nil {
		b.Fatal(err)
	}
	models := fleet(rand.New(rand.NewPCG(3, 4)), tree, exactCover)
	for b.Loop() {
		p, err := tree.Plan("coco@2017", nil, models)
		if err != nil || len(p.Models) < 5 {
			b.Fatal(len(p.Models), err)
		}
	}
}

// randomTree is a taxonomy of up to 30 classes in up to four label spaces.
func randomTree(tb testing.TB, rng *rand.Rand) *Tree {
	tb.Helper()
	t := schemas.Taxonomy{ID: "test@1"}
	for i := range 1 + rng.IntN(30) {
		n := schemas.TaxonomyNode{Name: fmt.Sprintf("n%d", i)}
		if i > 0 && rng.IntN(5) > 0 {
			n.Parent = t.Nodes[rng.IntN(i)].Name
		}
		t.Nodes = append(t.Nodes, n)
	}
	rng.Shuffle(len(t.Nodes), func(i, j int) { t.Nodes[i], t.Nodes[j] = t.Nodes[j], t.Nodes[i] })
	relations := []schemas.Relation{schemas.RelationExact, schemas.RelationExact, schemas.RelationExact, schemas.RelationNarrower, schemas.RelationBroader, schemas.RelationIgnore}
	for s := range 1 + rng.IntN(4) {
		for c := range 1 + rng.IntN(12) {
			m := schemas.ClassMapping{Dataset: fmt.Sprintf("s%d@1", s), Class: fmt.Sprintf("c%d", c), Relation: relations[rng.IntN(len(relations))]}
			if m.Relation != schemas.RelationIgnore {
				m.Canonical = t.Nodes[rng.IntN(len(t.Nodes))].Name
			}
			t.Mappings = append(t.Mappings, m)
		}
	}
	tree, err := Build(t)
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

package coreset

import (
	"cmp"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/stages/analysis/coreset/vectors"
)

// pool draws n samples of some classes whose vectors lie around centers of their own.
func pool(t testing.TB, seed uint64, n, dim, classes int) *Pool {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &Pool{IDs: make([]schemas.SampleID, n), Vectors: vectors.NewMatrix(n, dim)}
	centers := make([][]float32, classes)
	for c := range centers {
		p.Names = append(p.Names, string(rune('a'+c)))
		centers[c] = make([]float32, dim)
		for d := range centers[c] {
			centers[c][d] = float32(rng.NormFloat64())
		}
	}
	v := make([]float32, dim)
	for i := range n {
		for b := range p.IDs[i] {
			p.IDs[i][b] = byte(rng.Uint32())
		}
		c := min(classes-1, int(rng.ExpFloat64()*float64(classes)/3)) // some classes are rare
		for d := range v {
			v[d] = centers[c][d] + 0.7*float32(rng.NormFloat64())
		}
		if err := p.Vectors.SetUnit(i, v); err != nil {
			t.Fatal(err)
		}
		p.Classes = append(p.Classes, c)
		p.Bytes = append(p.Bytes, 1000+int64(rng.IntN(9000)))
		p.Hardness = append(p.Hardness, float64(rng.IntN(12)))
	}
	slices.SortFunc(p.IDs, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) })
	return p
}

func query(method string, count int) Query {
	return Query{Method: method, Count: count, Options: DefaultOptions()}
}

func pick(t testing.TB, p *Pool, q Query, w Work) []Choice {
	t.Helper()
	picks, err := Pick(t.Context(), p, q, w)
	if err != nil {
		t.Fatal(err)
	}
	return picks
}

func places(picks []Choice) []int {
	out := make([]int, len(picks))
	for i, c := range picks {
		out[i] = c.Sample
	}
	return out
}

// similarity is facility location's, by plain float64.
func similarity(p *Pool) [][]float64 {
	out := make([][]float64, len(p.IDs))
	a, b := make([]float32, p.Vectors.Dim()), make([]float32, p.Vectors.Dim())
	for i := range out {
		out[i] = make([]float64, len(p.IDs))
		p.Vectors.Row(a, i)
		for j := range out[i] {
			p.Vectors.Row(b, j)
			for d := range a {
				out[i][j] += float64(a[d]) * float64(b[d])
			}
		}
	}
	return out
}

func objective(s [][]float64, of []int) float64 {
	sum := 0.0
	for i := range s {
		best := 0.0
		for _, j := range of {
			best = max(best, s[i][j])
		}
		sum += best
	}
	return sum
}

func TestEveryMethodKeepsItsPromises(t *testing.T) {
	p := pool(t, 1, 400, 24, 4)
	for _, m := range methods() {
		for _, perClass := range []string{"", Proportional, Equal} {
			t.Run(m.name+"/"+perClass, func(t *testing.T) {
				q := query(m.name, 60)
				q.PerClass, q.Options.Beta, q.Options.Neighbors = perClass, 0.05, 8
				q.Keep, q.Drop = []schemas.SampleID{p.IDs[7], p.IDs[200]}, []schemas.SampleID{p.IDs[3], p.IDs[100], {1}}
				picks := pick(t, p, q, Work{Seed: 1, Threads: 2})
				if again := pick(t, p, q, Work{Seed: 1, Threads: 1}); !reflect.DeepEqual(picks, again) {
					t.Error("the same query and seed give other picks on one thread")
				}
				at := places(picks)
				if !picks[0].Kept || !picks[1].Kept || at[0] != 7 || at[1] != 200 {
					t.Errorf("the first picks are %v, want those to be kept", at[:2])
				}
				if slices.Contains(at, 3) || slices.Contains(at, 100) {
					t.Error("what is to be dropped was picked")
				}
				slices.Sort(at)
				if len(slices.Compact(at)) != 60 {
					t.Errorf("%d picks, some twice, want 60", len(at))
				}
				for _, c := range picks {
					if math.IsNaN(c.Score) || math.IsInf(c.Score, 0) || c.Weight < 0 {
						t.Fatalf("pick %+v", c)
					}
				}

				q = query(m.name, 0)
				q.PerClass, q.Options.Neighbors, q.Bytes = perClass, 8, 120_000
				var size int64
				for _, c := range pick(t, p, q, Work{}) {
					size += p.Bytes[c.Sample]
				}
				if size > q.Bytes || size < q.Bytes*8/10 {
					t.Errorf("%d bytes picked of a budget of %d", size, q.Bytes)
				}
			})
		}
	}
}

func TestBudgetsPerClass(t *testing.T) {
	p := pool(t, 2, 500, 4, 5)
	sizes := make([]int64, 5)
	for _, c := range p.Classes {
		sizes[c]++
	}
	for _, tt := range []struct {
		method, perClass string
		want             []int64
	}{
		{Random, Proportional, apportion(sizes, 150)}, {Random, Equal, fill(sizes, 150)}, {Balanced, "", fill(sizes, 150)},
	} {
		q := query(tt.method, 150)
		q.PerClass = tt.perClass
		got := make([]int64, 5)
		for _, c := range pick(t, p, q, Work{Seed: 3}) {
			got[p.Classes[c.Sample]]++
		}
		for c := range got {
			if d := got[c] - tt.want[c]; d < -1 || d > 1 {
				t.Errorf("%s %s of %v: %v, want %v but for what does not divide", tt.method, tt.perClass, sizes, got, tt.want)
				break
			}
		}
	}
}

func FuzzQuotasSumUp(f *testing.F) {
	f.Add(uint16(3), uint16(0), uint16(900), uint16(1), uint16(77))
	f.Add(uint16(0), uint16(0), uint16(0), uint16(0), uint16(5))
	f.Fuzz(func(t *testing.T, a, b, c, d, total uint16) {
		sizes := []int64{int64(a), int64(b), int64(c), int64(d)}
		for name, share := range map[string]func([]int64, int64) []int64{"apportion": apportion, "fill": fill} {
			var sum, all int64
			for i, q := range share(sizes, int64(total)) {
				if q < 0 || q > sizes[i] {
					t.Fatalf("%s %v of %d: quota %d", name, sizes, total, q)
				}
				sum, all = sum+q, all+sizes[i]
			}
			if sum != min(all, int64(total)) {
				t.Fatalf("%s %v of %d: quotas come to %d", name, sizes, total, sum)
			}
		}
	})
}

func TestGreedyAgainstAllSubsets(t *testing.T) {
	const n, k = 12, 3
	for seed := range uint64(8) {
		p := pool(t, seed, n, 3, 3)
		s := similarity(p)
		best := 0.0
		for a := range n {
			for b := range a {
				for c := range b {
					best = max(best, objective(s, []int{a, b, c}))
				}
			}
		}
		for method, bound := range map[string]float64{"facility": 1 - 1/math.E, "facility-sieve": 0.5 - 0.1} {
			if got := objective(s, places(pick(t, p, query(method, k), Work{}))); got < bound*best {
				t.Errorf("seed %d: %s reaches %g, less than %.3f of %g", seed, method, got, bound, best)
			}
		}
		radius := func(of []int) float64 {
			worst := 0.0
			for i := range s {
				nearest := math.Inf(1)
				for _, j := range of {
					nearest = min(nearest, math.Sqrt(max(0, 2-2*s[i][j])))
				}
				worst = max(worst, nearest)
			}
			return worst
		}
		least := math.Inf(1)
		for a := range n {
			for b := range a {
				for c := range b {
					least = min(least, radius([]int{a, b, c}))
				}
			}
		}
		if got := radius(places(pick(t, p, query("kcenter", k), Work{}))); got > 2*least+1e-5 {
			t.Errorf("seed %d: k-center has radius %g, more than twice %g", seed, got, least)
		}
	}
}

func TestLazyGreedyIsPlainGreedy(t *testing.T) {
	p := pool(t, 5, 150, 16, 3)
	// Similarities as the package has them, so that rounding decides nothing.
	task := &task{ids: p.IDs, vectors: p.Vectors}
	stride := p.Vectors.Stride()
	best := make([]float32, stride)
	all, _, err := task.similarities(t.Context(), best, func([]float32) {})
	if err != nil {
		t.Fatal(err)
	}
	var want []int
	for len(want) < 40 {
		at, most := -1, math.Inf(-1)
		for i := range p.IDs {
			if gain := vectors.Gain(all[i*stride:(i+1)*stride], best); gain > most && !slices.Contains(want, i) {
				at, most = i, gain
			}
		}
		want = append(want, at)
		vectors.Raise(best, all[at*stride:(at+1)*stride])
	}
	if got := places(pick(t, p, query("facility", 40), Work{})); !slices.Equal(got, want) {
		t.Errorf("lazy greedy picks %v, plain greedy %v", got, want)
	}
	s := similarity(p)
	for i := range s {
		for j := range s {
			if math.Abs(s[i][j]-float64(all[i*stride+j])) > 1e-5 {
				t.Fatalf("similarity of %d and %d: %g, want %g", i, j, all[i*stride+j], s[i][j])
			}
		}
	}
	greedy := objective(s, want)
	for method, least := range map[string]float64{"facility-stochastic": 0.97, "facility-sparse": 0.97, "facility-sieve": 0.85} {
		if got := objective(s, places(pick(t, p, query(method, 40), Work{}))); got < least*greedy {
			t.Errorf("%s reaches %g of greedy's objective", method, got/greedy)
		}
	}
}

func TestNeighborsAreTheNearest(t *testing.T) {
	p := pool(t, 6, 700, 8, 3)
	g, err := (&task{Work: Work{Threads: 2}, vectors: p.Vectors}).neighbors(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	s := similarity(p)
	for i := range s {
		byNearness := upTo(len(s))
		byNearness = slices.Delete(byNearness, i, i+1)
		slices.SortStableFunc(byNearness, func(a, b int) int { return cmp.Compare(s[i][b], s[i][a]) })
		for e := range 5 {
			if got := s[i][g.of[i*5+e]]; math.Abs(got-s[i][byNearness[e]]) > 1e-6 {
				t.Fatalf("neighbor %d of %d is at %g, want %g", e, i, got, s[i][byNearness[e]])
			}
		}
	}
}

func TestHerdingIsICaRLs(t *testing.T) {
	p := pool(t, 7, 60, 6, 2)
	dim := p.Vectors.Dim()
	row, mean := make([]float32, dim), make([]float64, dim)
	for i := range p.IDs {
		p.Vectors.Row(row, i)
		for d, x := range row {
			mean[d] += float64(x) / float64(len(p.IDs))
		}
	}
	sum := make([]float64, dim)
	var picked []int
	for _, got := range places(pick(t, p, query("herding", 20), Work{})) {
		k := float64(len(picked) + 1)
		norm := func(i int) (square float64) {
			p.Vectors.Row(row, i)
			for d, x := range row {
				e := mean[d] - (float64(x)+sum[d])/k
				square += e * e
			}
			return math.Sqrt(square)
		}
		least := math.Inf(1)
		for i := range p.IDs {
			if !slices.Contains(picked, i) {
				least = min(least, norm(i))
			}
		}
		if d := norm(got); d > least+1e-6 {
			t.Fatalf("pick %d leaves the mean at %g, the best at %g", len(picked), d, least)
		}
		picked = append(picked, got)
		add(sum, row)
	}
}

func TestStrataShareTheBudget(t *testing.T) {
	p := pool(t, 8, 1000, 4, 2)
	for i := range p.Hardness {
		p.Hardness[i] = float64(i*i) / 1e4
	}
	q := query("ccs", 200)
	q.Options.Beta, q.Options.Strata = 0.2, 10
	counts := make([]int64, 10)
	sizes := make([]int64, 10)
	stratum := func(i int) int { return min(9, int(p.Hardness[i]/p.Hardness[799]*10)) }
	for i := range 800 {
		sizes[stratum(i)]++
	}
	for _, c := range pick(t, p, q, Work{Seed: 1}) {
		if c.Sample >= 800 {
			t.Fatalf("sample %d is among the hardest fifth", c.Sample)
		}
		counts[stratum(c.Sample)]++
	}
	if want := fill(sizes, 200); !slices.Equal(counts, want) {
		t.Errorf("strata of %v give %v, want %v", sizes, counts, want)
	}
	q.Count = 900
	if _, err := Pick(t.Context(), p, q, Work{}); err == nil || !strings.Contains(err.Error(), "lower one of the two") {
		t.Errorf("a budget beyond the cutoff: %v", err)
	}
}

func TestScoresAreObeyed(t *testing.T) {
	p := pool(t, 9, 300, 4, 2)
	p.Hardness[5] = math.NaN()
	for _, c := range pick(t, p, query("forgettable", 300), Work{}) {
		if !(p.Hardness[c.Sample] > 0) {
			t.Errorf("sample %d of score %g was picked", c.Sample, p.Hardness[c.Sample])
		}
	}
	hard, easy := pick(t, p, query("hardest", 299), Work{Seed: 2}), pick(t, p, query("easiest", 299), Work{Seed: 2})
	for i := 1; i < len(hard); i++ {
		if p.Hardness[hard[i].Sample] > p.Hardness[hard[i-1].Sample] || p.Hardness[easy[i].Sample] < p.Hardness[easy[i-1].Sample] {
			t.Fatal("picks are not in the order of scores")
		}
	}
}

func TestD2SpreadsWhatIsHard(t *testing.T) {
	// Two bunches: the hard one and an easier one. By score alone all picks come from the first.
	p := pool(t, 10, 200, 16, 2)
	for i := range p.Hardness {
		p.Hardness[i] = 1
		if p.Classes[i] == 0 {
			p.Hardness[i] = 2
		}
	}
	q := query("d2", 40)
	q.Options.Neighbors, q.Options.Forward = 40, 1e9 // nobody gathers anything
	q.Options.Reverse = 0                            // and a pick takes all that it has from each of its neighbors
	second := 0
	for _, c := range pick(t, p, q, Work{}) {
		second += p.Classes[c.Sample]
	}
	if second == 0 {
		t.Error("no pick comes from the bunch that is less hard")
	}
}

func TestCRAIGWeighsWhoItStandsFor(t *testing.T) {
	p := pool(t, 11, 300, 8, 3)
	q := query("craig", 30)
	q.Drop = p.IDs[:20]
	weight := make([]float64, 3)
	for _, c := range pick(t, p, q, Work{}) {
		if c.Weight < 1 {
			t.Errorf("weight %g: a pick stands for itself", c.Weight)
		}
		weight[p.Classes[c.Sample]] += c.Weight
	}
	want := make([]float64, 3)
	for _, c := range p.Classes[20:] {
		want[c]++
	}
	if !slices.Equal(weight, want) {
		t.Errorf("weights of the classes %v, want their sizes %v", weight, want)
	}
}

func TestCRAIGIsGreedyOnNearness(t *testing.T) {
	p := pool(t, 15, 40, 5, 1)
	s := similarity(p)
	for i := range s {
		for j := range s {
			s[i][j] = 2 - math.Sqrt(max(0, 2-2*s[i][j]))
		}
	}
	var want []int
	for len(want) < 8 {
		at, most := -1, math.Inf(-1)
		for j := range s {
			if o := objective(s, append(slices.Clone(want), j)); o > most && !slices.Contains(want, j) {
				at, most = j, o
			}
		}
		want = append(want, at)
	}
	if got := places(pick(t, p, query("craig", 8), Work{})); !slices.Equal(got, want) {
		t.Errorf("picks %v, want %v", got, want)
	}
}

func TestUncertainAvoidsWhatIsHadAndWhatIsSure(t *testing.T) {
	p := pool(t, 12, 300, 12, 2)
	p.Covered = vectors.NewMatrix(0, 12)
	for i, c := range p.Classes {
		p.Hardness[i] = 1
		if i%2 == 0 {
			p.Hardness[i] = 0
		}
		if c == 0 {
			p.Covered = vectors.Join(p.Covered, p.Vectors.Take([]int{i}))
		}
	}
	for _, c := range pick(t, p, query(Uncertain, 20), Work{Seed: 4}) {
		if c.Sample%2 == 0 || p.Classes[c.Sample] == 0 {
			t.Errorf("sample %d is sure, or had already", c.Sample)
		}
	}
}

func TestPicksStandForTheirPool(t *testing.T) {
	p := pool(t, 13, 600, 16, 4)
	w := Work{Seed: 1}
	coverage := func(method string) float64 {
		c, err := Coverage(t.Context(), p, pick(t, p, query(method, 12), w), w)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if f, r := coverage("facility"), coverage(Random); !(f > r && f < 1 && r > 0) {
		t.Errorf("facility location covers %g, random picks %g", f, r)
	}
	s := similarity(p)
	picks := pick(t, p, query("facility", 12), w)
	if got, want := coverage("facility"), objective(s, places(picks))/600; math.Abs(got-want) > 1e-5 {
		t.Errorf("coverage %g, want %g", got, want)
	}
}

func TestWhatMeansNothingIsRefused(t *testing.T) {
	p := pool(t, 14, 50, 4, 2)
	bare := &Pool{IDs: p.IDs}
	for name, tt := range map[string]struct {
		p      *Pool
		change func(*Query)
		want   string
	}{
		"method":     {p, func(q *Query) { q.Method = "best" }, "there is no method"},
		"no budget":  {p, func(q *Query) { q.Count = 0 }, "one of fraction, count and bytes"},
		"two":        {p, func(q *Query) { q.Fraction = 0.5 }, "one of fraction, count and bytes"},
		"fraction":   {p, func(q *Query) { q.Count, q.Fraction = 0, 1.5 }, "fraction"},
		"nan":        {p, func(q *Query) { q.Count, q.Fraction = 0, math.NaN() }, "fraction"},
		"beta":       {p, func(q *Query) { q.Options.Beta = 1 }, "beta"},
		"epsilon":    {p, func(q *Query) { q.Options.Epsilon = 0 }, "epsilon"},
		"vectors":    {bare, func(q *Query) { q.Method = "facility" }, "no embeddings"},
		"scores":     {bare, func(q *Query) { q.Method = "ccs" }, "no scores"},
		"classes":    {bare, func(q *Query) { q.PerClass = Equal }, "no classes"},
		"keep":       {p, func(q *Query) { q.Keep = []schemas.SampleID{{9}} }, "not in the pool"},
		"both":       {p, func(q *Query) { q.Keep, q.Drop = p.IDs[:1], p.IDs[:1] }, "to be kept and to be dropped"},
		"keep more":  {p, func(q *Query) { q.Keep = p.IDs[:11] }, "more than the budget"},
		"drop all":   {p, func(q *Query) { q.Drop = p.IDs }, "the pool is empty"},
		"other size": {&Pool{IDs: p.IDs, Bytes: []int64{1}}, func(*Query) {}, "50 samples have 1 sizes"},
	} {
		q := query(Random, 10)
		tt.change(&q)
		if _, err := Pick(t.Context(), tt.p, q, Work{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := Pick(t.Context(), p, query("facility", 10), Work{Memory: 100}); err == nil || !strings.Contains(err.Error(), "facility-sparse") {
		t.Errorf("no memory: %v", err)
	}
}

// TestCluster: groups that lie apart are found whole, numbered by size, and the same on any number of threads.
func TestCluster(t *testing.T) {
	p := pool(t, 5, 600, 24, 4)
	c, err := Cluster(t.Context(), p.Vectors, 4, Work{Seed: 3, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Cluster(t.Context(), p.Vectors, 4, Work{Seed: 3, Threads: 1}); err != nil || !reflect.DeepEqual(c, again) {
		t.Errorf("the same seed gives other clusters on one thread: %v", err)
	}
	sizes, classes := make([]int, 4), map[[2]int]bool{}
	for i, of := range c.Of {
		sizes[of]++
		classes[[2]int{int(of), p.Classes[i]}] = true
	}
	if len(classes) != 4 || !slices.IsSortedFunc(sizes, func(a, b int) int { return b - a }) {
		t.Errorf("clusters of %v samples, of classes %v", sizes, classes)
	}
	same := vectors.NewMatrix(3, 2) // fewer places than clusters
	for i := range 3 {
		same.Set(i, []float32{1, 0})
	}
	if c, err := Cluster(t.Context(), same, 2, Work{}); err != nil || !slices.Equal(c.Of, []int32{0, 0, 0}) || slices.Max(c.Distance) != 0 {
		t.Errorf("of one vector three times: %+v, %v", c, err)
	}
}

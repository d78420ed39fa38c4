// Package coreset picks the samples of a dataset that stand for the rest, by scores and embeddings, and those to label next. A
// picker is a pure function: the same pool, query and seed give the same picks, whatever the processor and the number of threads.
//
// All of them need the pool in memory: some 64 bytes a sample, and 4 bytes a number of its vector. What a method needs beyond that
// its file says. Sieve alone picks from a stream.
package coreset

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"gleaner/schemas"
	"gleaner/stages/analysis/coreset/vectors"
)

// Pool is what is picked from: N samples. Slices are nil where nothing is known of them, and else have N elements.
type Pool struct {
	IDs      []schemas.SampleID // ascending
	Classes  []int              // indexes of Names
	Names    []string           // classes
	Bytes    []int64            // of the encoded image
	Hardness []float64          // a score by which the higher is the harder, or less certain; NaN: the sample has none
	Vectors  *vectors.Matrix    // [N,D] of length 1, so that a product is a cosine
	Covered  *vectors.Matrix    // [M,D] of length 1, of samples that are had already: what is like them is not needed; may be nil
}

// Query says what to pick. Exactly one of Fraction, Count and Bytes is set; must-keep samples count towards it.
type Query struct {
	Method   string             `json:"method"`
	Fraction float64            `json:"fraction,omitempty"` // share of the pool, (0,1]
	Count    int                `json:"count,omitempty"`
	Bytes    int64              `json:"bytes,omitempty"`     // of encoded images; picks are taken in order, and passed over where they do not fit
	PerClass string             `json:"per_class,omitempty"` // "": over all; Proportional or Equal
	Keep     []schemas.SampleID `json:"keep,omitempty"`      // to pick in any case
	Drop     []schemas.SampleID `json:"drop,omitempty"`      // never to pick: they are no part of the pool
	Options  Options            `json:"options"`
}

// Options of methods; each reads its own.
type Options struct {
	Clusters  int     `json:"clusters"`  // closest, farthest: centers of k-means; 0: one a class, or 100 where classes are not known
	Neighbors int     `json:"neighbors"` // d2, facility-sparse: of each sample
	Beta      float64 `json:"beta"`      // ccs: share of the hardest that is cut off, [0,1)
	Strata    int     `json:"strata"`    // ccs
	Epsilon   float64 `json:"epsilon"`   // facility-stochastic, facility-sieve: what of the guarantee is given up, (0,1)
	Reference int     `json:"reference"` // facility-sieve: samples that stand for all in the objective
	Forward   float64 `json:"forward"`   // d2: γ of the messages that gather difficulty, per squared distance
	Reverse   float64 `json:"reverse"`   // d2: γ of those that take it from the neighbors of a pick
}

// DefaultOptions are those of the papers, or of their experiments where these vary.
func DefaultOptions() Options {
	return Options{Neighbors: 32, Beta: 0.1, Strata: 50, Epsilon: 0.1, Reference: 2048, Forward: 1, Reverse: 1}
}

// How a query per class shares its budget out.
const (
	Proportional = "proportional" // to the classes' sizes
	Equal        = "equal"        // the same for every class, and what small ones leave to the others
)

// Work is the seed of a call, what it may take, and whom it tells. But for the seed it has no influence on what is picked.
type Work struct {
	Seed     int64
	Threads  int   // 0: as many as there are processors
	Memory   int64 // bytes that a method may take beside the pool; 0: 2 GiB
	Progress func(done, total int, what string)
}

// Choice is one pick.
type Choice struct {
	Sample int     // index in the pool
	Score  float64 // in the unit that the method's file gives; of the picks of a class, or of all, the higher was picked first
	Weight float64 // 1 unless the method weighs
	Kept   bool    // picked because the query says so
}

// need says what of a pool a method reads.
type need struct{ vectors, hardness, classes bool }

// method orders samples, the most wanted first. weigh, if any, weighs what the budget has left of the order by all that were picked among.
type method struct {
	name  string
	about string // one line for people
	need
	perClass bool // by its definition
	order    func(ctx context.Context, t *task) ([]Choice, error)
	weigh    func(ctx context.Context, p *Pool, among []int, picks []Choice, w Work) error
}

func methods() []method {
	v, h := need{vectors: true}, need{hardness: true}
	return []method{
		{name: Random, about: "uniformly at random", order: random},
		{name: Balanced, about: "at random, the same number of every class", need: need{classes: true}, order: balanced},
		{name: "closest", about: "the closest to the center of their cluster (Sorscher 2022)", need: v, order: closest},
		{name: "farthest", about: "the farthest from the center of their cluster (Sorscher 2022)", need: v, order: farthest},
		{name: "moderate", about: "those at the median distance from the center of their class (Xia 2023)", need: v, order: moderate},
		{name: "herding", about: "those whose mean stays nearest the mean of all (iCaRL, Rebuffi 2017)", need: v, order: herding},
		{name: "kcenter", about: "each the farthest from those before it (Sener & Savarese 2018)", need: v, order: kCenter},
		{name: "facility", about: "facility location, lazy greedy; 4 bytes a pair of samples", need: v, order: facility},
		{name: "facility-stochastic", about: "facility location, stochastic greedy (Mirzasoleiman 2015)", need: v, order: facilityStochastic},
		{name: "facility-sparse", about: "facility location over each sample's nearest neighbors", need: v, order: facilitySparse},
		{name: "facility-sieve", about: "facility location, in one pass (Kazemi 2019)", need: v, order: facilitySieve},
		{name: "craig", about: "weighted picks whose gradients stand for all (Mirzasoleiman 2020)", need: need{vectors: true, classes: true}, perClass: true, order: craig, weigh: craigWeights},
		{name: "hardest", about: "the highest by the score's hardness (EL2N: Paul 2021)", need: h, order: hardest},
		{name: "easiest", about: "the lowest by the score's hardness", need: h, order: easiest},
		{name: "forgetting", about: "the most often forgotten, those never learned first (Toneva 2019)", need: h, order: hardest},
		{name: "forgettable", about: "as forgetting, but never what was learned and not forgotten", need: h, order: forgettable},
		{name: "ccs", about: "over all degrees of hardness alike but the worst (Zheng 2023)", need: h, order: ccs},
		{name: "d2", about: "hard and diverse, by messages over a graph of neighbors (Maharana 2023)", need: need{vectors: true, hardness: true}, order: d2},
		{name: Uncertain, about: "uncertain and unlike each other, to label next", need: need{vectors: true, hardness: true}, order: uncertain},
	}
}

// The methods that are spoken of by name elsewhere.
const (
	Random    = "random"
	Balanced  = "balanced"
	Uncertain = "uncertain"
)

func find(name string) (method, error) {
	all := methods()
	i := slices.IndexFunc(all, func(m method) bool { return m.name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i, m := range all {
			names[i] = m.name
		}
		return method{}, fmt.Errorf("there is no method %q: there are %s", name, strings.Join(names, ", "))
	}
	return all[i], nil
}

// Needs says what of the pool a method reads: vectors, hardness, classes.
func Needs(name string) (vectors, hardness, classes bool, err error) {
	m, err := find(name)
	return m.vectors, m.hardness, m.classes || m.perClass, err
}

// Describe lists the methods, name and one line each.
func Describe() [][2]string {
	var out [][2]string
	for _, m := range methods() {
		out = append(out, [2]string{m.name, m.about})
	}
	return out
}

// Validate refuses a query that means nothing.
func (q Query) Validate() error {
	if _, err := find(q.Method); err != nil {
		return err
	}
	set := 0
	for _, is := range []bool{q.Fraction != 0, q.Count != 0, q.Bytes != 0} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("pick %s: want one of fraction, count and bytes", q.Method)
	}
	o := q.Options
	for _, bad := range []struct {
		is        bool
		what, say string
	}{
		{q.Fraction != 0 && !(q.Fraction > 0 && q.Fraction <= 1), "fraction", "more than 0, up to 1"},
		{q.Count < 0, "count", "at least 1"},
		{q.Bytes < 0, "bytes", "at least 1"},
		{q.PerClass != "" && q.PerClass != Proportional && q.PerClass != Equal, "per class", Proportional + " or " + Equal},
		{o.Clusters < 0, "clusters", "at least 1, or 0 for one a class"},
		{o.Neighbors < 1, "neighbors", "at least 1"},
		{!(o.Beta >= 0 && o.Beta < 1), "beta", "at least 0, less than 1"},
		{o.Strata < 1, "strata", "at least 1"},
		{!(o.Epsilon > 0 && o.Epsilon < 1), "epsilon", "between 0 and 1"},
		{o.Reference < 1, "reference", "at least 1"},
		{!(o.Forward >= 0 && o.Reverse >= 0) || math.IsInf(o.Forward+o.Reverse, 0), "forward and reverse", "at least 0, and finite"},
	} {
		if bad.is {
			return fmt.Errorf("pick %s: %s: want %s", q.Method, bad.what, bad.say)
		}
	}
	return nil
}

// validate refuses a pool whose parts do not fit each other, or that lacks what the method reads.
func (p *Pool) validate(m method, q Query) error {
	n := len(p.IDs)
	if !slices.IsSortedFunc(p.IDs, func(a, b schemas.SampleID) int { return slices.Compare(a[:], b[:]) }) {
		return fmt.Errorf("pick %s: the pool is not in the order of sample ids", m.name)
	}
	for _, part := range []struct {
		what  string
		n     int
		needs bool
		known bool
	}{
		{"classes", len(p.Classes), m.classes || m.perClass || q.PerClass != "", p.Classes != nil},
		{"sizes", len(p.Bytes), q.Bytes != 0, p.Bytes != nil},
		{"scores", len(p.Hardness), m.hardness, p.Hardness != nil},
		{"embeddings", p.size(), m.vectors, p.Vectors != nil},
	} {
		if part.needs && !part.known {
			return fmt.Errorf("pick %s: the samples have no %s", m.name, part.what)
		}
		if part.known && part.n != n {
			return fmt.Errorf("pick %s: %d samples have %d %s", m.name, n, part.n, part.what)
		}
	}
	for i, c := range p.Classes {
		if c < 0 || c >= len(p.Names) {
			return fmt.Errorf("pick %s: sample %s: class %d of %d", m.name, p.IDs[i], c, len(p.Names))
		}
	}
	if p.Covered != nil && p.Vectors != nil && p.Covered.Dim() != p.Vectors.Dim() {
		return fmt.Errorf("pick %s: what is covered has vectors of %d numbers, the pool of %d", m.name, p.Covered.Dim(), p.Vectors.Dim())
	}
	return nil
}

func (p *Pool) size() int {
	if p.Vectors == nil {
		return 0
	}
	return p.Vectors.Len()
}

func (w Work) threads() int {
	if w.Threads > 0 {
		return w.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (w Work) memory() int64 {
	if w.Memory > 0 {
		return w.Memory
	}
	return 2 << 30
}

func (w Work) progress(done, total int, what string) {
	if w.Progress != nil {
		w.Progress(done, total, what)
	}
}

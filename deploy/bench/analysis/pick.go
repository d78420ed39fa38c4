package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"gleaner/deploy/bench/report"
	"gleaner/schemas"
	"gleaner/stages/analysis/coreset"
	"gleaner/stages/analysis/coreset/vectors"
)

//go:embed facility.py
var facilityProgram string

// picked is what a run of facility location picked and took.
type picked struct {
	Picks     []int   `json:"picks"`
	Processor float64 `json:"processor"` // seconds of all threads
	Clock     float64 `json:"clock"`     // seconds
}

// mixture draws vectors of length 1 around centers; the same seed draws the same.
type mixture struct {
	rng     *rand.Rand
	centers [][]float32
	v       []float32
}

func newMixture(seed uint64, dim, centers int) *mixture {
	m := &mixture{rng: rand.New(rand.NewPCG(seed, 7)), v: make([]float32, dim)}
	for range centers {
		m.centers = append(m.centers, slices.Clone(m.noise(make([]float32, dim), 1)))
	}
	return m
}

func (m *mixture) noise(around []float32, by float32) []float32 {
	for d := range m.v {
		m.v[d] = around[d] + by*float32(m.rng.NormFloat64())
	}
	return m.v
}

// fill draws n vectors. Some centers have many times as many as others.
func (m *mixture) fill(n int) (*vectors.Matrix, error) {
	out := vectors.NewMatrix(n, len(m.v))
	for i := range n {
		c := int(float64(len(m.centers)) * math.Pow(m.rng.Float64(), 2))
		if err := out.SetUnit(i, m.noise(m.centers[c], 1)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pick measures facility location beside its peers.
func (b *bench) pick(ctx context.Context, out io.Writer) error {
	const n, dim, k = 10_000, 512, picks
	m, err := newMixture(1, dim, 200).fill(n)
	if err != nil {
		return err
	}
	file := filepath.Join(b.scratch, "vectors")
	if err := os.WriteFile(file, plain(m), 0o600); err != nil {
		return err
	}
	runs := []struct {
		name    string
		threads int
		run     func() (picked, error)
	}{
		{"Gleaner", 1, func() (picked, error) { return ours(ctx, m, "facility", 1) }},
		{"NumPy on BLAS", 1, func() (picked, error) { return b.peer(ctx, "numpy", file, n, dim, k, 1) }},
		{"Gleaner", 2, func() (picked, error) { return ours(ctx, m, "facility", 2) }},
		{"NumPy on BLAS", 2, func() (picked, error) { return b.peer(ctx, "numpy", file, n, dim, k, 2) }},
		{"apricot-select, lazy", 1, func() (picked, error) { return b.peer(ctx, "apricot", file, n, dim, k, 1) }},
		{"Gleaner, stochastic", 1, func() (picked, error) { return ours(ctx, m, "facility-stochastic", 1) }},
		{"Gleaner, sparse", 1, func() (picked, error) { return ours(ctx, m, "facility-sparse", 1) }},
		{"Gleaner, sieve", 1, func() (picked, error) { return ours(ctx, m, "facility-sieve", 1) }},
	}
	results := make([][]picked, len(runs))
	for range rounds {
		for i, r := range runs {
			p, err := r.run()
			if err != nil {
				return err
			}
			results[i] = append(results[i], p)
		}
	}
	fmt.Fprintf(out, "\nFacility location, %d of %d vectors of %d numbers (a mixture of normal distributions), by the cosine; seconds from the vectors to the picks, similarities included: medians of %d rounds in turn.\n",
		k, n, dim, rounds)
	fmt.Fprint(out, "\n| | threads | processor s | clock s | times Gleaner's processor time, same threads | objective | of lazy greedy's |\n|---|---|---|---|---|---|---|\n")
	var first float64
	for i, r := range runs {
		value := objective(m, results[i][0].Picks)
		if i == 0 {
			first = value
		}
		base := 0
		if r.threads == 2 {
			base = 2
		}
		processor := func(p picked) float64 { return p.Processor }
		fmt.Fprintf(out, "| %s | %d | %.2f | %.2f | %.2f | %.3f | %.6f |\n", r.name, r.threads, median(results[i], processor),
			median(results[i], func(p picked) float64 { return p.Clock }), median(results[i], processor)/median(results[base], processor), value, value/first)
	}
	faster := func(than int) float64 {
		return median(results[than], func(p picked) float64 { return p.Processor }) / median(results[0], func(p picked) float64 { return p.Processor })
	}
	apart := math.Abs(objective(m, results[4][0].Picks)/first - 1)
	fmt.Fprintf(out, "\n%s\n%s\n%s\n", verdict(apart <= 1e-4, "objective within 1e-4 of apricot's: %.1e", apart),
		verdict(faster(4) >= 4, "at least 4 times apricot's speed: %.1f", faster(4)),
		verdict(faster(1) >= 1, "no slower than NumPy on BLAS, one thread each: %.2f times its speed", faster(1)))
	return nil
}

// verdict is a line that says whether what was aimed at was reached.
func verdict(reached bool, format string, args ...any) string {
	word := "- Reached: "
	if !reached {
		word = "- **Not reached**: "
	}
	return word + fmt.Sprintf(format, args...) + "."
}

// picks is how many each method makes.
const picks = 1000

// ours picks by a method of ours.
func ours(ctx context.Context, m *vectors.Matrix, method string, threads int) (picked, error) {
	debug.FreeOSMemory()
	used, began := report.ProcessorTime(), time.Now()
	made, err := coreset.Pick(ctx, pool(m), coreset.Query{Method: method, Count: picks, Options: coreset.DefaultOptions()}, coreset.Work{Seed: 1, Threads: threads})
	p := picked{Processor: (report.ProcessorTime() - used).Seconds(), Clock: time.Since(began).Seconds()}
	for _, c := range made {
		p.Picks = append(p.Picks, c.Sample)
	}
	return p, err
}

// pool gives vectors ids that ascend.
func pool(m *vectors.Matrix) *coreset.Pool {
	p := &coreset.Pool{IDs: make([]schemas.SampleID, m.Len()), Vectors: m}
	for i := range p.IDs {
		binary.BigEndian.PutUint64(p.IDs[i][:], uint64(i))
	}
	return p
}

// peer runs a peer in a process of its own.
func (b *bench) peer(ctx context.Context, name, file string, n, dim, k, threads int) (picked, error) {
	c := exec.CommandContext(ctx, b.python, "-c", facilityProgram, name, file, strconv.Itoa(n), strconv.Itoa(dim), strconv.Itoa(k))
	for _, variable := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"} {
		c.Env = append(c.Env, variable+"="+strconv.Itoa(threads))
	}
	c.Env = append(os.Environ(), c.Env...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	var p picked
	if err := c.Run(); err != nil {
		return p, fmt.Errorf("peer %s: %w: %s: `make bench-analysis` installs the peers", name, err, strings.TrimSpace(stderr.String()))
	}
	return p, json.Unmarshal(stdout.Bytes(), &p)
}

// plain is the vectors one after the other, as NumPy reads them.
func plain(m *vectors.Matrix) []byte {
	row, out := make([]float32, m.Dim()), make([]byte, 0, 4*m.Len()*m.Dim())
	for i := range m.Len() {
		m.Row(row, i)
		for _, x := range row {
			out = binary.NativeEndian.AppendUint32(out, math.Float32bits(x))
		}
	}
	return out
}

// objective is that of facility location: the mean, over all vectors, of the largest cosine with a pick, no less than 0.
func objective(m *vectors.Matrix, picks []int) float64 {
	var q vectors.Queries
	best := make([]float32, m.Stride())
	sims := make([]float32, vectors.Group*m.Stride())
	for from := 0; from < len(picks); from += vectors.Group {
		q.Take(m, picks[from:min(len(picks), from+vectors.Group)])
		m.Products(sims, m.Stride(), &q, 0, m.Panels())
		for i := range q.Len() {
			vectors.Raise(best, sims[i*m.Stride():(i+1)*m.Stride()])
		}
	}
	sum := 0.0
	for _, x := range best[:m.Len()] {
		sum += float64(x)
	}
	return sum / float64(m.Len())
}

// pickSparse measures it over the nearest neighbors of more samples than there is memory for all pairs.
func (b *bench) pickSparse(ctx context.Context, out io.Writer) error {
	const n, dim, k = 100_000, 512, picks
	m, err := newMixture(2, dim, 500).fill(n)
	if err != nil {
		return err
	}
	before := resident()
	if err := forgetPeak(); err != nil {
		return err
	}
	p, err := ours(ctx, m, "facility-sparse", 2)
	if err != nil {
		return err
	}
	peak := peakResident()
	random, err := ours(ctx, m, coreset.Random, 2)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe same over the %d nearest neighbors of each of %d vectors of %d numbers, all pairs compared, two threads: %.1f s of processors, %.1f s by the clock. "+
		"Resident: %d MiB before, of which the vectors take %d; %d MiB at the peak. Objective %.4f, of as many random picks %.4f.\n",
		coreset.DefaultOptions().Neighbors, n, dim, p.Processor, p.Clock, before>>20, 4*n*dim>>20, peak>>20, objective(m, p.Picks), objective(m, random.Picks))
	return nil
}

// pickSieve measures it in one pass over a stream that is never held.
func (b *bench) pickSieve(ctx context.Context, out io.Writer) error {
	const n, dim, k, reference, judges, centers = 1_000_000, 128, 1000, 2048, 4096, 500
	debug.FreeOSMemory()
	if err := forgetPeak(); err != nil {
		return err
	}
	stream := newMixture(3, dim, centers)
	// The order of the stream is random, so its beginning is a random sample of it.
	sample, err := stream.fill(reference)
	if err != nil {
		return err
	}
	used, began := report.ProcessorTime(), time.Now()
	s, err := coreset.NewSieve(ctx, sample, vectors.NewMatrix(0, dim), k, coreset.DefaultOptions().Epsilon, coreset.Work{Threads: 2})
	if err != nil {
		return err
	}
	var drawing time.Duration
	kept := map[int][]float32{}
	for first := 0; first < n; first += coreset.SieveBlock {
		at := report.ProcessorTime()
		block, err := stream.fill(min(coreset.SieveBlock, n-first))
		if err != nil {
			return err
		}
		drawing += report.ProcessorTime() - at
		if err := s.Add(ctx, block, first); err != nil {
			return err
		}
	}
	picks, err := s.Picks(ctx)
	if err != nil {
		return err
	}
	processor, clock := report.ProcessorTime()-used-drawing, time.Since(began)
	peak := peakResident()

	// The picks are drawn once more, since the sieve holds no vectors of others.
	for _, c := range picks {
		kept[c.Sample] = nil
	}
	again := newMixture(3, dim, centers)
	if _, err := again.fill(reference); err != nil {
		return err
	}
	var chosen, random [][]float32
	for i := range n {
		one, err := again.fill(1)
		if err != nil {
			return err
		}
		row := make([]float32, dim)
		one.Row(row, 0)
		if _, ok := kept[i]; ok {
			chosen = append(chosen, row)
		}
		if i < k {
			random = append(random, row)
		}
	}
	judge, err := newMixtureFrom(again, 4).fill(judges)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nA stream of %d vectors of %d numbers, never held, through the sieve, %d reference vectors, ε %.1f, two threads: %d picks, %.1f s of processors, %.1f s by the clock with the drawing of the vectors (%.1f s). "+
		"%d MiB resident at the peak. Objective over %d vectors that it never saw: %.4f, of as many random picks %.4f.\n",
		n, dim, reference, coreset.DefaultOptions().Epsilon, len(picks), processor.Seconds(), clock.Seconds(), drawing.Seconds(), peak>>20, judges,
		covering(judge, chosen), covering(judge, random))
	return nil
}

// newMixtureFrom draws others around the same centers.
func newMixtureFrom(m *mixture, seed uint64) *mixture {
	return &mixture{rng: rand.New(rand.NewPCG(seed, 7)), centers: m.centers, v: make([]float32, len(m.v))}
}

// covering is the objective of picks that are not among the vectors.
func covering(m *vectors.Matrix, picks [][]float32) float64 {
	all := vectors.NewMatrix(len(picks), m.Dim())
	for i, v := range picks {
		all.Set(i, v)
	}
	joined := vectors.Join(m, all)
	places := make([]int, len(picks))
	for i := range places {
		places[i] = m.Len() + i
	}
	// Picks are nearest to themselves, by 1 each.
	return (objective(joined, places)*float64(joined.Len()) - float64(len(picks))) / float64(m.Len())
}

// forgetPeak makes the kernel count the peak of resident memory anew.
func forgetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func resident() int64     { return status("VmRSS:") }
func peakResident() int64 { return status("VmHWM:") }

// status is a line of the kernel's about this process, in bytes.
func status(line string) int64 {
	text, _ := os.ReadFile("/proc/self/status") // absent but on Linux: 0
	for l := range strings.SplitSeq(string(text), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == line {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

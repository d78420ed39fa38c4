package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"gleaner/deploy/bench/report"
)

// Aims of the speed: how many times as fast as a peer fast is.
var speedAims = map[string]float64{fastSLIC: 1.5, openCV: 12, scikitImage: 20}

// fineAim is how many times the time of fast fine may take.
const fineAim = 2.5

// speed measures each method on one thread, from RGB to final labels.
func (b *bench) speed(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "\n### Speed\n\nProcessor time an image on one thread, from RGB to final labels: CIELAB, connectivity and, of ours, garbage collection "+
		"within. Methods are interleaved image by image, in an order of chance; an image's time is the median of %d rounds.\n", b.rounds)
	bandwidth := memoryBandwidth()
	for _, set := range []struct {
		name string
		read func() ([]*picture, error)
		k    float64
	}{
		{"BSDS500 val", b.bsds, 400},
		{"640x480 photos of coco128", b.vga, 1500},
	} {
		pics, err := set.read()
		if err != nil {
			return err
		}
		t, err := b.race(ctx, pics, set.k)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n**%d images of %s, K=%.0f**\n\n", len(pics), set.name, set.k)
		t.print(out)
		t.limit(out, pics, bandwidth)
	}
	return nil
}

// times are the processor times of methods on the images of a set.
type times struct {
	methods []method
	rounds  [][][]time.Duration        // [method][image][round]
	phases  map[string][]time.Duration // of fast
	order   []string                   // of phases
	regions [][]int                    // [method][image]
}

func (b *bench) race(ctx context.Context, pics []*picture, k float64) (*times, error) {
	t := &times{methods: b.methods(), phases: map[string][]time.Duration{}}
	for range t.methods {
		t.rounds = append(t.rounds, make([][]time.Duration, len(pics)))
		t.regions = append(t.regions, make([]int, len(pics)))
	}
	chance := rand.New(rand.NewPCG(1, 1))
	for range b.rounds {
		for i, pic := range pics {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			for _, m := range chance.Perm(len(t.methods)) { // whom one comes after says what is in the caches
				method := t.methods[m]
				d, err := method.divide(pic, k, false)
				if err != nil {
					return nil, err
				}
				t.rounds[m][i] = append(t.rounds[m][i], d.took)
				t.regions[m][i] = d.regions
				if method.name == oursFast {
					t.addPhases(d)
				}
			}
		}
	}
	return t, nil
}

func (t *times) addPhases(d division) {
	for _, p := range d.phases {
		if t.phases[p.Name] == nil {
			t.order = append(t.order, p.Name)
		}
		t.phases[p.Name] = append(t.phases[p.Name], p.Took)
	}
}

// images are a method's medians over rounds, by image, in milliseconds.
func (t *times) images(m int) []float64 {
	all := make([]float64, len(t.rounds[m]))
	for i, rounds := range t.rounds[m] {
		all[i] = report.Millis(report.Median(rounds))
	}
	return all
}

// total is a method's mean over all images and rounds, which holds all garbage collection, in milliseconds.
func (t *times) total(m int) float64 {
	var sum time.Duration
	n := 0
	for _, rounds := range t.rounds[m] {
		for _, d := range rounds {
			sum += d
			n++
		}
	}
	return report.Millis(sum) / float64(n)
}

// print compares every method with fast, which is the first.
func (t *times) print(out io.Writer) {
	fmt.Fprint(out, "| | regions | median ms | mean ms | times fast: medians | images' median | means | aim |\n|---|---|---|---|---|---|---|---|\n")
	fast, fastMean := t.images(0), t.total(0)
	for m, method := range t.methods {
		own := t.images(m)
		each := make([]float64, len(own))
		for i := range own {
			each[i] = own[i] / fast[i]
		}
		regions := 0.0
		for _, n := range t.regions[m] {
			regions += float64(n)
		}
		ratio := report.Median(own) / report.Median(fast)
		aim := ""
		switch least, ok := speedAims[method.name]; {
		case ok:
			aim = verdict(ratio, least, true)
		case method.name == oursFine:
			aim = verdict(ratio, fineAim, false)
		}
		fmt.Fprintf(out, "| %s | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f | %s |\n", method.name, regions/float64(len(own)),
			report.Median(own), t.total(m), ratio, report.Median(each), t.total(m)/fastMean, aim)
	}
}

// limit sets fast's time beside that of reading the image and writing the labels once.
func (t *times) limit(out io.Writer, pics []*picture, bandwidth float64) {
	ratios := make([]float64, len(pics))
	limits := make([]float64, len(pics))
	for i, own := range t.images(0) {
		limits[i] = float64((3+2)*pics[i].img.W*pics[i].img.H) / bandwidth * 1e3
		ratios[i] = own / limits[i]
	}
	phases := make([]string, len(t.order))
	for i, name := range t.order {
		phases[i] = fmt.Sprintf("%s %.2f ms", name, report.Millis(report.Median(t.phases[name])))
	}
	fmt.Fprintf(out, "\nPhases of fast by the clock, medians: %s. Reading the RGB and writing the labels once, at the %.1f GB/s at which this thread "+
		"copies memory, would take %.3f ms: fast takes %.0f times as long.\n", strings.Join(phases, ", "), bandwidth/1e9, report.Median(limits), report.Median(ratios))
}

// verdict says whether a figure meets its aim, and by how much it misses it.
func verdict(got, aim float64, least bool) string {
	bound, missed := "≤", got > aim
	if least {
		bound, missed = "≥", got < aim
	}
	digits := 3
	if aim >= 1 {
		digits = 2
	}
	if missed {
		return fmt.Sprintf("%s %.4g: missed by %.*f", bound, aim, digits, max(got-aim, aim-got))
	}
	return fmt.Sprintf("%s %.4g: met", bound, aim)
}

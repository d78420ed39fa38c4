// Command accept simulates automatic acceptance: many streams of images with a drift in each, what the route's guarantee makes of
// them, and what a bound of fixed sample size that is read again and again does. It writes its figures as markdown; `make
// bench-accept` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gleaner/deploy/bench/report"
	"gleaner/stages/route/guarantee"
)

// options are the program's arguments.
type options struct {
	streams, images int
	write           string
}

// setting is what a table is about.
type setting struct {
	title  string
	target float64
	right  float64 // share above the oracle's threshold, before the drift
	audit  float64
	delay  int    // images from one that is drawn to what a person made of it
	random bool   // delays are uniform in [0,2 delay], so answers come in any order
	naive  bool   // instead of the guarantee
	only   string // kinds of drift; empty: all
}

func settings() []setting {
	a := guarantee.DefaultAudit(.95)
	return []setting{
		{title: "Target .95", target: .95, right: .99, audit: a},
		{title: "Target .95, answers 300 images late", target: .95, right: .99, audit: a, delay: 300},
		{title: "Target .95, answers up to 400 images late, in any order", target: .95, right: .99, audit: a, delay: 200, random: true},
		{title: "Target .98", target: .98, right: .99, audit: a},
		{title: "Target .98, a better score and more audits", target: .98, right: .998, audit: .2},
		{title: "Target .95, a bound of fixed sample size read after every audit, no watch and no recall", target: .95, right: .99, audit: a, naive: true},
		{title: "Target .95, fewer audits", target: .95, right: .99, audit: .04, only: "none threshold slight gradual"},
		{title: "Target .95, more audits", target: .95, right: .99, audit: .15, only: "none threshold slight gradual"},
	}
}

func main() {
	var o options
	flag.IntVar(&o.streams, "streams", 1000, "streams of each kind")
	flag.IntVar(&o.images, "images", 10_000, "images of a stream")
	flag.StringVar(&o.write, "write", "", "markdown file whose part between the accept marks is replaced by the results")
	flag.Parse()
	report.Main("bench-accept", func(context.Context) error { return run(o) })
}

func run(o options) error {
	if o.streams < 1 || o.images < guarantee.Window {
		return fmt.Errorf("-streams %d -images %d: at least 1 and %d are needed", o.streams, o.images, guarantee.Window)
	}
	var results strings.Builder
	out := io.MultiWriter(os.Stdout, &results)
	began := report.ProcessorTime()
	fmt.Fprintf(out, "%d streams of %d images of each kind. A violation is a window of %d accepted images with more errors than 1 - target:\n"+
		"\"in the end\" of those that stand, \"at the time\" before any were recalled. Of the oracle's: the share of what one who knows the\n"+
		"error rates accepts that is accepted in the end. Audits: of the images above the threshold, how many people see all the same.\n",
		o.streams, o.images, guarantee.Window)
	fmt.Fprintln(out, "\n| drift | |\n|---|---|")
	for _, d := range drifts(.99, .05) {
		fmt.Fprintf(out, "| %s | %s |\n", d.name, d.about)
	}
	for _, s := range settings() {
		fmt.Fprintf(out, "\n**%s** (%g of what lies above the oracle's threshold is right; %g of the images are drawn)\n\n", s.title, s.right, s.audit)
		fmt.Fprintln(out, "| drift | violations in the end | at the time | of the oracle's | audits | recalled | withdrawals a stream | images until the first |\n|---|---|---|---|---|---|---|---|")
		for _, d := range drifts(s.right, 1-s.target) {
			if s.only == "" || slices.Contains(strings.Fields(s.only), d.name) {
				fmt.Fprintf(out, "| %s | %s |\n", d.name, strings.Join(figures(o, many(o, s, d)), " | "))
			}
		}
	}
	fmt.Fprintf(out, "\nProcessor time %s.\n", (report.ProcessorTime() - began).Round(time.Second))
	if o.write == "" {
		return nil
	}
	return report.Replace(o.write, "accept", "bench-accept", results.String())
}

// many simulates the streams of one kind; each has its own seed.
func many(o options, s setting, d drift) []outcome {
	outcomes := make([]outcome, o.streams)
	table := newRequired(1-s.target, 200)
	var wait sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < o.streams; i += workers {
				var p policy = &naive{required: table, at: levels}
				if !s.naive {
					g, err := guarantee.New(guarantee.Config{Target: s.target, Audit: s.audit})
					if err != nil {
						panic(err) // the settings are ours
					}
					p = g
				}
				outcomes[i] = simulate(p, d, o.images, s.delay, s.random, s.target, uint64(i))
			}
		})
	}
	wait.Wait()
	return outcomes
}

// figures are the cells of a row.
func figures(o options, outcomes []outcome) []string {
	var violated, exposed, oracle, agreed, accepted, audits, recalled, ended float64
	var first []int
	for _, r := range outcomes {
		if r.violated {
			violated++
		}
		if r.exposed {
			exposed++
		}
		oracle, agreed, accepted = oracle+float64(r.oracle), agreed+float64(r.agreed), accepted+float64(r.accepted)
		audits, recalled, ended = audits+float64(r.audits), recalled+float64(r.recalled), ended+float64(r.ended)
		first = append(first, r.first)
	}
	n := float64(len(outcomes))
	percent := func(part, of float64) string {
		if of == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f %%", 100*part/of)
	}
	begins := "never"
	if median := report.Quantile(first, .5); median < o.images {
		begins = fmt.Sprint(median)
	}
	p := violated / n
	return []string{
		fmt.Sprintf("%.1f ± %.1f %%", 100*p, 200*math.Sqrt(p*(1-p)/n)), percent(exposed, n), percent(agreed, oracle),
		percent(audits, audits+accepted+recalled), percent(recalled, audits+accepted+recalled), fmt.Sprintf("%.2f", ended/n), begins,
	}
}

package conventions

import (
	"fmt"
	"io"
	"math"
	"strings"

	"gleaner/deploy/bench/report"
)

// Sizes of the plot in SVG's pixels.
const (
	panelW, panelH = 380, 260
	left, top      = 56, 40
	right, bottom  = 16, 64
)

// curve is one line of a panel with a band from the least to the greatest of the trials.
type curve struct {
	name, color string
	of          func(t trial, step int) float64
}

var curves = []curve{
	{"labels by the rule", "#d1495b", func(t trial, i int) float64 { return t.ruled[i] }},
	{"labels as they are", "#30638e", func(t trial, i int) float64 { return t.drawn[i] }},
	{"nothing to learn", "#7a7a7a", func(t trial, i int) float64 { return t.unlearning[i] }},
}

// plot draws median IoU against corrections as an SVG, a panel a set.
func plot(w io.Writer, results []Result) {
	width, height := len(results)*(left+panelW+right), top+panelH+bottom
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for i, r := range results {
		fmt.Fprintf(w, `<g transform="translate(%d %d)">`+"\n", i*(left+panelW+right)+left, top)
		r.panel(w)
		fmt.Fprintln(w, "</g>")
	}
	fmt.Fprintln(w, "</svg>")
}

func (r Result) panel(w io.Writer) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range curves {
		for i := range steps {
			values := pick(r.trials, func(t trial) float64 { return c.of(t, i) })
			low, high = min(low, least(values)), max(high, greatest(values))
		}
	}
	low, high = math.Floor(low*20)/20, math.Ceil(high*20)/20
	x := func(n int) float64 { return panelW * float64(n) / float64(steps[len(steps)-1]) }
	y := func(v float64) float64 { return panelH * (high - v) / (high - low) }
	fmt.Fprintf(w, `<text x="%d" y="-16" text-anchor="middle" font-weight="bold">%s</text>`+"\n", panelW/2, r.Set)
	for v := low; v < high+1e-9; v += 0.05 {
		fmt.Fprintf(w, `<path d="M0 %.1fH%d" stroke="#e4e4e4"/><text x="-8" y="%.1f" text-anchor="end">%.2f</text>`+"\n", y(v), panelW, y(v)+4, v)
	}
	for _, n := range []int{0, 25, 50, 75, 100} {
		fmt.Fprintf(w, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(n), panelH+18, n)
	}
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="middle">corrections</text><text transform="translate(-42 %d) rotate(-90)" text-anchor="middle">median IoU</text>`+"\n", panelW/2, panelH+36, panelH/2)
	for k, c := range curves {
		var line, over, under []string
		for i, n := range steps {
			values := pick(r.trials, func(t trial) float64 { return c.of(t, i) })
			line = append(line, fmt.Sprintf("%.1f,%.1f", x(n), y(report.Median(values))))
			over = append(over, fmt.Sprintf("%.1f,%.1f", x(n), y(greatest(values))))
			under = append([]string{fmt.Sprintf("%.1f,%.1f", x(n), y(least(values)))}, under...)
		}
		fmt.Fprintf(w, `<polygon points="%s" fill="%s" fill-opacity="0.12"/><polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n",
			strings.Join(append(over, under...), " "), c.color, strings.Join(line, " "), c.color)
		fmt.Fprintf(w, `<path d="M%d %dh16" stroke="%s" stroke-width="2"/><text x="%d" y="%d">%s</text>`+"\n", k*132, panelH+54, c.color, k*132+20, panelH+58, c.name)
	}
}

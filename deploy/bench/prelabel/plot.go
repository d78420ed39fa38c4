package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"

	"gleaner/stages/prelabel/evaluate"
)

// curve is one way to tell probabilities in a reliability diagram.
type curve struct {
	name string
	bins []evaluate.Bin
}

// colors are of Okabe and Ito's palette, which the color-blind tell apart.
var colors = []string{"#999999", "#e69f00", "#0072b2", "#009e73"}

const (
	plotSide   = 340 // pixels of the diagram's square
	plotMargin = 56  // around it
)

// place is where a probability stands along an axis, in pixels.
func place(p float64) float64 { return plotSide * math.Sqrt(p) }

// reliability draws, as SVG, the share accepted against the probability told, both on square roots, which give room to the many
// proposals of low scores.
func reliability(title string, curves []curve) []byte {
	var out bytes.Buffer
	all := plotSide + 2*plotMargin
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", all, all, all, all)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#fff"/><g transform="translate(%d %d)">`+"\n", all, all, plotMargin, plotMargin)
	fmt.Fprintf(&out, `<text x="%d" y="-34" text-anchor="middle" font-weight="bold">%s</text>`+"\n", plotSide/2, html.EscapeString(title))
	for _, v := range []float64{0, .01, .05, .1, .2, .4, .6, .8, 1} {
		at := place(v)
		fmt.Fprintf(&out, `<path d="M0 %.1fH%d M%.1f 0V%d" stroke="#e4e4e4"/><text x="-8" y="%.1f" text-anchor="end">%g</text><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			plotSide-at, plotSide, at, plotSide, plotSide-at+4, v, at, plotSide+18, v)
	}
	fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="middle">probability told</text><text transform="translate(-40 %d) rotate(-90)" text-anchor="middle">share accepted</text>`+"\n",
		plotSide/2, plotSide+38, plotSide/2)
	fmt.Fprintf(&out, `<path d="M0 %dL%d 0" stroke="#555" stroke-dasharray="4 4"/>`+"\n", plotSide, plotSide)
	for i, c := range curves {
		points := make([]string, len(c.bins))
		color := colors[i%len(colors)]
		for j, bin := range c.bins {
			x, y := place(bin.Told), plotSide-place(bin.Came)
			points[j] = fmt.Sprintf("%.1f,%.1f", x, y)
			fmt.Fprintf(&out, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, color)
		}
		fmt.Fprintf(&out, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), color)
		fmt.Fprintf(&out, `<path d="M8 %dh18" stroke="%s" stroke-width="2"/><text x="32" y="%d">%s</text>`+"\n", 12+18*i, color, 16+18*i, html.EscapeString(c.name))
	}
	fmt.Fprint(&out, "</g></svg>\n")
	return out.Bytes()
}

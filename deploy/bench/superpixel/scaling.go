package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"gleaner/deploy/bench/report"
	"gleaner/stages/pixels"
	"gleaner/stages/superpixel"
)

const (
	// regionArea is how many pixels a region has on average where regions grow in number with the image: 400 of 640x480.
	regionArea = 768
	// scalingRounds of each size, the sizes interleaved.
	scalingRounds = 5
)

// scaling measures fast on images of 0.1 to 24 megapixels, and two threads on the largest.
func (b *bench) scaling(ctx context.Context, out io.Writer) error {
	photos, err := b.vga()
	if err != nil {
		return err
	}
	sizes := [][2]int{{366, 274}, {816, 612}, {1155, 866}, {2000, 1500}, {2828, 2121}, {4000, 3000}, {6000, 4000}}
	mosaics := make([]*pixels.Image, len(sizes))
	for i, s := range sizes {
		mosaics[i] = mosaic(photos, s[0], s[1])
	}
	fixed, grown := make([][]time.Duration, len(sizes)), make([][]time.Duration, len(sizes))
	for range scalingRounds {
		for i, m := range mosaics {
			if err := ctx.Err(); err != nil {
				return err
			}
			fixed[i] = append(fixed[i], b.segmentTime(m, 400, 1).cpu)
			grown[i] = append(grown[i], b.segmentTime(m, m.W*m.H/regionArea, 1).cpu)
		}
	}
	fmt.Fprintf(out, "\n### Scaling\n\nPhotos side by side, none of them resized; processor time of fast on one thread, medians of %d rounds.\n\n"+
		"| megapixels | K=400: ms | ms a megapixel | a region for every %d pixels: ms | ms a megapixel |\n|---|---|---|---|---|\n", scalingRounds, regionArea)
	var mp, a, z []float64
	for i, m := range mosaics {
		n := float64(m.W*m.H) / 1e6
		f, g := report.Millis(report.Median(fixed[i])), report.Millis(report.Median(grown[i]))
		mp, a, z = append(mp, n), append(a, f), append(z, g)
		fmt.Fprintf(out, "| %.2f | %.2f | %.2f | %.2f | %.2f |\n", n, f, f/n, g, g/n)
	}
	fmt.Fprintf(out, "\nSlope of log time over log pixels (linear: 1): %.3f and %.3f.\n", slope(mp, a), slope(mp, z))
	return b.twoThreads(ctx, out, mosaics[len(mosaics)-1])
}

// twoThreads compares one and two threads on an image, interleaved.
func (b *bench) twoThreads(ctx context.Context, out io.Writer, m *pixels.Image) error {
	var wall, cpu [2][]time.Duration
	for range scalingRounds {
		for t := range 2 {
			if err := ctx.Err(); err != nil {
				return err
			}
			s := b.segmentTime(m, m.W*m.H/regionArea, t+1)
			wall[t], cpu[t] = append(wall[t], s.wall), append(cpu[t], s.cpu)
		}
	}
	w1, w2 := report.Median(wall[0]), report.Median(wall[1])
	c1, c2 := report.Median(cpu[0]), report.Median(cpu[1])
	ratio := float64(w1) / float64(w2)
	freest, used := 0, 0.0
	for i := range wall[1] {
		if u := cpu[1][i].Seconds() / wall[1][i].Seconds(); u > used {
			freest, used = i, u
		}
	}
	best := wall[0][freest].Seconds() / wall[1][freest].Seconds()
	fmt.Fprintf(out, "\nTwo threads on the largest, medians of %d rounds: %.0f ms by the clock against %.0f ms of one, %.2f times as fast (%s). Processor time over the "+
		"clock was %.2f of 2 and %.2f of 1; processor time %.0f ms against %.0f ms. In the round in which the second core was freest, %.2f of 2, it was %.2f times as "+
		"fast (%s).\n", scalingRounds, report.Millis(w2), report.Millis(w1), ratio, verdict(ratio, 1.7, true), c2.Seconds()/w2.Seconds(), c1.Seconds()/w1.Seconds(),
		report.Millis(c2), report.Millis(c1), used, best, verdict(best, 1.7, true))
	return nil
}

type cost struct{ wall, cpu time.Duration }

func (b *bench) segmentTime(m *pixels.Image, k, threads int) cost {
	at, cpu := time.Now(), processorTime()
	b.segmenter.Segment(m.Pix, m.W, m.H, superpixel.Params{Regions: k, Quality: superpixel.Fast, Threads: threads})
	return cost{time.Since(at), processorTime() - cpu}
}

// mosaic lays photos of one size side by side, from the first on and over again, and cuts the rest off.
func mosaic(photos []*picture, w, h int) *pixels.Image {
	out := &pixels.Image{W: w, H: h, Pix: make([]uint8, 3*w*h)}
	pw, ph := photos[0].img.W, photos[0].img.H
	across := (w + pw - 1) / pw
	for y := range h {
		for x := 0; x < w; x += pw {
			p := photos[(y/ph*across+x/pw)%len(photos)].img
			copy(out.Pix[3*(y*w+x):3*(y+1)*w], p.Pix[3*(y%ph)*pw:3*(y%ph+1)*pw])
		}
	}
	return out
}

// slope is that of the least squares line through the logarithms.
func slope(x, y []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i := range x {
		u, v := math.Log(x[i]), math.Log(y[i])
		sx, sy, sxx, sxy = sx+u, sy+v, sxx+u*u, sxy+u*v
	}
	n := float64(len(x))
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

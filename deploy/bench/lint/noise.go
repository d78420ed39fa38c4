package main

import (
	"math"
	"math/rand/v2"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// noisy are the labels of a picture with errors in them.
type noisy struct {
	labels  []schemas.Object
	wrong   []schemas.FindingType // [labels]: what is wrong with each; empty: nothing
	moved   []int                 // [labels]: of edge errors the edge, 0 left, 1 top, 2 right, 3 bottom
	deleted []schemas.Object
}

// noise puts errors into labels, of the kinds and by the amounts of label_noise.py, which plants those that lint is scored on: what is
// fitted to it knows how large an error is, which it does not of people's. Each box gets each error with the same chance, and at
// most one. Amounts are shares of the box's sides.
type noise struct {
	rate   float64 // of each error but missing
	gone   float64 // of missing
	random *rand.Rand
	shapes []schemas.Object // of which spurious boxes take size and class: relative to images of 1 by 1
	other  func(class string, r *rand.Rand) string
}

var mistakes = []schemas.FindingType{
	schemas.FindingLoose, schemas.FindingTight, schemas.FindingShift, schemas.FindingEdge, schemas.FindingSwap,
}

// maxIoU is how much of itself a moved box may cover at most, lest the error be none; one edge alone moves at least minEdge pixels.
const (
	maxIoU  = 0.85
	minEdge = 2
)

func (n *noise) put(labels []schemas.Object, w, h int) noisy {
	var out noisy
	for _, o := range labels {
		if n.random.Float64() < n.gone {
			out.deleted = append(out.deleted, o)
			continue
		}
		kind, moved := schemas.FindingType(""), 0
		if k := int(n.random.Float64() / n.rate); k < len(mistakes) {
			kind = mistakes[k]
		}
		switch kind {
		case "":
		case schemas.FindingSwap:
			class := n.other(o.Class, n.random)
			if class == "" {
				kind = ""
				break
			}
			o.Class = class
		default:
			b := n.move(kind, o.Box).Clip(w, h)
			if b.W() < 1 || b.H() < 1 || kind != schemas.FindingEdge && b.IoU(o.Box) > maxIoU || kind == schemas.FindingEdge && farthest(b, o.Box) < minEdge {
				kind = ""
				break
			}
			moved = side(b.X1-o.Box.X1, b.Y1-o.Box.Y1, b.X2-o.Box.X2, b.Y2-o.Box.Y2)
			o.Box = b
		}
		out.labels, out.wrong, out.moved = append(out.labels, o), append(out.wrong, kind), append(out.moved, moved)
	}
	for range labels {
		if n.random.Float64() < n.rate {
			n.invent(&out, labels, w, h)
		}
	}
	return out
}

// move changes a box by an error of a kind.
func (n *noise) move(kind schemas.FindingType, b geometry.Box) geometry.Box {
	w, h := b.W(), b.H()
	by := func() float32 { return 0.1 + 0.15*n.random.Float32() }
	switch kind {
	case schemas.FindingLoose:
		return geometry.Box{X1: b.X1 - by()*w, Y1: b.Y1 - by()*h, X2: b.X2 + by()*w, Y2: b.Y2 + by()*h}
	case schemas.FindingTight:
		return geometry.Box{X1: b.X1 + by()*w, Y1: b.Y1 + by()*h, X2: b.X2 - by()*w, Y2: b.Y2 - by()*h}
	case schemas.FindingShift:
		sin, cos := math.Sincos(2 * math.Pi * n.random.Float64())
		m := 0.2 + 0.2*n.random.Float64()
		dx, dy := float32(m*cos)*w, float32(m*sin)*h
		return geometry.Box{X1: b.X1 + dx, Y1: b.Y1 + dy, X2: b.X2 + dx, Y2: b.Y2 + dy}
	}
	d := by()
	if n.random.IntN(2) == 0 {
		d = -d
	}
	edge := [4]*float32{&b.X1, &b.Y1, &b.X2, &b.Y2}
	side := n.random.IntN(4)
	*edge[side] += d * [2]float32{w, h}[side%2]
	return b
}

func farthest(a, b geometry.Box) float32 {
	d := float32(0)
	for _, x := range [4]float32{a.X1 - b.X1, a.Y1 - b.Y1, a.X2 - b.X2, a.Y2 - b.Y2} {
		d = max(d, x, -x)
	}
	return d
}

// invent adds a label of nothing, which hardly meets any other.
func (n *noise) invent(out *noisy, labels []schemas.Object, w, h int) {
	for range 50 {
		o := n.shapes[n.random.IntN(len(n.shapes))]
		bw, bh := o.Box.W()*float32(w), o.Box.H()*float32(h)
		x, y := n.random.Float32()*(float32(w)-bw), n.random.Float32()*(float32(h)-bh)
		o.Box = geometry.Box{X1: x, Y1: y, X2: x + bw, Y2: y + bh}
		meets := func(l schemas.Object) bool { return l.Box.IoU(o.Box) >= 0.1 }
		if bw < 1 || bh < 1 || slices.ContainsFunc(labels, meets) || slices.ContainsFunc(out.labels, meets) {
			continue
		}
		o.ID = "new"
		out.labels, out.wrong, out.moved = append(out.labels, o), append(out.wrong, schemas.FindingSpurious), append(out.moved, 0)
		return
	}
}

// newNoise draws errors for the labels of a set.
func (b *bench) newNoise(set []*picture, seed uint64) *noise {
	classes := labeled(set)
	n := &noise{rate: rate, gone: gone, random: rand.New(rand.NewPCG(seed, 3))}
	n.other = func(class string, r *rand.Rand) string {
		others := slices.DeleteFunc(slices.Clone(classes), func(c string) bool { return b.relatives(c, class) })
		if len(others) == 0 {
			return ""
		}
		return others[r.IntN(len(others))]
	}
	for _, p := range set {
		w, h := float32(p.img.W), float32(p.img.H)
		for _, o := range p.sample.Objects {
			o.Box = geometry.Box{X1: o.Box.X1 / w, Y1: o.Box.Y1 / h, X2: o.Box.X2 / w, Y2: o.Box.Y2 / h}
			n.shapes = append(n.shapes, o)
		}
	}
	return n
}

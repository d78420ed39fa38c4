package evidence

import (
	"math"
	"slices"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/schemas/labelmap"
	"gleaner/stages/pixels/rows"
)

const (
	lookReach = 0.3 // how far on both sides of an edge is looked, in shares of the box's side
	lookHalf  = 12  // offsets on each side
	lookAlong = 24  // places along an edge, but for a tenth at both its ends
)

// profile is how much an image changes across lines parallel to an edge, [offsets], from lookReach within the box to lookReach
// outside of it, 0..255: the mean absolute difference of the colors on both sides of the line.
type profile [2*lookHalf + 1]float32

// look is what the pixels say of the four edges of a box.
type look struct {
	contrast [4]profile
	border   [4]profile // the share of the line that runs along borders of superpixels, where there are any
	strips   [4][3]float64
}

// look is nil where no pixels are at hand, or the box lies outside the image.
func (s *Scene) look(b geometry.Box) *look {
	if s.image == nil || b.Clip(s.W, s.H).Empty() {
		return nil
	}
	l := &look{}
	for e := range 4 {
		s.profiles(b, e, &l.contrast[e], &l.border[e])
		l.strips[e] = s.strips(b, e)
	}
	return l
}

// line is the pixels at places along a line parallel to an edge.
type line struct {
	at     int               // the line's coordinate
	colors [96]uint8         // of lookAlong pixels, RGB, and zeros
	labels [lookAlong]uint16 // of their superpixels
}

// profiles fills in those of one edge: 0 left, 1 top, 2 right, 3 bottom.
func (s *Scene) profiles(b geometry.Box, e int, contrast, border *profile) {
	low, high, from, to, limit, width := b.X1, b.X2, b.Y1, b.Y2, s.W, s.H
	step, stride := 1, s.W // in pixels: across the edge, and along it
	if e%2 == 1 {
		low, high, from, to, limit, width = b.Y1, b.Y2, b.X1, b.X2, s.H, s.W
		step, stride = s.W, 1
	}
	at := low
	if e >= 2 {
		at = high
	}
	gap := lookReach * (high - low) / lookHalf
	var memory [lookAlong]int
	along := memory[:0]
	for i := range lookAlong {
		if y := int(from + (to-from)*(0.1+0.8*(float32(i)+0.5)/lookAlong)); y >= 0 && y < width {
			along = append(along, y*stride)
		}
	}
	if len(along) == 0 {
		return
	}
	one, other := &line{at: -1}, &line{at: -1} // a line is mostly the next one's other side
	for t := range contrast {
		x := at + float32(outward[e])*float32(t-lookHalf)*gap
		p, q := int(math.Floor(float64(x-max(gap, 1)/2))), int(math.Floor(float64(x+max(gap, 1)/2)))
		if p < 0 || q >= limit {
			continue
		}
		if one.at == q || other.at == p {
			one, other = other, one
		}
		s.read(one, p, p*step, along)
		s.read(other, q, q*step, along)
		edges := 0
		if s.borders != nil {
			for k := range along {
				if one.labels[k] != other.labels[k] {
					edges++
				}
			}
		}
		contrast[t] = float32(rows.Difference(one.colors[:], other.colors[:])) / float32(3*len(along))
		border[t] = float32(edges) / float32(len(along))
	}
}

// read fills in a line that is not yet the one at a coordinate, by the pixels at places from one on.
func (s *Scene) read(l *line, at, from int, along []int) {
	if l.at == at {
		return
	}
	l.at = at
	for k, y := range along {
		pixel, c := s.image.Pix[3*(from+y):][:3], l.colors[3*k:][:3]
		c[0], c[1], c[2] = pixel[0], pixel[1], pixel[2]
	}
	if s.borders != nil {
		for k, y := range along {
			l.labels[k] = s.borders.labels[from+y]
		}
	}
}

// at is the greatest value within a step of an offset, in shares of the side and outward positive.
func (p *profile) at(offset float64) float64 {
	t := int(math.Round(offset/lookReach*lookHalf)) + lookHalf
	top := float32(0)
	for i := max(t-1, 0); i <= min(t+1, len(p)-1); i++ {
		top = max(top, p[i])
	}
	return float64(top)
}

// peak is the greatest value, with its offset in shares of the side.
func (p *profile) peak() (value, offset float64) {
	top := lookHalf
	for t, x := range p {
		if x > p[top] {
			top = t
		}
	}
	return float64(p[top]), float64(top-lookHalf) / lookHalf * lookReach
}

func (p *profile) mean() float64 {
	sum := float32(0)
	for _, x := range p {
		sum += x
	}
	return float64(sum) / float64(len(p))
}

var (
	lookNames   = []string{"here", "heremin", "offset", "offsetmin", "offsetmax", "offsetabs", "shiftx", "shifty", "stands", "inside"}
	borderNames = []string{"border.here", "border.heremin", "border.offset", "border.offsetabs"}
)

// pixels is where near the labeled edges the image changes most.
func (s *Scene) pixels(v *vector, i int) {
	l := s.looks[i]
	if l == nil {
		v.addAll(lookNames)
		v.addAll(borderNames)
		return
	}
	here, offset, stands := [4]float64{}, [4]float64{}, 0.0
	var in, out float32
	for e := range l.contrast {
		p := &l.contrast[e]
		top, at := p.peak()
		here[e], offset[e] = p.at(0)/(top+1e-3), at
		stands += p.at(0) / (p.mean() + 1) / 4
		for t, x := range p {
			switch {
			case t < lookHalf:
				in += x
			case t > lookHalf:
				out += x
			}
		}
	}
	v.addAll(lookNames, mean(here), slices.Min(here[:]), mean(offset), slices.Min(offset[:]), slices.Max(offset[:]), meanAbs(offset),
		math.Abs(offset[2]-offset[0])/2, math.Abs(offset[3]-offset[1])/2, stands, math.Log(float64((in+1)/(out+1))))
	if s.borders == nil {
		v.addAll(borderNames)
		return
	}
	for e := range l.border {
		top, at := l.border[e].peak()
		here[e], offset[e] = l.border[e].at(0)-top, at
	}
	v.addAll(borderNames, mean(here), slices.Min(here[:]), mean(offset), meanAbs(offset))
}

func mean(x [4]float64) float64 { return (x[0] + x[1] + x[2] + x[3]) / 4 }

func meanAbs(x [4]float64) float64 {
	for e := range x {
		x[e] = math.Abs(x[e])
	}
	return mean(x)
}

// borders is the label map of an image's superpixels.
type borders struct{ labels []uint16 }

// readBorders is nil where there are no superpixels, or none that fit the image.
func readBorders(s *schemas.Sample, maps *labelmap.Recent) *borders {
	if s.Superpixels.Count == 0 {
		return nil
	}
	m, err := maps.Decode(s.Superpixels.Data)
	if err != nil || m.W != s.Image.W || m.H != s.Image.H {
		return nil // the evidence is left out; superpixel's own readers say what is wrong
	}
	return &borders{m.Labels}
}

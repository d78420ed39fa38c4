package schemas

// Candidates as a column. There are hundreds of cells on every sample, so they are packed, one after the other in a binary
// column, at the precision that judging labels needs:
//
//	x1, y1, width, height   eighths of a pixel                               4 uvarint
//	score                   65535ths                                         2 bytes, little-endian
//	scores                  twice their number, and 1 where there are sides  uvarint
//	  class                 index of the class                               uvarint
//	  score                 v: the cell's times (v/255)²                     1 byte
//	sides, where there are
//	  grid                  number of the grid, counted as they come         uvarint
//	    step_x, step_y      of a grid that comes first here: pixels          2 float32, little-endian
//	    bins                of a grid that comes first here                  uvarint
//	  x, y                  eighths of a pixel                               2 varint
//	  span                  first*(bins+1) + count of the bins, of one side, between its first and last that are not 0
//	                                                                         4 times uvarint, each with
//	    p                   probability of these in 255ths                   count bytes
//
// Decoding and encoding again changes nothing.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"gleaner/schemas/geometry"
)

const (
	eighth     = 1.0 / 8
	maxEighths = 1 << 24 // float32 holds multiples of an eighth up to here
	maxBins    = 256
)

var candidateColumns = []column[[]Candidates]{
	field("model", texts[string](), func(c *Candidates) *string { return &c.Model }),
	field("floor", float32s(), func(c *Candidates) *float32 { return &c.Floor }),
	field("classes", lists(texts[string]()), func(c *Candidates) *[]string { return &c.Classes }),
	field("cells", cells(), func(c *Candidates) *[]Candidate { return &c.Cells }),
	field("look", texts[Look](), func(c *Candidates) *Look { return &c.Look }),
	field("at", lists(structs(boxColumns)), func(c *Candidates) *[]geometry.Box { return &c.At }),
}

// candidates are structs whose cells name classes that there are.
func candidates() kind[Candidates] {
	k := structs(candidateColumns)
	plain := k.decode
	k.decode = func(d *decoding, v *buffered, out []Candidates) error {
		if err := plain(d, v, out); err != nil {
			return err
		}
		for _, c := range out {
			for _, cell := range c.Cells {
				for _, s := range cell.Scores {
					if int(s.Class) >= len(c.Classes) {
						return fmt.Errorf("a cell names class %d of %d", s.Class, len(c.Classes))
					}
				}
			}
		}
		return nil
	}
	return k
}

// cells are binary columns of packed cells.
func cells() kind[[]Candidate] {
	k := blobs()
	return kind[[]Candidate]{
		typ: k.typ,
		encode: func(vals [][]Candidate) buffered {
			packed := make([][]byte, len(vals))
			for i, v := range vals {
				packed[i] = packCells(v)
			}
			return k.encode(packed)
		},
		decode: func(d *decoding, v *buffered, out [][]Candidate) error {
			packed, err := values(d, k, v, len(out), nil)
			for i := 0; i < len(packed) && err == nil; i++ {
				out[i], err = unpackCells(d, packed[i])
			}
			return err
		},
	}
}

// gridOf is what the sides of many cells have in common.
type gridOf struct {
	stepX, stepY float32
	bins         int
}

func packCells(cells []Candidate) []byte {
	if len(cells) == 0 {
		return nil
	}
	b := make([]byte, 0, 48*len(cells))
	var grids []gridOf
	for _, c := range cells {
		x1, x2 := span(c.Box.X1, c.Box.X2)
		y1, y2 := span(c.Box.Y1, c.Box.Y2)
		for _, v := range [...]int64{x1, y1, x2 - x1, y2 - y1} {
			b = binary.AppendUvarint(b, uint64(v)) //nolint:gosec // span returns none below 0
		}
		score := quantum(c.Score, 0xffff)
		b = binary.LittleEndian.AppendUint16(b, uint16(score))
		grid, sided := gridOfSides(c.Sides)
		b = binary.AppendUvarint(b, uint64(2*len(c.Scores)+sided)) //nolint:gosec // none is below 0
		for _, s := range c.Scores {
			share := uint32(0)
			if score > 0 && s.Score > 0 {
				share = max(quantum(float32(math.Sqrt(float64(s.Score)*0xffff/float64(score))), 0xff), 1)
			}
			b = append(binary.AppendUvarint(b, uint64(s.Class)), byte(share))
		}
		if sided > 0 {
			b, grids = packSides(b, c.Sides, grid, grids)
		}
	}
	return b
}

// gridOfSides returns the grid of sides and 1, or 0 where there are no sides or none that could be.
func gridOfSides(s *Sides) (gridOf, int) {
	if s == nil {
		return gridOf{}, 0
	}
	g := gridOf{s.StepX, s.StepY, len(s.P) / 4}
	if len(s.P) != 4*g.bins || !g.sound() {
		return gridOf{}, 0
	}
	return g, 1
}

func (g gridOf) sound() bool {
	positive := func(v float32) bool { return v > 0 && v <= math.MaxFloat32 }
	return g.bins > 0 && g.bins <= maxBins && positive(g.stepX) && positive(g.stepY)
}

func packSides(b []byte, s *Sides, g gridOf, grids []gridOf) ([]byte, []gridOf) {
	at := 0
	for at < len(grids) && grids[at] != g {
		at++
	}
	b = binary.AppendUvarint(b, uint64(at)) //nolint:gosec // it is not below 0
	if at == len(grids) {
		grids = append(grids, g)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(g.stepX))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(g.stepY))
		b = binary.AppendUvarint(b, uint64(g.bins)) //nolint:gosec // sound has said so
	}
	b = binary.AppendVarint(binary.AppendVarint(b, eighths(s.X)), eighths(s.Y))
	for p := s.P; len(p) > 0; p = p[g.bins:] {
		first, end := 0, g.bins
		for first < end && p[first] == 0 {
			first++
		}
		for end > first && p[end-1] == 0 {
			end--
		}
		b = binary.AppendUvarint(b, uint64(first*(g.bins+1)+end-first)) //nolint:gosec // none is below 0
		b = append(b, p[first:end]...)
	}
	return b, grids
}

// eighths rounds a coordinate; what is no number becomes 0.
func eighths(v float32) int64 {
	if v != v {
		return 0
	}
	return int64(math.Round(min(max(float64(v)/eighth, -maxEighths), maxEighths)))
}

// span rounds the ends of a side, of which the second stays above the first and neither goes below 0.
func span(from, to float32) (a, b int64) {
	a, b = max(eighths(from), 0), max(eighths(to), 1)
	if a >= b {
		a = b - 1
	}
	return a, b
}

// quantum rounds a share of 1 to a multiple of 1/n.
func quantum(v float32, n float64) uint32 {
	if !(v > 0) {
		return 0
	}
	return uint32(math.Round(min(float64(v), 1) * n))
}

var errCells = errors.New("packed cells break off or are out of range")

// unpacking reads packed cells; after what cannot be, all it reads is 0.
type unpacking struct {
	rest  []byte
	bad   bool
	grids []gridOf
	slab  []byte // what is left of the memory that bins are cut from
}

// bins cuts room for n bins, in few allocations for many cells.
func (u *unpacking) bins(d *decoding, n int) ([]byte, error) {
	if len(u.slab) < n {
		size := max(n, min(4*len(u.rest), 16<<10))
		if err := d.charge(size, 1); err != nil {
			return nil, err
		}
		u.slab = make([]byte, size)
	}
	p := u.slab[:n:n]
	u.slab = u.slab[n:]
	return p, nil
}

func (u *unpacking) take(n int) []byte {
	if n > len(u.rest) {
		u.bad, u.rest = true, nil
		return make([]byte, n) // which callers bound
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

// uvarint reads a number of at most limit.
func (u *unpacking) uvarint(limit uint64) int {
	v, n := binary.Uvarint(u.rest)
	if n <= 0 || v > limit {
		u.bad, u.rest = true, nil
		return 0
	}
	u.rest = u.rest[n:]
	return int(v) //nolint:gosec // limits are far below
}

// coordinate reads signed eighths of a pixel.
func (u *unpacking) coordinate() float32 {
	v, n := binary.Varint(u.rest)
	if n <= 0 || v > maxEighths || v < -maxEighths {
		u.bad, u.rest = true, nil
		return 0
	}
	u.rest = u.rest[n:]
	return float32(v) * eighth
}

// leastCell is the size of the smallest cell in bytes.
const leastCell = 7

func unpackCells(d *decoding, b []byte) ([]Candidate, error) {
	if len(b) == 0 {
		return nil, nil
	}
	// What there is room for: memory that grows is charged before.
	if err := d.charge(len(b)/leastCell+1, unsafe.Sizeof(Candidate{})+unsafe.Sizeof(Sides{})); err != nil {
		return nil, err
	}
	if err := d.charge(len(b)/2+1, unsafe.Sizeof(ClassScore{})); err != nil {
		return nil, err
	}
	u := &unpacking{rest: b}
	out := make([]Candidate, 0, len(b)/16+1)
	scores := make([]ClassScore, 0, len(b)/4+1)
	var sides []Sides // cells point into what it was made of, too, when it grows
	for len(u.rest) > 0 {
		x, y, w, h := u.uvarint(maxEighths), u.uvarint(maxEighths), u.uvarint(maxEighths), u.uvarint(maxEighths)
		if w == 0 || h == 0 || x+w > maxEighths || y+h > maxEighths {
			return nil, errCells
		}
		c := Candidate{Box: geometry.Box{X1: float32(x) * eighth, Y1: float32(y) * eighth, X2: float32(x+w) * eighth, Y2: float32(y+h) * eighth}}
		c.Score = float32(float64(binary.LittleEndian.Uint16(u.take(2))) / 0xffff)
		n := u.uvarint(2*uint64(len(u.rest)) + 1)
		first := len(scores)
		for range n / 2 {
			class := u.uvarint(math.MaxUint16)
			share := float64(u.take(1)[0]) / 0xff
			scores = append(scores, ClassScore{Class: uint16(class), Score: float32(float64(c.Score) * share * share)}) //nolint:gosec // the limit says so
			if u.bad {
				return nil, errCells
			}
		}
		if first < len(scores) {
			c.Scores = scores[first:len(scores):len(scores)]
		}
		if n%2 == 1 {
			s, err := u.sides(d)
			if err != nil {
				return nil, err
			}
			if sides == nil {
				sides = make([]Sides, 0, len(b)/32+1)
			}
			sides = append(sides, s)
			c.Sides = &sides[len(sides)-1]
		}
		if u.bad {
			return nil, errCells
		}
		out = append(out, c)
	}
	return out, nil
}

func (u *unpacking) sides(d *decoding) (s Sides, err error) {
	at := u.uvarint(uint64(len(u.grids)))
	if at == len(u.grids) {
		steps := u.take(8)
		g := gridOf{math.Float32frombits(binary.LittleEndian.Uint32(steps)), math.Float32frombits(binary.LittleEndian.Uint32(steps[4:])), u.uvarint(maxBins)}
		if u.bad || !g.sound() {
			return s, errCells
		}
		u.grids = append(u.grids, g)
	}
	g := u.grids[at]
	s.StepX, s.StepY = g.stepX, g.stepY
	s.X, s.Y = u.coordinate(), u.coordinate()
	if s.P, err = u.bins(d, 4*g.bins); err != nil {
		return s, err
	}
	for p := s.P; len(p) > 0; p = p[g.bins:] {
		v := u.uvarint(uint64(g.bins * (g.bins + 2))) //nolint:gosec // both are small
		first, count := v/(g.bins+1), v%(g.bins+1)
		if first+count > g.bins {
			return s, errCells
		}
		copy(p[first:], u.take(count))
	}
	return s, nil
}

// Package forest is gradient-boosted decision trees for yes-or-no questions (Friedman 2001, "Greedy function approximation"): sums of
// small trees that make log-odds of numbers. Scores is what a running system needs; Fit is for the command that makes its weights.
package forest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// Forest is fitted trees. It is safe for concurrent use.
type Forest struct {
	base  float32
	trees []tree
}

// MaxLeaves is how many leaves a tree can have.
const MaxLeaves = 16

// tree asks all of its questions of a row, in any order: each that is answered by no rules out the leaves on its left, and what
// counts is the first leaf that is left (Lucchese et al. 2015, "QuickScorer"). So no branch depends on numbers.
type tree struct {
	tests  []test // in preorder
	leaves [MaxLeaves]float32
	size   int // leaves
}

// test is whether a number is at most value.
type test struct {
	feature uint32
	value   float32
	keep    uint32 // the leaves, a bit each, that a no leaves over
}

// leaf adds the next leaf.
func (t *tree) leaf(value float32) {
	t.leaves[t.size] = value
	t.size++
}

// ask adds the next test and returns its place; closed then says that all leaves on its left are there.
func (t *tree) ask(feature uint32, value float32) int {
	t.tests = append(t.tests, test{feature, value, 1<<t.size - 1})
	return len(t.tests) - 1
}

// closed makes of a test's leaves before it those that a no leaves over.
func (t *tree) closed(at int) {
	q := &t.tests[at]
	q.keep |= ^uint32(0) << t.size
}

// left is how many leaves are on a test's left.
func (q *test) left() int { return bits.OnesCount32(^q.keep) }

// lanes is how many rows are scored at a time.
const lanes = 8

// Batch is rows of as many numbers each, laid out so that several are scored at a time. It is read-only.
type Batch struct {
	rows, features int
	blocks         [][lanes]float32 // [blocks of rows][features], the last block filled up with zeros
}

// NewBatch copies rows, [n][features].
func NewBatch(rows [][]float32) *Batch {
	b := &Batch{rows: len(rows)}
	if len(rows) == 0 {
		return b
	}
	b.features = len(rows[0])
	b.blocks = make([][lanes]float32, (len(rows)+lanes-1)/lanes*b.features)
	for i, row := range rows {
		block, lane := b.blocks[i/lanes*b.features:][:b.features], i%lanes
		for k, x := range row[:len(block)] {
			block[k][lane] = x
		}
	}
	return b
}

// Scores are the log-odds, [n], that rows mean yes. They have the features that the forest was fitted to. NaN is more than any number.
func (f *Forest) Scores(b *Batch) []float32 {
	out := make([]float32, len(b.blocks)/max(b.features, 1)*lanes)
	for i := range len(out) / lanes {
		sums := (*[lanes]float32)(out[lanes*i:])
		for lane := range sums {
			sums[lane] = f.base
		}
		f.add(sums, b.blocks[i*b.features:][:b.features])
	}
	return out[:b.rows]
}

// addScalar adds to sums what the trees say of a block of rows.
func (f *Forest) addScalar(sums *[lanes]float32, block [][lanes]float32) {
	for i := range f.trees {
		t := &f.trees[i]
		for lane := range sums {
			left := ^uint32(0) // the leaves that are not ruled out
			for j := range t.tests {
				q := &t.tests[j]
				left &= q.keep | -number(block[q.feature][lane] <= q.value)
			}
			sums[lane] += t.leaves[bits.TrailingZeros32(left)%MaxLeaves]
		}
	}
}

// number is 1 for true.
func number(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// A forest is encoded as its base, float32, the number of trees, uint32, and of nodes, uint32, and the nodes of each tree in preorder.
// A node is a feature, uint16, how many nodes behind it its right child lies, uint16, and the value up to which its left child counts,
// float32; a leaf is noFeature, 0 and what it adds to the log-odds. All are little-endian.
const (
	noFeature = math.MaxUint16
	nodeBytes = 8
)

// Append appends the forest's encoding to b.
func (f *Forest) Append(b []byte) []byte {
	nodes := 0
	for i := range f.trees {
		nodes += 2*f.trees[i].size - 1
	}
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f.base))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.trees))) //nolint:gosec // Fit makes fewer
	b = binary.LittleEndian.AppendUint32(b, uint32(nodes))        //nolint:gosec // Fit makes fewer
	for i := range f.trees {
		t := &f.trees[i]
		b = t.appendTo(b, 0, 0, t.size)
	}
	return b
}

// appendTo encodes the part of a tree that has some leaves from the first on, and whose root is a test where they are several.
func (t *tree) appendTo(b []byte, at, first, leaves int) []byte {
	feature, right, value := uint32(noFeature), 0, t.leaves[first]
	if leaves > 1 {
		q := &t.tests[at]
		feature, right, value = q.feature, 2*q.left(), q.value
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(feature)) //nolint:gosec // features are few
	b = binary.LittleEndian.AppendUint16(b, uint16(right))   //nolint:gosec // leaves are few
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(value))
	if leaves == 1 {
		return b
	}
	left := right / 2
	b = t.appendTo(b, at+1, first, left)
	return t.appendTo(b, at+left, first+left, leaves-left)
}

var errShort = errors.New("it ends early")

// Decode reads what Append wrote, of which it returns the rest. Trees that ask for a number beyond features, or do not end, are refused,
// so that Scores cannot fail.
func Decode(b []byte, features int) (*Forest, []byte, error) {
	if len(b) < 12 {
		return nil, nil, errShort
	}
	f := &Forest{base: math.Float32frombits(binary.LittleEndian.Uint32(b))}
	trees, nodes := int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[8:]))
	if b = b[12:]; len(b)/nodeBytes < nodes {
		return nil, nil, errShort
	}
	rest := b[:nodeBytes*nodes]
	for range trees {
		var t tree
		var err error
		if rest, err = t.decode(rest, features); err != nil {
			return nil, nil, err
		}
		f.trees = append(f.trees, t)
	}
	if len(rest) > 0 {
		return nil, nil, fmt.Errorf("%d nodes belong to no tree", len(rest)/nodeBytes)
	}
	return f, b[nodeBytes*nodes:], nil
}

// decode reads the next part of a tree.
func (t *tree) decode(b []byte, features int) ([]byte, error) {
	if len(b) < nodeBytes {
		return nil, errors.New("a tree does not end")
	}
	feature, right, value := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), math.Float32frombits(binary.LittleEndian.Uint32(b[4:]))
	b = b[nodeBytes:]
	if max(t.size, len(t.tests)) == MaxLeaves {
		return nil, fmt.Errorf("a tree has more than %d leaves", MaxLeaves)
	}
	if feature == noFeature {
		t.leaf(value)
		return b, nil
	}
	if int(feature) >= features {
		return nil, fmt.Errorf("a tree asks for number %d of %d", feature, features)
	}
	at := t.ask(uint32(feature), value)
	b, err := t.decode(b, features)
	if err != nil {
		return nil, err
	}
	t.closed(at)
	if int(right) != 2*t.tests[at].left() {
		return nil, errors.New("a tree's branches overlap")
	}
	return t.decode(b, features)
}

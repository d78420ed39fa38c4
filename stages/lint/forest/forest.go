// Package forest is gradient-boosted decision trees for yes-or-no questions (Friedman 2001, "Greedy function approximation"): sums of
// small trees that make log-odds of numbers. Score is what a running system needs; Fit is for the command that makes its weights.
package forest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Forest is fitted trees. It is safe for concurrent use.
type Forest struct {
	base  float32
	nodes []node // the trees, one after the other, each in preorder
	roots []uint32
}

// node is a question or, where feature is leaf, an answer.
type node struct {
	feature uint16
	right   uint16  // how far behind this node its right child lies; the left one follows it
	value   float32 // go left where the number is at most this; of leaves the log-odds
}

const leaf = math.MaxUint16

// Score is the log-odds that a row of numbers, [features], means yes. NaN goes right.
func (f *Forest) Score(x []float32) float64 {
	sum := f.base
	for _, at := range f.roots {
		n := &f.nodes[at]
		for n.feature != leaf {
			if x[n.feature] <= n.value {
				at++
			} else {
				at += uint32(n.right)
			}
			n = &f.nodes[at]
		}
		sum += n.value
	}
	return float64(sum)
}

// Append appends the forest's encoding to b: base, float32; the number of trees, uint32; of nodes, uint32; and each node as feature,
// uint16, right, uint16, and value, float32. All are little-endian.
func (f *Forest) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f.base))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.roots))) //nolint:gosec // Fit makes fewer
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.nodes))) //nolint:gosec // Fit makes fewer
	for _, n := range f.nodes {
		b = binary.LittleEndian.AppendUint16(b, n.feature)
		b = binary.LittleEndian.AppendUint16(b, n.right)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n.value))
	}
	return b
}

var errShort = errors.New("it ends early")

// Decode reads what Append wrote, of which it returns the rest. Trees that ask for a number beyond features, or do not end, are refused,
// so that Score cannot fail.
func Decode(b []byte, features int) (*Forest, []byte, error) {
	if len(b) < 12 {
		return nil, nil, errShort
	}
	f := &Forest{base: math.Float32frombits(binary.LittleEndian.Uint32(b))}
	trees, nodes := int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint32(b[8:]))
	if b = b[12:]; len(b)/8 < nodes {
		return nil, nil, errShort
	}
	f.nodes = make([]node, nodes)
	for i := range f.nodes {
		f.nodes[i] = node{binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), math.Float32frombits(binary.LittleEndian.Uint32(b[4:]))}
		b = b[8:]
	}
	at := 0
	for range trees {
		f.roots = append(f.roots, uint32(at)) //nolint:gosec // at most nodes
		end, err := f.end(at, features, 0)
		if err != nil {
			return nil, nil, err
		}
		at = end
	}
	if at != nodes {
		return nil, nil, fmt.Errorf("%d nodes belong to no tree", nodes-at)
	}
	return f, b, nil
}

const maxDepth = 64

// end is where the tree at a node ends.
func (f *Forest) end(at, features, depth int) (int, error) {
	if at >= len(f.nodes) || depth > maxDepth {
		return 0, errors.New("a tree does not end")
	}
	n := f.nodes[at]
	if n.feature == leaf {
		return at + 1, nil
	}
	if int(n.feature) >= features {
		return 0, fmt.Errorf("a tree asks for number %d of %d", n.feature, features)
	}
	right, err := f.end(at+1, features, depth+1)
	if err != nil {
		return 0, err
	}
	if right != at+int(n.right) {
		return 0, errors.New("a tree's branches overlap")
	}
	return f.end(right, features, depth+1)
}

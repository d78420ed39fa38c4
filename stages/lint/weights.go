package lint

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"
	"strings"
	"sync"

	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
	"gleaner/stages/lint/forest"
)

// Fitted are what forests are fitted for, in the order of the file: the types of finding that boxes makes, missing labels of classes that
// the models know, and of those that they do not.
func Fitted() []schemas.FindingType {
	return slices.Concat(fitted, []schemas.FindingType{schemas.FindingMissing, MissingAlike})
}

// fitted are the types of finding about labels whose scores come of fitted weights.
var fitted = []schemas.FindingType{
	schemas.FindingLoose, schemas.FindingTight, schemas.FindingShift, schemas.FindingEdge, schemas.FindingSwap, schemas.FindingSpurious,
}

// MissingAlike stands for findings of type missing that are told by the labels that a thing resembles.
const MissingAlike schemas.FindingType = "missing-alike"

// Weights make of evidence the chance that a reviewer would change a label: a forest for each of Fitted.
type Weights struct {
	of map[schemas.FindingType]*forest.Forest
}

// NewWeights are those of some forests, one for each of Fitted.
func NewWeights(of map[schemas.FindingType]*forest.Forest) *Weights { return &Weights{of} }

// boxes are the chances, (0,1), that evidence about labels, [n][features], and about their edges, [4n][features], means findings of each
// type that boxes makes.
func (w *Weights) boxes(labels, edges [][]float32) map[schemas.FindingType][]float64 {
	of, ofEdges := forest.NewBatch(labels), forest.NewBatch(edges)
	chances := map[schemas.FindingType][]float64{}
	for _, t := range fitted {
		if t == schemas.FindingEdge {
			chances[t] = w.chances(t, ofEdges)
		} else {
			chances[t] = w.chances(t, of)
		}
	}
	return chances
}

// chances are those, (0,1), that rows of evidence, [n][features], mean what the forest of t was fitted for.
func (w *Weights) chances(t schemas.FindingType, rows *forest.Batch) []float64 {
	odds := w.of[t].Scores(rows)
	out := make([]float64, len(odds))
	for i, x := range odds {
		out[i] = 1 / (1 + math.Exp(-float64(x)))
	}
	return out
}

// worst is which of the four edges of a label is surest to be wrong by the chance of each, and the chance, (0,1), that any is.
func worst(chances [4]float64) (edge int, anyOf float64) {
	top, right := 0.0, 1.0
	for e, p := range chances {
		if p > top {
			edge, top = e, p
		}
		right *= 1 - p
	}
	return edge, 1 - right
}

// names are those of the numbers that a type's forest asks for.
func names(t schemas.FindingType) []string {
	switch t {
	case schemas.FindingMissing:
		return evidence.AbsentNames()
	case MissingAlike:
		return evidence.AlikeNames()
	case schemas.FindingEdge:
		return evidence.EdgeNames()
	}
	return evidence.BoxNames()
}

// weightsVersion begins a file of weights; what follows is a digest of the names of the evidence, so that weights are never read with
// other evidence than they were fitted to.
const weightsVersion = "gleaner lint weights 1\n"

func digest() []byte {
	h := fnv.New64a()
	for _, t := range Fitted() {
		fmt.Fprintln(h, t, strings.Join(names(t), " "))
	}
	return h.Sum(nil)
}

// Encode writes the weights: gzip of the version, the digest and the forests in the order of Fitted.
func (w *Weights) Encode() ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	body := append([]byte(weightsVersion), digest()...)
	for _, t := range Fitted() {
		body = w.of[t].Append(body)
	}
	_, err = z.Write(body)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

const maxWeights = 64 << 20

// DecodeWeights reads what Encode writes. Errors say whether it is another version's, or broken.
func DecodeWeights(b []byte) (*Weights, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("lint weights: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(z, maxWeights))
	if err != nil {
		return nil, fmt.Errorf("lint weights: %w", err)
	}
	rest, ok := bytes.CutPrefix(body, append([]byte(weightsVersion), digest()...))
	if !ok {
		return nil, errors.New("lint weights: they are of another version, or were fitted to other evidence: make lint-weights fits them anew")
	}
	w := NewWeights(map[schemas.FindingType]*forest.Forest{})
	for _, t := range Fitted() {
		if w.of[t], rest, err = forest.Decode(rest, len(names(t))); err != nil {
			return nil, fmt.Errorf("lint weights: %s: %w", t, err)
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("lint weights: %d bytes too many", len(rest))
	}
	return w, nil
}

//go:embed weights.bin
var shipped []byte

// Shipped are the weights of this version: `make lint-weights` fits them to the labels of coco128 and raccoon with errors of its own.
var Shipped = sync.OnceValues(func() (*Weights, error) { return DecodeWeights(shipped) })

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
	"strings"
	"sync"

	"gleaner/schemas"
	"gleaner/stages/lint/evidence"
	"gleaner/stages/lint/forest"
)

// Fitted are the types of finding whose scores come of fitted weights, in the order of the file.
func Fitted() []schemas.FindingType { return fitted }

var fitted = []schemas.FindingType{
	schemas.FindingLoose, schemas.FindingTight, schemas.FindingShift, schemas.FindingEdge, schemas.FindingSwap, schemas.FindingSpurious,
	schemas.FindingMissing,
}

// Weights make of evidence the chance that a reviewer would change a label: one forest for each type of finding.
type Weights struct {
	of map[schemas.FindingType]*forest.Forest
}

// NewWeights are those of some forests, one for each of Fitted.
func NewWeights(of map[schemas.FindingType]*forest.Forest) *Weights { return &Weights{of} }

// score is the chance, (0,1), that numbers of evidence mean a finding of a type.
func (w *Weights) score(t schemas.FindingType, x []float32) float64 {
	return 1 / (1 + math.Exp(-w.of[t].Score(x)))
}

// edge is which of the four edges of a label evidence speaks against most, and the chance, (0,1), that any is wrong where not several are.
func (w *Weights) edge(of [4][]float32) (worst int, chance float64) {
	top, right := 0.0, 1.0
	for e, x := range of {
		p := w.score(schemas.FindingEdge, x)
		if p > top {
			worst, top = e, p
		}
		right *= 1 - p
	}
	return worst, 1 - right
}

// names are those of the numbers that a type's forest asks for.
func names(t schemas.FindingType) []string {
	switch t {
	case schemas.FindingMissing:
		return evidence.AbsentNames()
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
	for _, t := range fitted {
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
	for _, t := range fitted {
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
	for _, t := range fitted {
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

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

// Manner is how models looked at an image, which makes evidence of different kinds: each has forests of its own, but for those of By.
type Manner struct {
	Several bool // models
	Closer  bool // at the labels and at what has none, too
}

// mannerOf is how models looked at a sample. One without candidates, of which only proposals are known, counts as one model's.
func mannerOf(s *schemas.Sample) (m Manner) {
	for _, c := range s.Candidates {
		m.Several = m.Several || c.Model != s.Candidates[0].Model
		m.Closer = m.Closer || c.Look == schemas.LookCloser || c.Look == schemas.LookUnlabeled
	}
	return m
}

// Manners are all that there are, in the order of the file.
func Manners() []Manner {
	return []Manner{{}, {Several: true}, {Closer: true}, {Several: true, Closer: true}}
}

// By is the manner whose forest judges a type of finding: of missing labels one and several models tell alike, and of those of classes that no
// model knows closer looks are no evidence.
func (m Manner) By(t schemas.FindingType) Manner {
	switch t {
	case schemas.FindingMissing:
		m.Several = false
	case MissingAlike:
		m.Closer = false
	}
	return m
}

// Fitted are the types of finding that forests of this manner judge, in the order of the file.
func (m Manner) Fitted() []schemas.FindingType {
	return slices.DeleteFunc(append(slices.Clone(fitted), schemas.FindingMissing, MissingAlike), func(t schemas.FindingType) bool { return m.By(t) != m })
}

// fitted are the types of finding about labels whose scores come of fitted weights.
var fitted = []schemas.FindingType{
	schemas.FindingLoose, schemas.FindingTight, schemas.FindingShift, schemas.FindingEdge, schemas.FindingSwap, schemas.FindingSpurious,
}

// MissingAlike stands for findings of type missing that are told by the labels that a thing resembles.
const MissingAlike schemas.FindingType = "missing-alike"

// Forests are one for each of some types of finding.
type Forests map[schemas.FindingType]*forest.Forest

// Weights make of evidence the chance that a reviewer would change a label.
type Weights struct{ of map[Manner]Forests }

// NewWeights are those of forests for all that is Fitted of each of Manners.
func NewWeights(of map[Manner]Forests) *Weights { return &Weights{of} }

// boxes are the log-odds that evidence about labels, [n][features], and about their edges, [4n][features], means findings of each
// type that boxes makes.
func (w *Weights) boxes(m Manner, labels, edges [][]float32) map[schemas.FindingType][]float32 {
	by := w.of[m]
	of, ofEdges := forest.NewBatch(labels), forest.NewBatch(edges)
	out := map[schemas.FindingType][]float32{}
	for _, t := range fitted {
		if t == schemas.FindingEdge {
			out[t] = by[t].Scores(ofEdges)
		} else {
			out[t] = by[t].Scores(of)
		}
	}
	return out
}

// missing are the chances, (0,1), that evidence about things without a label, [n][features], means findings of a type that missing makes.
func (w *Weights) missing(m Manner, t schemas.FindingType, things [][]float32) []float64 {
	odds := w.of[m.By(t)][t].Scores(forest.NewBatch(things))
	out := make([]float64, len(odds))
	for i, x := range odds {
		out[i] = logistic(float64(x))
	}
	return out
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

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
const weightsVersion = "gleaner lint weights 2\n"

func digest() []byte {
	h := fnv.New64a()
	for _, m := range Manners() {
		for _, t := range m.Fitted() {
			fmt.Fprintln(h, m, t, strings.Join(names(t), " "))
		}
	}
	return h.Sum(nil)
}

// Encode writes the weights: gzip of the version, the digest and the forests in the order of Manners and Fitted.
func (w *Weights) Encode() ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	body := append([]byte(weightsVersion), digest()...)
	for _, m := range Manners() {
		for _, t := range m.Fitted() {
			body = w.of[m][t].Append(body)
		}
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
	w := NewWeights(map[Manner]Forests{})
	for _, m := range Manners() {
		w.of[m] = Forests{}
		for _, t := range m.Fitted() {
			if w.of[m][t], rest, err = forest.Decode(rest, len(names(t))); err != nil {
				return nil, fmt.Errorf("lint weights: %+v: %s: %w", m, t, err)
			}
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

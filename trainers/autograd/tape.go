package autograd

import (
	"fmt"
	"slices"
	"strings"

	"gleaner/connectors/onnx"
)

// tape records a forward pass and writes the backward one (reverse-mode differentiation, Griewank and Walther 2008).
type tape struct {
	*builder
	recorded []node
	needed   map[string]bool  // tensors whose gradient is asked for or leads to one
	grads    map[string]value // so far
	average  *averaging       // of batch normalizations that train; nil: they are frozen
	blocked  bool             // convolve in the runtime's blocked layout where that fits
}

func newTape() *tape {
	return &tape{builder: newBuilder(), needed: map[string]bool{}, grads: map[string]value{}}
}

// need asks for the gradient of a tensor that no recorded node has read yet.
func (t *tape) need(v value) { t.needed[v.name] = true }

// needs tells whether the gradient of an input leads to one that is asked for.
func (t *tape) needs(v value) bool { return t.needed[v.name] }

// record writes a node of the model into the graph.
func (t *tape) record(n node) error {
	name := operatorOf(n.NodeProto)
	for _, out := range n.out {
		if out.ok() && floating(out.kind) && slices.ContainsFunc(n.in, t.needs) {
			t.needed[out.name] = true
		}
	}
	t.recorded = append(t.recorded, n)
	if forward := operators[name].forward; forward != nil {
		made, err := forward(t, n)
		if err != nil {
			return fmt.Errorf("node %s: %w", title(n.NodeProto), err)
		}
		if made.ok() {
			t.alias(n.out[0].name, made)
			return nil
		}
	}
	t.graph.Node = append(t.graph.Node, n.NodeProto)
	if d := n.GetDomain(); d != "" && d != "ai.onnx" {
		t.domains[d] = true
	}
	return nil
}

// backward writes the gradients of all that is needed, given those of some tensors.
func (t *tape) backward(seeds map[string]value) (err error) {
	for name, g := range seeds {
		t.grads[name] = g
	}
	for _, n := range slices.Backward(t.recorded) {
		dy := make([]value, len(n.out))
		reached := false
		for i, out := range n.out {
			dy[i] = t.grads[out.name]
			reached = reached || out.ok() && dy[i].ok()
		}
		if !reached || !slices.ContainsFunc(n.in, t.needs) {
			continue
		}
		op, known := operators[operatorOf(n.NodeProto)]
		if !known {
			return fmt.Errorf("node %s: no gradient is known of this operator", title(n.NodeProto))
		}
		dx, err := op.backward(t, n, dy)
		if err != nil {
			return fmt.Errorf("node %s: %w", title(n.NodeProto), err)
		}
		for i, g := range dx {
			if g.ok() && t.needs(n.in[i]) {
				t.accumulate(n.in[i], g)
			}
		}
	}
	return nil
}

func (t *tape) accumulate(v, g value) {
	if !slices.Equal(v.dims, g.dims) {
		panic(fmt.Sprintf("autograd: the gradient of %s %v is of shape %v", v.name, v.dims, g.dims))
	}
	if sum, ok := t.grads[v.name]; ok {
		g = t.add(sum, g)
	}
	t.grads[v.name] = g
}

// fixed is the value of an input that must not change from run to run.
func (t *tape) fixed(n node, i int) ([]int64, error) {
	c, ok := t.constants[n.in[i].name]
	if !ok {
		return nil, fmt.Errorf("input %s differs from run to run", n.in[i].name)
	}
	return onnx.Integers(c), nil
}

// axes are those of input i, counted from the front and sorted; all where there are none.
func (t *tape) axes(n node, i, rank int) ([]int64, error) {
	if !n.given(i) {
		return iota64(rank), nil
	}
	axes, err := t.fixed(n, i)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(axes)
	for j, a := range out {
		if a < 0 {
			out[j] = a + int64(rank)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Operators lists the operators that gradients pass through, sorted.
func Operators() []string {
	var out []string
	for name := range operators {
		out = append(out, name)
	}
	slices.SortFunc(out, strings.Compare)
	return out
}

package autograd

import (
	"fmt"
	"math"
)

// Optimizer is the rule by which weights follow their gradients: SGD, AdamW or Muon.
type Optimizer interface {
	validate() error
	// next writes a weight's next value.
	next(u *update, p learned) value
}

// learned is a weight in an update.
type learned struct {
	value
	gradient value
	rate     value   // [1]
	decay    float64 // by which the weight shrinks a step, times the rate
}

// less is the weight after a step along a direction, and decayed beside it.
func (u *update) less(p learned, direction value) value {
	if p.decay != 0 {
		direction = u.add(direction, u.scale(p.value, p.decay))
	}
	return u.sub(p.value, u.mul(direction, p.rate))
}

// SGD is stochastic gradient descent with momentum (Sutskever et al. 2013), in the form of PyTorch: m ← momentum·m + g + decay·w
// and w ← w - rate·m, or with Nesterov w - rate·(g + decay·w + momentum·m).
type SGD struct {
	Momentum float64 // in [0, 1)
	Nesterov bool
}

func (s SGD) validate() error { return within("momentum", s.Momentum) }

// within checks that a factor is in [0, 1).
func within(name string, x float64) error {
	if !(x >= 0 && x < 1) {
		return fmt.Errorf("%s %g: must be at least 0 and below 1", name, x)
	}
	return nil
}

func (s SGD) next(u *update, p learned) value {
	g := p.gradient
	if p.decay != 0 {
		g = u.add(g, u.scale(p.value, p.decay))
	}
	p.decay = 0
	return u.less(p, u.momentum(p, g, s.Momentum, s.Nesterov))
}

// momentum accumulates a direction.
func (u *update) momentum(p learned, g value, momentum float64, nesterov bool) value {
	if momentum == 0 {
		return g
	}
	old := u.state("momentum", p.value)
	now := u.add(u.scale(old, momentum), g)
	u.carry(old, now)
	if nesterov {
		return u.add(g, u.scale(now, momentum))
	}
	return now
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019).
type AdamW struct {
	Beta1, Beta2 float64 // in [0, 1)
	Epsilon      float64
}

// DefaultAdamW returns the paper's factors.
func DefaultAdamW() AdamW { return AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8} }

func (a AdamW) validate() error {
	if !(a.Epsilon > 0) {
		return fmt.Errorf("epsilon %g: must be above 0", a.Epsilon)
	}
	if err := within("beta1", a.Beta1); err != nil {
		return err
	}
	return within("beta2", a.Beta2)
}

func (a AdamW) next(u *update, p learned) value {
	first := u.follow("first", p, p.gradient, a.Beta1)
	second := u.follow("second", p, u.mul(p.gradient, p.gradient), a.Beta2)
	return u.less(p, u.div(first, u.shift(u.unary("Sqrt", second), a.Epsilon)))
}

// follow is an exponential average of what began at zero, without that bias.
func (u *update) follow(name string, p learned, x value, beta float64) value {
	old := u.state(name, p.value)
	now := u.add(u.scale(old, beta), u.scale(x, 1-beta))
	u.carry(old, now)
	if beta == 0 {
		return now
	}
	power := u.unary("Exp", u.scale(u.number(), math.Log(beta)))
	return u.div(now, u.shift(u.unary("Neg", power), 1))
}

// Muon orthogonalizes the momentum of each matrix of weights (Jordan et al. 2024, kellerjordan.github.io/posts/muon); those of
// convolutions are matrices [O, the rest]. Weights of one dimension go by Others.
type Muon struct {
	Momentum float64 // in [0, 1)
	Nesterov bool
	Steps    int  // of the Newton-Schulz iteration
	Unit     bool // before each update a weight is scaled so that its rows have a mean square norm of 1, as after a normalization it may be
	Others   Optimizer
}

// DefaultMuon returns its authors' choices.
func DefaultMuon() Muon {
	return Muon{Momentum: 0.95, Nesterov: true, Steps: 5, Others: DefaultAdamW()}
}

func (m Muon) validate() error {
	if m.Steps < 1 || m.Others == nil {
		return fmt.Errorf("muon: %d steps, others %v: at least one step and an optimizer for others are needed", m.Steps, m.Others)
	}
	if err := m.Others.validate(); err != nil {
		return err
	}
	return within("momentum", m.Momentum)
}

func (m Muon) next(u *update, p learned) value {
	if p.rank() < 2 {
		return m.Others.next(u, p)
	}
	direction := u.momentum(p, p.gradient, m.Momentum, m.Nesterov)
	rows, cols := p.dims[0], p.size()/p.dims[0]
	x := u.reshape(direction, rows, cols)
	if rows > cols {
		x = u.transpose(x, 1, 0)
	}
	x = u.div(x, u.shift(u.unary("Sqrt", u.total(u.mul(x, x))), 1e-7))
	for range m.Steps { // a quintic whose slope at zero is as steep as it can be
		a := u.matmul(x, u.transpose(x, 1, 0))
		b := u.add(u.scale(a, -4.7750), u.scale(u.matmul(a, a), 2.0315))
		x = u.add(u.scale(x, 3.4445), u.matmul(b, x))
	}
	if rows > cols {
		x = u.transpose(x, 1, 0)
	}
	if m.Unit {
		norm := u.unary("Sqrt", u.total(u.mul(p.value, p.value)))
		p.value = u.mul(p.value, u.div(u.scalar(p.kind, math.Sqrt(float64(rows))), u.shift(norm, 1e-7)))
	}
	return u.less(p, u.scale(u.reshape(x, p.dims...), math.Sqrt(max(1, float64(rows)/float64(cols)))))
}

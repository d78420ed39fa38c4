package autograd

import (
	"fmt"
	"regexp"
)

// Group says what is other for some parameters. The first group whose pattern matches counts.
type Group struct {
	Match     string    // a regular expression (RE2) found in the parameter's name
	Frozen    bool      // it does not learn
	Rate      float64   // by which the learning rate is multiplied; 0 for 1
	Decay     *float64  // weight decay; nil for Config.Decay
	Optimizer Optimizer // nil for Config.Optimizer
}

// Lookahead (Zhang et al. 2019) moves slow weights towards the fast ones, and those back to them, every so many steps.
type Lookahead struct {
	Steps int     // 0: none
	Rate  float64 // how far the slow weights go, in (0, 1]
}

func (l Lookahead) validate() error {
	if l.Steps < 0 || l.Steps > 0 && !(l.Rate > 0 && l.Rate <= 1) {
		return fmt.Errorf("lookahead of %d steps at rate %g: the rate must be above 0 and at most 1", l.Steps, l.Rate)
	}
	return nil
}

// Inputs of updates, beside the weights and what is carried along with them.
const (
	rateInput   = prefix + "rate"
	numberInput = prefix + "number"
	syncInput   = prefix + "sync"
)

// update writes what a step does to the weights.
type update struct {
	*builder
	next    map[string]value // values of inputs for the next step
	started map[string]value // inputs that begin as a parameter, not as zeros
}

// state is an input that is carried along with a parameter, zeros at first.
func (u *update) state(what string, p value) value {
	return u.input(prefix+what+"."+p.name, p.kind, p.dims...)
}

// shadow is a state that begins as the parameter.
func (u *update) shadow(what string, p value) value {
	s := u.state(what, p)
	u.started[s.name] = p
	return s
}

// carry gives an input its value of the next step.
func (u *update) carry(input, next value) { u.next[input.name] = next }

// number counts the steps from one.
func (u *update) number() value { return u.input(numberInput, float32s, 1) }

// settings are the rules of all parameters.
type settings struct {
	Config
	patterns []*regexp.Regexp // of Groups
}

// group of a parameter.
func (s *settings) group(name string) Group {
	g := Group{}
	for i, p := range s.patterns {
		if p.MatchString(name) {
			g = s.Groups[i]
			break
		}
	}
	if g.Rate == 0 {
		g.Rate = 1
	}
	if g.Optimizer == nil {
		g.Optimizer = s.Optimizer
	}
	return g
}

// decayed is the weight decay of a parameter; gains and biases have none unless a group says so.
func (s *settings) decayed(g Group, p value) float64 {
	switch {
	case g.Decay != nil:
		return *g.Decay
	case p.rank() > 1:
		return s.Decay
	}
	return 0
}

// step writes the next values of all parameters.
func (u *update) step(s *settings, parameters []value, gradients map[string]value) {
	clip := value{}
	if s.Clip > 0 {
		clip = u.clip(s.Clip, parameters, gradients)
	}
	rate := u.input(rateInput, float32s, 1)
	for _, p := range parameters {
		g := s.group(p.name)
		l := learned{value: p, gradient: gradients[p.name], rate: u.scale(rate, g.Rate), decay: s.decayed(g, p)}
		if clip.ok() {
			l.gradient = u.mul(l.gradient, clip)
		}
		next := g.Optimizer.next(u, l)
		if s.Lookahead.Steps > 0 {
			sync := u.input(syncInput, float32s, 1)
			slow := u.shadow("slow", p)
			moved := u.add(slow, u.mul(u.scale(u.sub(next, slow), s.Lookahead.Rate), sync))
			u.carry(slow, moved)
			next = u.add(next, u.mul(u.sub(moved, next), sync))
		}
		if s.Average > 0 {
			average := u.shadow(averageState, p)
			u.carry(average, u.add(u.scale(average, s.Average), u.scale(next, 1-s.Average)))
		}
		u.carry(p, next)
	}
}

// averageState names the exponential moving average of a parameter.
const averageState = "average"

// clip is the factor that brings the gradients' common norm down to most (Pascanu et al. 2013).
func (u *update) clip(most float64, parameters []value, gradients map[string]value) value {
	var squares []value
	for _, p := range parameters {
		g := gradients[p.name]
		squares = append(squares, u.total(u.mul(g, g)))
	}
	norm := u.unary("Sqrt", u.total(u.concat(0, squares...)))
	ratio := u.div(u.scalar(float32s, most), u.shift(norm, 1e-12))
	return u.op("Min", float32s, []int64{1}, []value{ratio, u.scalar(float32s, 1)})
}

package classify

import (
	"fmt"

	"gleaner/connectors/onnx"
	"gleaner/trainers/autograd"
)

// size is how many numbers a network has.
type size struct {
	weights int64
	maps    int64 // that its operators make of one image
}

// MaxSide is how many pixels a side images may have.
const MaxSide = 2048

// CheckSide refuses sides, in pixels, that images for this configuration cannot have, by an Invalid.
func (c Config) CheckSide(side int) error {
	if side < 1 || side > MaxSide {
		return &Invalid{"side", side, fmt.Sprintf("must be 1 to %d pixels", MaxSide)}
	}
	if n, err := networkNamed(c.Network); len(c.ONNX) == 0 && err == nil && side < n.least {
		return &Invalid{"side", side, fmt.Sprintf("network %s needs images of at least %d pixels a side", n.name, n.least)}
	}
	return c.Augment.checkSide(side)
}

// Memory estimates the bytes that a training takes, beside the images of so many pixels a side themselves: for each weight its gradient,
// what the optimizer keeps of it and the copies while a checkpoint is written, and what is made of the images of all passes at a time on
// the way forward and back. It is within a half of what was measured of the networks here.
func Memory(rt *onnx.Runtime, cfg Config, side, classes int) (int64, error) {
	const number, copies, others = 4, 32, 3 // others: what a training of any other network holds, see network.held
	parts, _, images := cfg.passes(cfg.Batch)
	of := func(s size, held float64) int64 {
		return number*copies*s.weights + int64(number*held*float64(s.maps)*float64(parts*images))
	}
	if len(cfg.ONNX) == 0 {
		n, err := networkNamed(cfg.Network)
		if err != nil {
			return 0, err
		}
		return of(n.size(cfg.Channels(), side, classes), n.held), nil
	}
	file, e, err := adopt(cfg.ONNX, nil, side, make([]string, classes), cfg.Seed)
	if err != nil {
		return 0, err
	}
	weights, maps, err := autograd.Size(rt, file, map[string][]int64{e.input: {1, 3, int64(side), int64(side)}})
	return of(size{weights, maps}, others), err
}

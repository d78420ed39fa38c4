package prelabel

import (
	"math"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// classifier reads class numbers of the whole image, [1, C]: it finds the image itself as an object of each class. Input RGB,
// normalized by ImageNet's mean and deviation, stretched to the whole input so that nothing is cut off.
type classifier struct {
	output int
	image  geometry.Box // the input
	scorer scorer
}

// imageNetInput is that of torchvision's models, but for the crop.
var imageNetInput = schemas.DecodeInput{
	Resize: schemas.ResizeStretch, Channels: schemas.ChannelsRGB,
	Mean: []float32{123.675, 116.28, 103.53}, Std: []float32{58.395, 57.12, 57.375},
}

func fitClassifier(g *graph) (*match, error) {
	if len(g.outputs) != 1 && g.spec.Outputs.Predictions == "" {
		return nil, nil
	}
	out, ok := g.one(1, 2, 4)
	if !ok || out.varies {
		return nil, nil
	}
	n := out.size()
	if len(out.shape) > 1 && (out.shape[0] != 1 || n != int(out.shape[1])) {
		return nil, nil
	}
	m := &match{decode: g.spec, task: schemas.TaskClassify}
	m.say("%s is one number for each class", out.spec)
	m.decode.Background = orElse(g.spec.Background, g.background(n, schemas.BackgroundFirst))
	m.decode.Activation = g.spec.Activation
	if g.spec.Activation == "" {
		values, err := g.trial(imageNetInput)
		if err != nil {
			return nil, err
		}
		sum := 0.0
		for _, v := range values[out.index] {
			sum += float64(v)
		}
		probable := shares(values[out.index]) && (math.Abs(sum-1) < 1e-2 || n == 1 || n >= 8) // few logits may lie in 0..1 by chance
		switch {
		case probable:
			m.decode.Activation = schemas.ActivationNone
		case n == 1:
			m.decode.Activation = schemas.ActivationSigmoid
		default:
			m.decode.Activation = schemas.ActivationSoftmax
		}
		m.say("on a trial run they sum to %.3g, so they want activation %s", sum, m.decode.Activation)
	}
	s := scorer{m.decode.Activation, m.decode.Background}
	m.decoder = &classifier{out.index, geometry.Box{X2: float32(g.w), Y2: float32(g.h)}, s}
	m.classes = s.classes(n)
	return m, nil
}

func (d *classifier) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	row := outs[d.output]
	for class, v := range d.scorer.named(row) {
		if score := d.scorer.probability(row, v); score >= low {
			found = append(found, candidate{d.image, class, score, 0})
		}
	}
	return found, nil
}

func (d *classifier) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	return rowFeatures(outs[d.output], len(outs[d.output]), 0)
}

package prelabel

import (
	"fmt"

	"gleaner/schemas"
)

// boxes decodes detectors that give boxes and scores in outputs of their own, as SSD, RetinaNet and what has suppression in
// the graph: boxes [1, N, 4] with class scores [1, N, C], or with labels [1, N] and scores [1, N], or in rows of a box and its
// score [1, N, 5] with labels; and perhaps a count of the rows that hold detections. N may vary from image to image. Input
// RGB/255, stretched. Images with their channels last are TensorFlow's: RGB 0..255, top before left, labels from 1.
type boxes struct {
	roles
	classes, names int // class scores in a row, or 0; names of classes
	reader         boxReader
	scorer         scorer
}

var boxesInput = schemas.DecodeInput{Resize: schemas.ResizeStretch, Channels: schemas.ChannelsRGB, Mean: zeros, Std: levels}

func fitBoxes(g *graph) (*match, error) {
	r, err := g.roles()
	if r == nil || err != nil {
		return nil, err
	}
	m := &match{decode: g.spec, varies: true}
	m.say("boxes are %s", r.boxes.spec)
	background := schemas.BackgroundNone
	if g.channelsLast {
		background = schemas.BackgroundFirst
	}
	d := &boxes{roles: *r, names: len(g.names)}
	m.decode.Outputs = r.names()
	if r.scores != nil {
		m.say("scores %s", r.scores.spec)
	}
	if r.labels == nil {
		d.classes = 1
		if _, ok := r.scores.vector(); !ok {
			_, d.classes, _ = r.scores.matrix()
		}
		background = g.background(d.classes, schemas.BackgroundFirst)
	}
	m.decode.Background = orElse(g.spec.Background, background)
	if r.labels != nil {
		first := 0
		if m.decode.Background == schemas.BackgroundFirst {
			first = 1
		}
		m.say("labels %s, the first class being %d", r.labels.spec, first)
	}
	activation := schemas.ActivationNone
	if d.classes > 0 && g.spec.Activation == "" {
		out, err := g.trial(boxesInput)
		if err != nil {
			return nil, err
		}
		switch scores := out[d.scores.index]; {
		case len(scores) == 0:
			return nil, fmt.Errorf("a trial run found nothing, so nothing tells whether %s holds probabilities: say the activation in the decode spec", r.scores.spec)
		case shares(scores):
		case m.decode.Background == schemas.BackgroundNone:
			activation = schemas.ActivationSigmoid
		default:
			activation = schemas.ActivationSoftmax
		}
		m.say("on a trial run the class scores want activation %s", activation)
	}
	m.decode.Activation = orElse(g.spec.Activation, activation)
	d.scorer = scorer{m.decode.Activation, m.decode.Background}
	if d.classes > 0 {
		m.classes = d.scorer.classes(d.classes)
	}
	if err := g.boxForm(m, r.boxes, boxesInput); err != nil {
		return nil, err
	}
	d.reader = g.reader(m.decode)
	m.decoder = d
	return m, nil
}

// decode: a detection's score is the one beside its label, or the best class's.
func (d *boxes) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	_, row, _ := d.boxes.matrix()
	box := outs[d.boxes.index]
	for i := range d.rows(outs, row) {
		class, score, ok := d.at(outs, i, row)
		if !ok || !(score >= low) {
			continue
		}
		if class >= d.names {
			return nil, unnamed(outs[d.labels.index][i], d.names)
		}
		p := box[i*row:]
		found = append(found, candidate{d.reader.box(p[0], p[1], p[2], p[3]), class, score, 0})
	}
	return found, nil
}

// rows is how many rows may hold detections.
func (d *boxes) rows(outs [][]float32, row int) int {
	n := len(outs[d.boxes.index]) / row
	if d.labels != nil {
		n = min(n, len(outs[d.labels.index]))
	}
	if d.scores != nil {
		n = min(n, len(outs[d.scores.index])/max(d.classes, 1))
	}
	if d.count != nil {
		if c := outs[d.count.index]; len(c) > 0 && c[0] < float32(n) {
			n = int(max(c[0], 0))
		}
	}
	return n
}

// at is the class and score of a row; false where it is of the background or of nothing.
func (d *boxes) at(outs [][]float32, i, row int) (class int, score float32, ok bool) {
	if d.classes > 0 {
		class, score = d.scorer.best(outs[d.scores.index][i*d.classes:][:d.classes])
		return class, score, true
	}
	if d.scores != nil {
		score = outs[d.scores.index][i]
	} else {
		score = outs[d.boxes.index][i*row+4]
	}
	if d.scorer.activation == schemas.ActivationSigmoid {
		score = sigmoid(score)
	}
	class, ok = d.scorer.label(outs[d.labels.index][i])
	return class, score, ok
}

func (d *boxes) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	_, row, _ := d.boxes.matrix()
	return d.rows(outs, row), d.names, func(cell, channel int) float32 {
		if class, score, ok := d.at(outs, cell, row); ok && class == channel {
			return score
		}
		return 0
	}
}

func unnamed(label float32, names int) error {
	return fmt.Errorf("the model gave label %g, but the list of names has %d", label, names)
}

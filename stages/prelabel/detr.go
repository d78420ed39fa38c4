package prelabel

import "gleaner/schemas"

// detr decodes DETR (Carion et al. 2020), whose class numbers are logits with "no object" as the last class, and RT-DETR and
// its like, whose classes are apart: boxes [1, Q, 4] with class numbers [1, Q, C+1] or [1, Q, C], or both in one output
// [1, Q, 4+C] as Ultralytics exports it, with Q at most 1000; centers and sizes as shares of the sides. Input RGB, stretched;
// normalized by ImageNet's mean and deviation for DETR, RGB/255 otherwise. RT-DETR decoded in the graph is of the family boxes.
type detr struct {
	boxes, scores view
	queries, row  int // row: class numbers of a query
	reader        boxReader
	scorer        scorer
}

func fitDETR(g *graph) (*match, error) {
	n := len(g.names)
	d, m := &detr{}, &match{decode: g.spec, input: boxesInput}
	if out, ok := g.one(3); ok && len(g.outputs) == 1 && out.shape[0] == 1 && n > 0 && int(out.shape[2]) == 4+n && out.shape[1] <= maxCandidates {
		row := int(out.shape[2])
		d.boxes, d.scores, d.queries, d.row = view{out.index, 0, row}, view{out.index, 4, row}, int(out.shape[1]), n
		m.say("%s has rows of a box and %d classes", out.spec, n)
	} else if !d.pair(g, m) {
		return nil, nil
	}
	m.decode.Background = orElse(g.spec.Background, g.background(d.row, schemas.BackgroundLast))
	activation := schemas.ActivationSigmoid
	if m.decode.Background == schemas.BackgroundLast {
		activation, m.input = schemas.ActivationSoftmax, imageNetInput
	}
	if g.spec.Decoder == "" || g.spec.Activation == "" {
		out, err := g.trial(m.input)
		if err != nil {
			return nil, err
		}
		probable := true
		for i := range d.queries {
			probable = probable && shares(d.scores.at(out, i, d.row))
		}
		if probable {
			if g.spec.Decoder == "" && len(g.outputs) > 1 {
				return nil, nil // boxes and scores
			}
			activation = schemas.ActivationNone
		}
		m.say("class numbers want activation %s", activation)
	}
	m.decode.Activation = orElse(g.spec.Activation, activation)
	m.decode.Boxes = orElse(g.spec.Boxes, schemas.BoxCXCYWH)
	m.decode.Unit = orElse(g.spec.Unit, schemas.UnitNormalized)
	d.reader, d.scorer = g.reader(m.decode), scorer{m.decode.Activation, m.decode.Background}
	m.decoder, m.classes = d, d.scorer.classes(d.row)
	return m, nil
}

// pair finds the outputs of boxes and of class numbers, as many as there are names or one more.
func (d *detr) pair(g *graph, m *match) bool {
	var boxes, scores []output
	for _, o := range g.outputs {
		rows, columns, ok := o.matrix()
		names := g.spec.Outputs
		switch {
		case !ok || rows > maxCandidates && g.spec.Decoder == "":
		case o.spec.Name == names.Boxes || names.Boxes == "" && columns == 4 && o.spec.Name != names.Scores:
			boxes = append(boxes, o)
		case o.spec.Name == names.Scores || names.Scores == "" && (columns == len(g.names) || columns == len(g.names)+1):
			scores = append(scores, o)
		}
	}
	if len(boxes) != 1 || len(scores) != 1 {
		return false
	}
	rows, columns, _ := boxes[0].matrix()
	same, row, _ := scores[0].matrix()
	if rows != same || columns != 4 {
		return false
	}
	d.boxes, d.scores, d.queries, d.row = view{boxes[0].index, 0, 4}, view{scores[0].index, 0, row}, rows, row
	m.decode.Outputs.Boxes, m.decode.Outputs.Scores = boxes[0].spec.Name, scores[0].spec.Name
	m.say("boxes are %s, class numbers %s", boxes[0].spec, scores[0].spec)
	return true
}

// decode: a detection's score is the best class's.
func (d *detr) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	for i := range d.queries {
		class, score := d.scorer.best(d.scores.at(outs, i, d.row))
		if score >= low {
			p := d.boxes.at(outs, i, 4)
			found = append(found, candidate{d.reader.box(p[0], p[1], p[2], p[3]), class, score, i})
		}
	}
	return found, nil
}

func (d *detr) classes(outs [][]float32, cell int) []float32 {
	return d.scorer.named(d.scores.at(outs, cell, d.row))
}

func (d *detr) score(outs [][]float32, cell int, v float32) float32 {
	return d.scorer.probability(d.scores.at(outs, cell, d.row), v)
}

func (d *detr) least(outs [][]float32, cell int, low float32) float32 {
	return d.scorer.number(d.scores.at(outs, cell, d.row), low)
}

func (d *detr) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	return d.queries, d.row, func(cell, channel int) float32 { return d.scores.at(outs, cell, d.row)[channel] }
}

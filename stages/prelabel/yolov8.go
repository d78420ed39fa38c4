package prelabel

import "gleaner/schemas"

// yolov8 decodes YOLOv8 and v11, and what exports like them: input RGB/255, scaled to fit the middle and padded with 114;
// output [1, 4+C, N], a plane for each number of a box and for each class's score (after the sigmoid), a column for each
// cell. Of models that segment, whose coefficients of masks follow the scores, the boxes are read.
type yolov8 struct {
	output, planes, named int
	boxes                 boxReader
}

func fitYOLOv8(g *graph) (*match, error) {
	out, ok := g.one(3)
	if !ok || out.shape[0] != 1 || out.shape[1] <= 4 {
		return nil, nil
	}
	m := &match{varies: true, classes: int(out.shape[1]) - 4, decode: g.spec}
	if g.spec.Decoder == "" {
		strides, anchors := g.anchors(int(out.shape[2]), 1)
		if anchors == 0 {
			return nil, nil
		}
		m.say("%s has a column for each cell of strides %v", out.spec, strides)
	}
	if protos, ok := g.one(4); ok && int(protos.shape[1]) < m.classes {
		m.classes -= int(protos.shape[1])
		m.say("%s are prototypes of masks", protos.spec)
	}
	m.decode.Boxes = orElse(g.spec.Boxes, schemas.BoxCXCYWH)
	m.decode.Unit = orElse(g.spec.Unit, schemas.UnitPixels)
	m.decoder = &yolov8{out.index, int(out.shape[1]), m.classes, g.reader(m.decode)}
	return m, nil
}

// decode: a detection's score is the best class's.
func (d *yolov8) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	numbers, n := d.classPlanes(outs)
	if n == 0 {
		return found, nil
	}
	out := outs[d.output]
	class, top := bestByCell(numbers, n)
	for i, score := range top {
		if score >= low {
			found = append(found, candidate{d.boxes.box(out[i], out[n+i], out[2*n+i], out[3*n+i]), class[i], score, i})
		}
	}
	return found, nil
}

func (d *yolov8) classPlanes(outs [][]float32) (numbers []float32, cells int) {
	n := len(outs[d.output]) / d.planes
	return outs[d.output][4*n : (4+d.named)*n], n
}

func (d *yolov8) score(_ [][]float32, _ int, v float32) float32 { return v }

func (d *yolov8) least(_ [][]float32, _ int, low float32) float32 { return low }

func (d *yolov8) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	out, n := outs[d.output], len(outs[d.output])/d.planes
	return n, d.named, func(cell, channel int) float32 { return out[(4+channel)*n+cell] }
}

// suppressed decodes detectors with suppression in the graph: output [1, N, 6] or [N, 6], of which a row is a box, its
// score and its class, and N may vary from image to image. YOLOv10 and Ultralytics' models exported with NMS are such.
type suppressed struct {
	output, classes int
	boxes           boxReader
	labels          scorer
}

func fitSuppressed(g *graph) (*match, error) {
	out, ok := g.one(3)
	if !ok {
		out, ok = g.one(2)
	}
	if !ok || out.shape[len(out.shape)-1] != 6 || len(out.shape) == 3 && out.shape[0] != 1 {
		return nil, nil
	}
	if rows := out.shape[len(out.shape)-2]; g.spec.Decoder == "" && (rows > maxCandidates || len(out.shape) == 2 && rows == 1 && !out.varies) {
		return nil, nil // a row for each cell of something, or a classifier of six classes
	}
	m := &match{varies: true, decode: g.spec}
	m.say("%s has rows of six numbers: box, score and class", out.spec)
	if g.spec.Decoder == "" {
		values, err := g.trial(yoloInput)
		if err != nil {
			return nil, err
		}
		for rows := values[out.index]; len(rows) >= 6; rows = rows[6:] {
			if !whole(rows[5:6]) {
				return nil, nil
			}
		}
	}
	m.decode.Boxes = orElse(g.spec.Boxes, schemas.BoxXYXY)
	m.decode.Unit = orElse(g.spec.Unit, schemas.UnitPixels)
	m.decode.Background = orElse(g.spec.Background, schemas.BackgroundNone)
	m.decoder = &suppressed{out.index, len(g.names), g.reader(m.decode), scorer{background: m.decode.Background}}
	return m, nil
}

func (d *suppressed) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	for out := outs[d.output]; len(out) >= 6; out = out[6:] {
		if !(out[4] >= low) {
			continue
		}
		class, ok := d.labels.label(out[5])
		if !ok {
			continue
		}
		if class >= d.classes {
			return nil, unnamed(out[5], d.classes)
		}
		found = append(found, candidate{d.boxes.box(out[0], out[1], out[2], out[3]), class, out[4], 0})
	}
	return found, nil
}

func (d *suppressed) features(outs [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	out := outs[d.output]
	return len(out) / 6, d.classes, func(cell, channel int) float32 {
		if class, ok := d.labels.label(out[6*cell+5]); ok && class == channel {
			return out[6*cell+4]
		}
		return 0
	}
}

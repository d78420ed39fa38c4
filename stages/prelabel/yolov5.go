package prelabel

import "gleaner/schemas"

// yolov5 decodes YOLOv5, and what exports like it (YOLOv6, YOLOv7, YOLOX with decoding in the graph): input RGB/255, scaled
// to fit the middle and padded with 114; output [1, N, 5+C] of a box, objectness and class scores (both after the sigmoid),
// a row for each anchor of each cell.
type yolov5 struct {
	output, row int
	boxes       boxReader
}

// yoloInput is that of Ultralytics' models.
var yoloInput = schemas.DecodeInput{Resize: schemas.ResizeLetterboxCenter, Channels: schemas.ChannelsRGB, Mean: zeros, Std: levels, Pad: level(114)}

func fitYOLOv5(g *graph) (*match, error) {
	out, ok := g.one(3)
	if !ok || out.shape[0] != 1 || out.shape[2] <= 5 {
		return nil, nil
	}
	m := &match{varies: true, classes: int(out.shape[2]) - 5, decode: g.spec}
	if g.spec.Decoder == "" {
		strides, anchors := g.anchors(int(out.shape[1]), 3, 1)
		if anchors == 0 {
			return nil, nil
		}
		m.say("%s has %d rows for each cell of strides %v", out.spec, anchors, strides)
		if anchors == 1 {
			raw, done, err := g.centers(out.index, int(out.shape[2]), gridsOf(g.w, g.h, strides))
			if err != nil || done >= raw {
				return nil, err
			}
			m.say("on a trial run centers lie %.1f cells from their own if read as pixels and %.1f if read as offsets", done, raw)
		}
	}
	m.decode.Boxes = orElse(g.spec.Boxes, schemas.BoxCXCYWH)
	m.decode.Unit = orElse(g.spec.Unit, schemas.UnitPixels)
	m.decoder = &yolov5{out.index, int(out.shape[2]), g.reader(m.decode)}
	return m, nil
}

// decode: a detection's score is objectness times the best class's score.
func (d *yolov5) decode(found []candidate, outs [][]float32, low float32) ([]candidate, error) {
	out := outs[d.output]
	for i := range len(out) / d.row {
		p := out[i*d.row:][:d.row]
		if !(p[4] >= low) {
			continue
		}
		class, score := best(p[5:])
		if score *= p[4]; score >= low {
			found = append(found, candidate{d.boxes.box(p[0], p[1], p[2], p[3]), class, score, i})
		}
	}
	return found, nil
}

func (d *yolov5) classes(outs [][]float32, cell int) []float32 {
	return outs[d.output][cell*d.row:][5:d.row]
}

func (d *yolov5) score(outs [][]float32, cell int, v float32) float32 {
	return outs[d.output][cell*d.row+4] * v
}

func (d *yolov5) least(outs [][]float32, cell int, low float32) float32 {
	return low / outs[d.output][cell*d.row+4]
}

func (d *yolov5) features(out [][]float32) (cells, channels int, at func(cell, channel int) float32) {
	return rowFeatures(out[d.output], d.row, 4)
}

package detect

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// TestCloser: from nearby, each model is surer of labeled things, and its surest cells fit them better, than in the whole image, and so it is where they
// have lost their labels; where a model says how sure it is of each edge, mirrored looks say it of the edge that they are about.
func TestCloser(t *testing.T) {
	images, names := photos(t, 12), classes(t)
	for _, m := range models {
		d := recognize(t, load(t, m.file), m.file)
		var labels, sided int
		var whole, near, unlabeled [2]float64 // sums over labels of the surest cells' IoU and score
		for _, p := range images {
			objects := yolo(t, realdata.Need(t, "coco128", "labels", strings.TrimSuffix(filepath.Base(p.name), ".jpg")+".txt"), names, p.img.W, p.img.H)
			dense := prelabel.DefaultConfig().Dense
			_, first, err := d.DetectDense(t.Context(), p.img, 0.05, dense)
			if err != nil {
				t.Fatal(err)
			}
			things := slices.Clone(objects)
			for i := range things {
				things[i].Source = d.Model().ID
			}
			looks, err := prelabel.Closer(t.Context(), d, p.img, objects, things, dense)
			if err != nil || len(looks) != 2 {
				t.Fatalf("%d looks, %v", len(looks), err)
			}
			closer := looks[0]
			for _, o := range objects {
				labels++
				for _, of := range []struct {
					cells []schemas.Candidate
					sums  *[2]float64
				}{{first.Cells, &whole}, {closer.Cells, &near}, {looks[1].Cells, &unlabeled}} {
					var best [2]float64
					for _, c := range of.cells {
						if iou := c.Box.IoU(o.Box); iou*float64(c.Score) > best[0]*best[1] {
							best = [2]float64{iou, float64(c.Score)}
						}
					}
					of.sums[0], of.sums[1] = of.sums[0]+best[0], of.sums[1]+best[1]
				}
			}
			for _, c := range closer.Cells {
				if c.Sides == nil || c.Box.X1 < 1 || c.Box.X2 > float32(p.img.W)-1 {
					continue
				}
				sided++
				if left, right := edges(c.Sides); math.Abs(left-float64(c.Box.X1)) > 0.25+0.05*float64(c.Box.W()) || math.Abs(right-float64(c.Box.X2)) > 0.25+0.05*float64(c.Box.W()) {
					t.Fatalf("%s, %s: the edges of %v lie at %.1f and %.1f by their distributions", m.file, p.name, c.Box, left, right)
				}
			}
		}
		for name, of := range map[string][2]float64{"labels": near, "things without a label": unlabeled} {
			if n := float64(labels); of[0]/n < whole[0]/n+0.05 || of[1]/n < whole[1]/n+0.05 {
				t.Errorf("%s, %s: IoU %.2f and score %.2f from nearby, %.2f and %.2f in the whole", m.file, name, of[0]/n, of[1]/n, whole[0]/n, whole[1]/n)
			}
		}
		if (sided > 0) != (m.decoder == "nanodet") {
			t.Errorf("%s: %d cells say how sure they are of their edges", m.file, sided)
		}
	}
}

// edges are the means of the left and the right edge by their distributions.
func edges(s *schemas.Sides) (left, right float64) {
	mean := func(p []byte) float64 {
		sum, all := 0.0, 0.0
		for d, x := range p {
			sum, all = sum+float64(d)*float64(x), all+float64(x)
		}
		return sum / all
	}
	bins := len(s.P) / 4
	return float64(s.X) - mean(s.P[:bins])*float64(s.StepX), float64(s.X) + mean(s.P[2*bins:3*bins])*float64(s.StepX)
}

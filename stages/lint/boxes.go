package lint

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/lint/evidence"
)

// boxes doubts labels by the evidence about each and the weights that were fitted to it: their boxes (loose, tight, shift, edge), their
// classes (swap), and that they are of anything (spurious). What the models say counts for boxes whether they know the label's class
// or not; for the other two their silence proves nothing where they do not.
func boxes(v *view) []schemas.Finding {
	if !v.seen {
		return nil
	}
	var judged []int // labels
	for i, o := range v.Objects {
		if !v.copies[o.ID] && !o.Box.Clip(v.Image.W, v.Image.H).Empty() && finite(float64(o.Box.W()), float64(o.Box.H())) { // else degenerate
			judged = append(judged, i)
		}
	}
	var alone []*evidence.Scene
	if v.manner.Several {
		alone = v.scene.Alone()
	}
	chances := v.opinions(judged, alone)
	if chances == nil {
		return nil
	}
	var out []schemas.Finding
	for k, i := range judged {
		o := v.Objects[i]
		fit, fits := v.fit(i, alone)
		edge := 0 // which is surest to be wrong
		for _, t := range fitted {
			f := schemas.Finding{Type: t, ObjectID: o.ID, Class: o.Class, Box: o.Box}
			if (t == schemas.FindingSwap || t == schemas.FindingSpurious) && !v.known[o.Class] {
				continue
			}
			switch t {
			case schemas.FindingEdge:
				var score float64
				edge, score = worst([4]float64(chances[t][4*k:]))
				f.Score = float32(score) // given that not several are: then a reviewer changes the label all the same
			case schemas.FindingSpurious:
				f.Score = max(float32(chances[t][k]), v.unsure(o))
			default:
				f.Score = float32(chances[t][k])
			}
			if f.Score < v.MinScore/hopeless {
				continue
			}
			switch t {
			case schemas.FindingSwap:
				class, score := v.scene.Instead(i)
				f.Why = fmt.Sprintf("The %s not see %s here.", v.that("does", "do"), article(o.Class))
				if class != "" {
					if !v.related(class, o.Class) && !v.taxonomy.Unlabeled(v.Dataset, class) {
						f.FixClass = class
					}
					f.Why = fmt.Sprintf("%s sees %s here (score %.2f), not %s (%.2f).", v.one(), article(class), score, article(o.Class), v.scene.Seen(i))
				}
			case schemas.FindingSpurious:
				f.Why = fmt.Sprintf("The %s no %s here.", v.that("sees", "see"), o.Class)
				if seen := v.scene.Seen(i); seen >= 0.005 {
					f.Why = fmt.Sprintf("The %s little sure of %s here (score %.2f).", v.that("is", "are"), article(o.Class), seen)
				}
			default:
				if !fits {
					f.Why = fmt.Sprintf("The %s nothing here that the box fits, and the image speaks for one that is %s.", v.that("sees", "see"), amiss[t])
					break
				}
				box := fit.Box
				if t == schemas.FindingEdge {
					box = evidence.Moved(o.Box, fit.Box, edge)
				}
				f.Why = v.location(t, o.Box, fit, edge)
				if box = box.Clip(v.Image.W, v.Image.H); f.Score >= offerFrom {
					f.Fix = &box
				}
			}
			out = append(out, f)
		}
	}
	return out
}

// fit is what the models make of the object that a label is about: where several looked, what they agree on.
func (v *view) fit(label int, alone []*evidence.Scene) (evidence.Fit, bool) {
	if len(alone) == 0 {
		return v.scene.Fit(label)
	}
	var fits []evidence.Fit
	for _, scene := range alone {
		if f, ok := scene.Fit(label); ok {
			fits = append(fits, f)
		}
	}
	if len(fits) == 0 {
		return evidence.Fit{}, false
	}
	return evidence.Agreed(fits), true
}

// opinions are the chances, (0,1), that some labels are wrong in the way of each type, and of edges that each of the four is, [4n]. Where several models
// looked, they are the means in log-odds of what each says by itself and of what their cells say together (a logarithmic opinion pool, Genest and Zidek
// 1986): pooled cells alone blur the exact ones of one model by those of another. It is nil once nobody waits.
func (v *view) opinions(labels []int, alone []*evidence.Scene) map[schemas.FindingType][]float64 {
	out, voices := map[schemas.FindingType][]float64{}, map[schemas.FindingType][]float64{}
	for k, scene := range append([]*evidence.Scene{v.scene}, alone...) {
		var boxes, edges [][]float32
		for _, i := range labels {
			if v.ended() {
				return nil
			}
			of := scene.Edges(i)
			boxes, edges = append(boxes, scene.Box(i)), append(edges, of[:]...)
		}
		for t, odds := range v.weights.boxes(Manner{Several: v.manner.Several && k == 0, Closer: v.manner.Closer}, boxes, edges) {
			if k == 0 {
				out[t], voices[t] = make([]float64, len(odds)), make([]float64, len(odds))
			}
			for j, x := range odds {
				if k == 0 || heard(scene, t, labels[j*len(labels)/len(odds)]) {
					out[t][j], voices[t][j] = out[t][j]+float64(x), voices[t][j]+1
				}
			}
		}
	}
	for t, odds := range out {
		for j, x := range odds {
			odds[j] = logistic(x / voices[t][j])
		}
	}
	return out
}

// heard tells whether what a model says by itself counts about a label: of its class where the model knows that, and of its box there, too, since then its
// silence says that the thing is hard to see, or wherever it sees something that the box may be of.
func heard(alone *evidence.Scene, t schemas.FindingType, label int) bool {
	if alone.Knows(label) {
		return true
	}
	_, fits := alone.Fit(label)
	return fits && t != schemas.FindingSwap && t != schemas.FindingSpurious
}

// hopeless is how many times too low a score is to be worth a sentence: no reviewers teach that much.
const hopeless = 4

// offerFrom is the score of a finding from which on a box is offered: of those below, too many labels are better as they are.
const offerFrom = 0.4

// unsure doubts what a model itself labeled, without a person, the more the less sure it was.
func (v *view) unsure(o schemas.Object) float32 {
	if v.Rank >= schemas.RankHuman || o.Score == 0 {
		return 0
	}
	side := math.Sqrt(o.Box.Area() / max(float64(v.Image.W)*float64(v.Image.H), 1))
	return float32((1 - ramp(float64(o.Score), 0, 0.7)) * (0.2 + 0.8*ramp(side, 0, 0.15)))
}

// one is who says something that the models need not all say.
func (v *view) one() string {
	if v.manner.Several {
		return "A model"
	}
	return "The model"
}

// that is who doubts, with what it or they do.
func (v *view) that(does, do string) string {
	if v.manner.Several {
		return "models " + do
	}
	return "model " + does
}

// amiss is how the box is that an image speaks for.
var amiss = map[schemas.FindingType]string{
	schemas.FindingLoose: "smaller", schemas.FindingTight: "larger", schemas.FindingShift: "elsewhere", schemas.FindingEdge: "different at one edge",
}

var edgeNames = [4]string{"left", "top", "right", "bottom"}

// location says how a box, of which one edge or several are wrong, lies to where the models put it.
func (v *view) location(t schemas.FindingType, b geometry.Box, fit evidence.Fit, e int) string {
	r := fit.Residuals(b)
	switch t {
	case schemas.FindingEdge:
		side := [2]float64{float64(fit.Box.W()), float64(fit.Box.H())}[e%2]
		return fmt.Sprintf("The %s edge lies %s (%.0f %% of the object's %s) %s where the %s it.",
			edgeNames[e], inPixels(r[e]*side), 100*math.Abs(r[e]), [2]string{"width", "height"}[e%2], beyond(r[e], "outside of", "inside of"), v.that("puts", "put"))
	case schemas.FindingShift:
		dx, dy := float64(b.X1+b.X2-fit.Box.X1-fit.Box.X2)/2, float64(b.Y1+b.Y2-fit.Box.Y1-fit.Box.Y2)/2
		var to []string
		if math.Abs(dx) >= 1 {
			to = append(to, fmt.Sprintf("%s to the %s of", inPixels(dx), beyond(dx, "right", "left")))
		}
		if math.Abs(dy) >= 1 {
			to = append(to, fmt.Sprintf("%s %s", inPixels(dy), beyond(dy, "below", "above")))
		}
		if len(to) == 0 {
			to = []string{"a little off"}
		}
		return fmt.Sprintf("The box lies %s where the %s the object (overlap %.0f %%).", strings.Join(to, " and "), v.that("sees", "see"), 100*b.IoU(fit.Box))
	}
	var edges []string
	for e, x := range r {
		if (x > 0) == (t == schemas.FindingLoose) && math.Abs(x) >= 0.05 {
			edges = append(edges, fmt.Sprintf("%s %.0f %%", edgeNames[e], 100*math.Abs(x)))
		}
	}
	much := "by a little"
	if len(edges) > 0 {
		much = strings.Join(edges, ", ") + " of the object's side"
	}
	return fmt.Sprintf("The box is too %s against where the %s the object: %s.", beyond(float64(slices.Index(fitted, t)), "small", "large"), v.that("sees", "see"), much)
}

func inPixels(x float64) string {
	if x = math.Round(math.Abs(x)); x == 1 {
		return "1 pixel"
	}
	return fmt.Sprintf("%.0f pixels", x)
}

func beyond(x float64, more, less string) string {
	if x > 0 {
		return more
	}
	return less
}

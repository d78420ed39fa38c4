// Package evaluate says what detections and probabilities are worth, with intervals over images and cut by slices.
package evaluate

import (
	"cmp"
	"math"
	"slices"

	"gleaner/schemas"
)

// Image is what is labeled in an image and what was found in it.
type Image struct {
	Truth, Found []schemas.Object
}

// Match tells of each of found whether it hits: in the order of their scores, equals in the order given, each takes the label
// of its class with the greatest IoU that no other took, where that is at least iou (COCO's rule, without crowds).
func Match(truth, found []schemas.Object, iou float64) []bool {
	order := make([]int, len(found))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(found[b].Score, found[a].Score) })
	hits, taken := make([]bool, len(found)), make([]bool, len(truth))
	for _, i := range order {
		best, at := 0.0, -1
		for j, t := range truth {
			if taken[j] || t.Class != found[i].Class {
				continue
			}
			if v := found[i].Box.IoU(t.Box); v > best {
				best, at = v, j
			}
		}
		if at >= 0 && best >= iou {
			hits[i], taken[at] = true, true
		}
	}
	return hits
}

// Precision holds what average precision is computed from, so that it can be had of any choice of the images.
type Precision struct {
	images  int
	classes []ranking
}

// ranking is one class of Precision.
type ranking struct {
	name   string
	truths []truths
	found  []ranked // best first
}

type truths struct{ image, count int }

type ranked struct {
	image int
	score float32
	hit   bool
}

// NewPrecision matches what was found to the labels at an IoU. Only classes that have labels count.
func NewPrecision(images []Image, iou float64) *Precision {
	p := &Precision{images: len(images)}
	at := map[string]int{}
	for i, img := range images {
		for _, o := range img.Truth {
			c, ok := at[o.Class]
			if !ok {
				c = len(p.classes)
				at[o.Class], p.classes = c, append(p.classes, ranking{name: o.Class})
			}
			t := &p.classes[c].truths
			if n := len(*t); n == 0 || (*t)[n-1].image != i {
				*t = append(*t, truths{image: i})
			}
			(*t)[len(*t)-1].count++
		}
	}
	for i, img := range images {
		hits := Match(img.Truth, img.Found, iou)
		for j, o := range img.Found {
			if c, ok := at[o.Class]; ok {
				p.classes[c].found = append(p.classes[c].found, ranked{i, o.Score, hits[j]})
			}
		}
	}
	slices.SortFunc(p.classes, func(a, b ranking) int { return cmp.Compare(a.name, b.name) })
	for _, c := range p.classes {
		slices.SortStableFunc(c.found, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	}
	return p
}

// Mean is the mean of the classes' average precisions, [0,1], when image i counts counts[i] times; nil counts every image once.
// Classes without labels in these images do not count; NaN when none has any.
func (p *Precision) Mean(counts []int) float64 {
	sum, n := 0.0, 0
	for _, c := range p.classes {
		if v := c.average(counts); !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(n)
}

// Class is the average precision of one class, as Mean; NaN where it has no labels.
func (p *Precision) Class(name string, counts []int) float64 {
	if i, ok := slices.BinarySearchFunc(p.classes, name, func(c ranking, name string) int { return cmp.Compare(c.name, name) }); ok {
		return p.classes[i].average(counts)
	}
	return math.NaN()
}

// Labeled lists the classes that have labels, with the number of images that hold each.
func (p *Precision) Labeled() map[string]int {
	out := map[string]int{}
	for _, c := range p.classes {
		out[c.name] = len(c.truths)
	}
	return out
}

// points is the number of recalls, 0 to 1 in equal steps, at which COCO reads the precision.
const points = 101

// average is the mean over the recalls of COCO of the greatest precision at that recall or a higher one.
func (c *ranking) average(counts []int) float64 {
	times := func(image int) int {
		if counts == nil {
			return 1
		}
		return counts[image]
	}
	total := 0
	for _, t := range c.truths {
		total += t.count * times(t.image)
	}
	if total == 0 {
		return math.NaN()
	}
	var at [points]float64 // the greatest precision among the hits up to which the recall is at least this and below the next
	hits, seen := 0, 0
	for _, f := range c.found {
		for range times(f.image) {
			seen++
			if f.hit {
				hits++
				i := hits * (points - 1) / total
				at[i] = max(at[i], float64(hits)/float64(seen))
			}
		}
	}
	sum, top := 0.0, 0.0
	for i := points - 1; i >= 0; i-- {
		top = max(top, at[i])
		sum += top
	}
	return sum / points
}

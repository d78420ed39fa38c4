// Package rules checks labels and proposals against the rules of their dataset: which classes are wanted, how small they may be,
// which attributes they carry, and predicates in the Common Expression Language (https://cel.dev). Prelabel, corrections,
// lint and the page ask the same Registry. A dataset without rules wants everything. Its decisions, which turn scores into actions,
// are compiled along with the rest and applied by analysis (stages/analysis/decide).
//
// A predicate sees these variables; it is violated where its expression is true.
//
//	object   {class, canonical, source string; score, x1, y1, x2, y2, width, height, area double; attributes map(string, string)}
//	objects  list of them; only for predicates about the image, which have no object
//	image    {width, height double; dataset string; slices map(string, string)}
//
// Boxes are in pixels of the upright image; slices are the producer's, not the discovered. Beside CEL's own functions there are iou(a, b), the intersection over union of two
// objects, and inside(a, b), the share of a's area that lies in b, both in [0,1].
//
// Expressions do no I/O, and every evaluation is bounded by a cost that does not depend on the machine. One that fails, for want
// of an attribute say, is a warning that the rule cannot be evaluated.
package rules

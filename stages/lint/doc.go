// Package lint is the step that doubts every label. Each rule is a pure function from a sample, with the low-threshold
// detections that prelabel left on it as Proposals, to findings; each lies in a file of its own.
//
// The score of a finding is in [0,1], higher is more doubtful; it orders findings of one rule well and those of different rules
// roughly. Rules that need a model's opinion say nothing about a sample that no model has seen, and nothing about a class
// that the model does not know: its silence proves nothing there.
package lint

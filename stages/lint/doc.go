// Package lint is the step that doubts every label. Each rule is a pure function from a sample, with what prelabel left on it of the
// models' cells (schemas.Candidates), to findings; each lies in a file of its own.
//
// What is wrong with a box or a class, or missing, is told by evidence (stages/lint/evidence), of which fitted weights make the
// chance that a reviewer would change the label: forests (stages/lint/forest), one for each type of finding and manner of looking, fitted to
// labels with errors put in. What reviewers did with earlier findings bends that chance by type and dataset (stages/lint/learned). What no model has to say a word about,
// such as what near duplicates and training runs say, a box without area or a broken rule of the dataset, has scores that are set by hand.
//
// Rules that need a model's opinion say nothing about a sample that no model has seen, and nothing about a class that the model does
// not know: its silence proves nothing there. That it sees something does, whatever it calls it: what resembles the labels of such a class
// and has none may be missing.
package lint

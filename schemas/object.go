package schemas

import (
	"maps"
	"strings"

	"gleaner/schemas/geometry"
)

// Object is one labeled or proposed thing in an image.
type Object struct {
	ID     string       `json:"id"`              // unique within its sample; names the object on losses and findings
	Class  string       `json:"class"`           // name in the dataset's label space, or the model's where no taxonomy translates
	Box    geometry.Box `json:"box"`             // x1,y1,x2,y2 in pixels of the upright image, x2 and y2 exclusive
	Score  float32      `json:"score,omitempty"` // [0,1]: the probability that people accept it, as corrections taught; 0 for labels made by people
	Source string       `json:"source"`          // "yolox_nano@1" for a model, "person:alice", "simulated:<name>"
	Raw    geometry.Box `json:"raw,omitzero"`    // the model's own box, where the dataset's convention has moved Box; zero: Box is it
	// RawScore is the model's own score, (0,1], where calibration has made another of it; 0: Score is it.
	RawScore float32 `json:"raw_score,omitempty"`

	Canonical string `json:"canonical,omitempty"` // the taxonomy's class behind Class; empty: no taxonomy was asked
	// Lineage is how Class came to be: the taxonomy's id, the class that it was in its label space, and the canonical class. Between
	// these two stands = where they are the same, < where the first is narrower, > where it may be something else, as in
	// "animals@3 coco@2017:dog<animal". Empty where a person named the class, or no taxonomy was asked.
	Lineage string `json:"lineage,omitempty"`
	Refine  bool   `json:"refine,omitempty"` // Class is only a super-class of what is wanted: a person has to name the class

	Attributes map[string]string `json:"attributes,omitempty"` // by name, as the dataset's rules have them
}

// Own is the box as the model gave it, whatever a convention has made of it since: what people's corrections are measured against.
func (o Object) Own() geometry.Box {
	if o.Raw != (geometry.Box{}) {
		return o.Raw
	}
	return o.Box
}

// OwnScore is the score as the model gave it, whatever calibration has made of it since.
func (o Object) OwnScore() float32 {
	if o.RawScore != 0 {
		return o.RawScore
	}
	return o.Score
}

// Calibrate makes a probability the score, and keeps the model's own.
func (o *Object) Calibrate(probability float32) {
	if probability != o.Score {
		o.RawScore, o.Score = o.Score, probability
	}
}

// Origin is the class that the object was before it was translated to Class, with its label space, by the lineage; false where
// there is none.
func (o Object) Origin() (space, class string, ok bool) {
	_, key, _ := strings.Cut(o.Lineage, " ")
	if key, ok = strings.CutSuffix(key, o.Canonical); !ok || key == "" || !strings.ContainsRune("=<>", rune(key[len(key)-1])) {
		return "", "", false
	}
	return strings.Cut(key[:len(key)-1], ":")
}

// SameLabel reports whether two objects say the same of the image: class, box and attributes.
func (o Object) SameLabel(p Object) bool {
	return o.Class == p.Class && o.Box == p.Box && maps.Equal(o.Attributes, p.Attributes)
}

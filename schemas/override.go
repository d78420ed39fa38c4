package schemas

import (
	"cmp"

	"gleaner/schemas/geometry"
)

// Override is a finding that a person looked at and kept the label all the same, with the person's reason. It stands for as long
// as its object stays as it was: nobody is asked about it again. All but Reason is the finding's and tells which it is.
type Override struct {
	Type     FindingType  `json:"type"`
	ObjectID string       `json:"object_id,omitempty"` // empty for a finding about no object, such as missing
	Class    string       `json:"class,omitempty"`
	Box      geometry.Box `json:"box,omitzero"`  // tells apart those about no object; zero in records from before there were reasons
	Why      string       `json:"why,omitempty"` // tells apart the rules that an object breaks; empty in records from before: Reason is it
	Reason   string       `json:"reason"`        // why the label is right all the same, in the person's words
}

// Settle is the override of a finding for a reason.
func (f Finding) Settle(reason string) Override {
	return Override{Type: f.Type, ObjectID: f.ObjectID, Class: f.Class, Box: f.Box, Why: f.Why, Reason: reason}
}

// samePlace is the IoU from which two findings of one type and class about no object are about one place: models, and what is
// learned of them, move boxes a little from one time to the next.
const samePlace = 0.5

// Covers reports whether the finding is the one that was looked at.
func (o Override) Covers(f Finding) bool {
	switch {
	case o.Type != f.Type || o.ObjectID != f.ObjectID:
		return false
	case o.Type != FindingRule && o.ObjectID != "":
		return true
	case o.Type != FindingRule && !o.Box.Empty():
		return o.Class == f.Class && o.Box.IoU(f.Box) >= samePlace
	}
	return cmp.Or(o.Why, o.Reason) == f.Why
}

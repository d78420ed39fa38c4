package schemas

// Override is a finding that a person looked at and kept the label all the same. It stands for as long as its object stays as
// it was: nobody is asked about it again.
type Override struct {
	Type     FindingType `json:"type"`
	ObjectID string      `json:"object_id,omitempty"` // empty for a finding about no object, such as missing
	Reason   string      `json:"reason"`              // the finding's sentence, which tells apart those about no object, and the rules that one object breaks
}

// Covers reports whether the finding is the one that was looked at.
func (o Override) Covers(f Finding) bool {
	named := o.ObjectID != "" && o.Type != FindingRule
	return o.Type == f.Type && o.ObjectID == f.ObjectID && (named || o.Reason == f.Why)
}

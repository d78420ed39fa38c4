package schemas

// Override is a finding that a person looked at and kept the label all the same. It stands for as long as its object stays as
// it was: nobody is asked about it again.
type Override struct {
	Type     FindingType `json:"type"`
	ObjectID string      `json:"object_id,omitempty"` // empty for a finding about no object, such as missing
	Reason   string      `json:"reason"`              // the finding's sentence, which tells those about no object apart
}

// Covers reports whether the finding is the one that was looked at.
func (o Override) Covers(f Finding) bool {
	return o.Type == f.Type && o.ObjectID == f.ObjectID && (o.ObjectID != "" || o.Reason == f.Why)
}

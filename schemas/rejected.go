package schemas

// Rejected is a sample that ingest kept out, with what was measured. Image bytes are in the blob store alone.
type Rejected struct {
	Sample    Sample  `json:"sample"`
	Reason    string  `json:"reason"`  // "blurred", "too-small", "duplicate", "conflict", …
	Measure   float64 `json:"measure"` // the measured value, in the unit that Reason documents
	Threshold float64 `json:"threshold"`
	Detail    string  `json:"detail,omitempty"` // for people: "of sample 3f…"
}

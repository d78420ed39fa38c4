package schemas

// EncodeRejected writes a Rejected as an Arrow IPC stream of one row.
func EncodeRejected(r *Rejected) ([]byte, error) { return encodeOne(rejectedMessage, r) }

// DecodeRejected reads what EncodeRejected writes. Required: sample (with what DecodeSample requires), reason. All else
// defaults to zero, the sample's fields as DecodeSample says.
func DecodeRejected(b []byte) (Rejected, error) {
	r, err := decodeOne(rejectedMessage, b)
	r.Sample.fill()
	return r, err
}

var rejectedMessage = newMessage("rejected", []column[[]Rejected]{
	must(field("sample", structs(sampleColumns), func(r *Rejected) *Sample { return &r.Sample })),
	must(field("reason", texts[string](), func(r *Rejected) *string { return &r.Reason })),
	field("measure", float64s(), func(r *Rejected) *float64 { return &r.Measure }),
	field("threshold", float64s(), func(r *Rejected) *float64 { return &r.Threshold }),
	field("detail", texts[string](), func(r *Rejected) *string { return &r.Detail }),
})

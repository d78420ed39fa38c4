package schemas

// EncodeLosses writes a table of losses as an Arrow IPC stream; all columns must have equal length.
func EncodeLosses(l *Losses) ([]byte, error) { return encodeTable(lossesMessage, l, l.Len()) }

// DecodeLosses reads what EncodeLosses writes. Required: run_id, sample_id, epoch, loss. Defaults: attempt 1, all else
// zero, so that a table from any trainer that knows no more than its losses can be read.
func DecodeLosses(b []byte) (Losses, error) { return decodeTable(lossesMessage, b) }

var lossesMessage = newMessage("losses", []column[*Losses]{
	must(vector("run_id", texts[string](), func(l *Losses) *[]string { return &l.RunID })),
	vector("attempt", uint32s(), func(l *Losses) *[]uint32 { return &l.Attempt }, 1),
	vector("model", texts[string](), func(l *Losses) *[]string { return &l.Model }),
	vector("dataset", texts[string](), func(l *Losses) *[]string { return &l.Dataset }),
	must(vector("sample_id", sampleIDs(), func(l *Losses) *[]SampleID { return &l.SampleID })),
	vector("object_id", texts[string](), func(l *Losses) *[]string { return &l.ObjectID }),
	must(vector("epoch", uint32s(), func(l *Losses) *[]uint32 { return &l.Epoch })),
	vector("step", uint64s(), func(l *Losses) *[]uint64 { return &l.Step }),
	must(vector("loss", float32s(), func(l *Losses) *[]float32 { return &l.Loss })),
	vector("correct", bools(), func(l *Losses) *[]bool { return &l.Correct }),
	vector("margin", float32s(), func(l *Losses) *[]float32 { return &l.Margin }),
	vector("p_true", float32s(), func(l *Losses) *[]float32 { return &l.PTrue }),
	vector("el2n", float32s(), func(l *Losses) *[]float32 { return &l.EL2N }),
	vector("emb_norm", float32s(), func(l *Losses) *[]float32 { return &l.EmbNorm }),
	vector("forgot", bools(), func(l *Losses) *[]bool { return &l.Forgot }),
	vector("lineage", texts[string](), func(l *Losses) *[]string { return &l.Lineage }),
})

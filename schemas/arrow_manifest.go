package schemas

// EncodeManifest writes a table of curated samples as an Arrow IPC stream; all columns must have equal length.
func EncodeManifest(m *Manifest) ([]byte, error) { return encodeTable(manifestMessage, m, m.Len()) }

// DecodeManifest reads what EncodeManifest writes. Required: dataset, sample_id, image. Defaults: weight 1, origin "new",
// all else zero. The identity of a row is (dataset, mix_version, epoch, sequence).
func DecodeManifest(b []byte) (Manifest, error) { return decodeTable(manifestMessage, b) }

var manifestMessage = newMessage("manifest", []column[*Manifest]{
	must(vector("dataset", texts[string](), func(m *Manifest) *[]string { return &m.Dataset })),
	must(vector("sample_id", sampleIDs(), func(m *Manifest) *[]SampleID { return &m.SampleID })),
	vector("object_id", texts[string](), func(m *Manifest) *[]string { return &m.ObjectID }),
	must(vector("image", hashes(), func(m *Manifest) *[]Hash { return &m.Image })),
	vector("label", texts[string](), func(m *Manifest) *[]string { return &m.Label }),
	vector("weight", float32s(), func(m *Manifest) *[]float32 { return &m.Weight }, 1),
	vector("origin", texts[Origin](), func(m *Manifest) *[]Origin { return &m.Origin }, OriginNew),
	vector("mix_version", texts[string](), func(m *Manifest) *[]string { return &m.MixVersion }),
	vector("epoch", uint32s(), func(m *Manifest) *[]uint32 { return &m.Epoch }),
	vector("sequence", uint64s(), func(m *Manifest) *[]uint64 { return &m.Sequence }),
})

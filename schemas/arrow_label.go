package schemas

import "time"

// EncodeLabel writes a Label as an Arrow IPC stream of one row.
func EncodeLabel(l *Label) ([]byte, error) { return encodeOne(labelMessage, l) }

// DecodeLabel reads what EncodeLabel writes. Required: sample_id, dataset, rank. Defaults: task "detect"; group the sample's
// own id; all else zero. The identity of a label is (sample_id, rank, revision).
func DecodeLabel(b []byte) (Label, error) {
	l, err := decodeOne(labelMessage, b)
	if l.Group == (SampleID{}) {
		l.Group = l.SampleID
	}
	return l, err
}

var labelMessage = newMessage("label", []column[[]Label]{
	must(field("sample_id", sampleIDs(), func(l *Label) *SampleID { return &l.SampleID })),
	must(field("dataset", texts[string](), func(l *Label) *string { return &l.Dataset })),
	field("unique_id", texts[string](), func(l *Label) *string { return &l.UniqueID }),
	field("task", texts[string](), func(l *Label) *string { return &l.Task }, defaultTask),
	field("image", structs(imageColumns), func(l *Label) *ImageRef { return &l.Image }),
	field("group", sampleIDs(), func(l *Label) *SampleID { return &l.Group }),
	field("slices", stringMaps(), func(l *Label) *map[string]string { return &l.Slices }),
	must(field("rank", uint8s[Rank](), func(l *Label) *Rank { return &l.Rank })),
	field("revision", uint64s(), func(l *Label) *uint64 { return &l.Revision }),
	field("objects", lists(structs(objectColumns)), func(l *Label) *[]Object { return &l.Objects }),
	field("actor", texts[string](), func(l *Label) *string { return &l.Actor }),
	field("stamps", lists(structs(stampColumns)), func(l *Label) *[]Stamp { return &l.Stamps }),
	field("at", times(), func(l *Label) *time.Time { return &l.At }),
	field("overrides", lists(structs(overrideColumns)), func(l *Label) *[]Override { return &l.Overrides }),
})

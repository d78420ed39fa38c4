package schemas

import (
	"time"

	"gleaner/schemas/geometry"
)

// EncodeSample writes a Sample as an Arrow IPC stream of one row.
func EncodeSample(s *Sample) ([]byte, error) { return encodeOne(sampleMessage, s) }

// DecodeSample reads what EncodeSample writes. Required: id, dataset. Defaults: task "detect"; group the sample's own id;
// all else zero.
func DecodeSample(b []byte) (Sample, error) {
	s, err := decodeOne(sampleMessage, b)
	s.fill()
	return s, err
}

// fill sets the defaults that depend on other columns.
func (s *Sample) fill() {
	if s.Group == (SampleID{}) {
		s.Group = s.ID
	}
}

const defaultTask = "detect"

var (
	boxColumns = []column[[]geometry.Box]{
		field("x1", float32s(), func(b *geometry.Box) *float32 { return &b.X1 }),
		field("y1", float32s(), func(b *geometry.Box) *float32 { return &b.Y1 }),
		field("x2", float32s(), func(b *geometry.Box) *float32 { return &b.X2 }),
		field("y2", float32s(), func(b *geometry.Box) *float32 { return &b.Y2 }),
	}

	objectColumns = []column[[]Object]{
		field("id", texts[string](), func(o *Object) *string { return &o.ID }),
		field("class", texts[string](), func(o *Object) *string { return &o.Class }),
		field("box", structs(boxColumns), func(o *Object) *geometry.Box { return &o.Box }),
		field("score", float32s(), func(o *Object) *float32 { return &o.Score }),
		field("source", texts[string](), func(o *Object) *string { return &o.Source }),
		field("raw", structs(boxColumns), func(o *Object) *geometry.Box { return &o.Raw }),
		field("canonical", texts[string](), func(o *Object) *string { return &o.Canonical }),
		field("lineage", texts[string](), func(o *Object) *string { return &o.Lineage }),
		field("refine", bools(), func(o *Object) *bool { return &o.Refine }),
		field("attributes", stringMaps(), func(o *Object) *map[string]string { return &o.Attributes }),
		field("raw_score", float32s(), func(o *Object) *float32 { return &o.RawScore }),
	}

	findingColumns = []column[[]Finding]{
		field("type", texts[FindingType](), func(f *Finding) *FindingType { return &f.Type }),
		field("object_id", texts[string](), func(f *Finding) *string { return &f.ObjectID }),
		field("class", texts[string](), func(f *Finding) *string { return &f.Class }),
		field("box", structs(boxColumns), func(f *Finding) *geometry.Box { return &f.Box }),
		field("score", float32s(), func(f *Finding) *float32 { return &f.Score }),
		field("why", texts[string](), func(f *Finding) *string { return &f.Why }),
		field("fix", optional(structs(boxColumns)), func(f *Finding) **geometry.Box { return &f.Fix }),
		field("prior", float32s(), func(f *Finding) *float32 { return &f.Prior }),
		field("fix_class", texts[string](), func(f *Finding) *string { return &f.FixClass }),
	}

	overrideColumns = []column[[]Override]{
		field("type", texts[FindingType](), func(o *Override) *FindingType { return &o.Type }),
		field("object_id", texts[string](), func(o *Override) *string { return &o.ObjectID }),
		field("reason", texts[string](), func(o *Override) *string { return &o.Reason }),
		field("class", texts[string](), func(o *Override) *string { return &o.Class }),
		field("box", structs(boxColumns), func(o *Override) *geometry.Box { return &o.Box }),
		field("why", texts[string](), func(o *Override) *string { return &o.Why }),
	}

	stampColumns = []column[[]Stamp]{
		field("step", texts[string](), func(s *Stamp) *string { return &s.Step }),
		field("version", texts[string](), func(s *Stamp) *string { return &s.Version }),
		field("model", texts[string](), func(s *Stamp) *string { return &s.Model }),
		field("hash", texts[string](), func(s *Stamp) *string { return &s.Hash }),
		field("at", times(), func(s *Stamp) *time.Time { return &s.At }),
		field("ms", float32s(), func(s *Stamp) *float32 { return &s.Millis }),
	}

	imageColumns = []column[[]ImageRef]{
		field("sha256", hashes(), func(r *ImageRef) *Hash { return &r.SHA256 }),
		field("size", int64s(), func(r *ImageRef) *int64 { return &r.Size }),
		field("media_type", texts[string](), func(r *ImageRef) *string { return &r.MediaType }),
		field("w", ints(), func(r *ImageRef) *int { return &r.W }),
		field("h", ints(), func(r *ImageRef) *int { return &r.H }),
		field("inline", blobs(), func(r *ImageRef) *[]byte { return &r.Inline }),
	}

	superpixelColumns = []column[[]Superpixels]{
		field("count", ints(), func(s *Superpixels) *int { return &s.Count }),
		field("encoding", texts[string](), func(s *Superpixels) *string { return &s.Encoding }),
		field("data", blobs(), func(s *Superpixels) *[]byte { return &s.Data }),
	}

	sampleColumns = []column[[]Sample]{
		must(field("id", sampleIDs(), func(s *Sample) *SampleID { return &s.ID })),
		must(field("dataset", texts[string](), func(s *Sample) *string { return &s.Dataset })),
		field("unique_id", texts[string](), func(s *Sample) *string { return &s.UniqueID }),
		field("task", texts[string](), func(s *Sample) *string { return &s.Task }, defaultTask),
		field("image", structs(imageColumns), func(s *Sample) *ImageRef { return &s.Image }),
		field("slices", stringMaps(), func(s *Sample) *map[string]string { return &s.Slices }),
		field("phash", uint64s(), func(s *Sample) *uint64 { return &s.PHash }),
		field("group", sampleIDs(), func(s *Sample) *SampleID { return &s.Group }),
		field("received", times(), func(s *Sample) *time.Time { return &s.Received }),
		field("stage", uint8s[Stage](), func(s *Sample) *Stage { return &s.Stage }),
		field("revision", uint64s(), func(s *Sample) *uint64 { return &s.Revision }),
		field("rank", uint8s[Rank](), func(s *Sample) *Rank { return &s.Rank }),
		field("objects", lists(structs(objectColumns)), func(s *Sample) *[]Object { return &s.Objects }),
		field("proposals", lists(structs(objectColumns)), func(s *Sample) *[]Object { return &s.Proposals }),
		field("superpixels", structs(superpixelColumns), func(s *Sample) *Superpixels { return &s.Superpixels }),
		field("findings", lists(structs(findingColumns)), func(s *Sample) *[]Finding { return &s.Findings }),
		field("stamps", lists(structs(stampColumns)), func(s *Sample) *[]Stamp { return &s.Stamps }),
		field("actor", texts[string](), func(s *Sample) *string { return &s.Actor }),
		field("overrides", lists(structs(overrideColumns)), func(s *Sample) *[]Override { return &s.Overrides }),
		field("candidates", lists(candidates()), func(s *Sample) *[]Candidates { return &s.Candidates }),
	}

	sampleMessage = newMessage("sample", sampleColumns)
)

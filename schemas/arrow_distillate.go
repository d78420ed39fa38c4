package schemas

import "time"

// EncodeDistillate writes a Distillate, its images included, as an Arrow IPC stream of one row.
func EncodeDistillate(d *Distillate) ([]byte, error) { return encodeOne(distillateMessage, d) }

// DecodeDistillate reads what EncodeDistillate writes. Required: dataset, class, version. All else defaults to zero.
func DecodeDistillate(b []byte) (Distillate, error) { return decodeOne(distillateMessage, b) }

var distillateMessage = newMessage("distillate", []column[[]Distillate]{
	must(field("dataset", texts[string](), func(d *Distillate) *string { return &d.Dataset })),
	field("dataset_version", texts[string](), func(d *Distillate) *string { return &d.DatasetVersion }),
	must(field("class", texts[string](), func(d *Distillate) *string { return &d.Class })),
	must(field("version", texts[string](), func(d *Distillate) *string { return &d.Version })),
	field("recipe", texts[string](), func(d *Distillate) *string { return &d.Recipe }),
	field("images", lists(blobs()), func(d *Distillate) *[][]byte { return &d.Images }),
	field("media_type", texts[string](), func(d *Distillate) *string { return &d.MediaType }),
	field("at", times(), func(d *Distillate) *time.Time { return &d.At }),
})

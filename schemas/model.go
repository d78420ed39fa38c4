package schemas

import "time"

// Model is an immutable registry entry on the models topic, keyed by ID (name@version).
type Model struct {
	ID      string             `json:"id"` // name@version
	Name    string             `json:"name"`
	Version string             `json:"version"`
	SHA256  Hash               `json:"sha256"` // of the ONNX file
	File    BlobRef            `json:"file"`
	Decoder string             `json:"decoder"` // "yolox", "fastestdet"
	Classes []string           `json:"classes"`
	License string             `json:"license,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
	At      time.Time          `json:"at"`
}

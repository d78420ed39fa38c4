package schemas

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Model is an immutable registry entry on the models topic, keyed by ID.
type Model struct {
	ID         string             `json:"id"` // name@version
	Name       string             `json:"name"`
	Version    string             `json:"version"`
	SHA256     Hash               `json:"sha256"` // of the ONNX file
	File       BlobRef            `json:"file"`
	Task       ModelTask          `json:"task"`
	Decode     Decode             `json:"decode"`
	Classes    []string           `json:"classes"`               // in the order of the outputs
	LabelSpace string             `json:"label_space,omitempty"` // dataset@version whose class names these are, as taxonomies map them
	License    string             `json:"license,omitempty"`
	Metrics    map[string]float64 `json:"metrics,omitempty"`
	At         time.Time          `json:"at"`
}

// ModelTask is what a model says of an image.
type ModelTask string

// The tasks of models.
const (
	TaskDetect   ModelTask = "detect"   // boxes with classes
	TaskClassify ModelTask = "classify" // classes of the whole image
	TaskSegment  ModelTask = "segment"  // a class for each pixel
)

// Validate refuses an entry that no writer of ours makes.
func (m Model) Validate() error {
	name, version, err := ParseModelID(m.ID)
	switch {
	case err != nil:
		return err
	case name != m.Name || version != m.Version:
		return fmt.Errorf("model %s: its name is %q and its version %q", m.ID, m.Name, m.Version)
	case m.File.Key != ModelKey(m.SHA256):
		return fmt.Errorf("model %s: its file %q is not where digest %s lies", m.ID, m.File.Key, m.SHA256)
	case len(m.Classes) == 0:
		return fmt.Errorf("model %s: it has no classes", m.ID)
	}
	return nil
}

// maxModelID is how many bytes an id may have: escaped in whatever way, it fits the name of a file.
const maxModelID = 80

// ParseModelID splits name@version, at most 80 bytes. Neither part may be empty or hold "@", "/", ",", "+" or control characters,
// since ids stand in keys and in lists.
func ParseModelID(id string) (name, version string, err error) {
	name, version, _ = strings.Cut(id, "@")
	bad := func(r rune) bool { return strings.ContainsRune("@/,+", r) || unicode.IsControl(r) }
	if name == "" || version == "" || len(id) > maxModelID || strings.ContainsFunc(name+version, bad) {
		return "", "", fmt.Errorf("model %q: want name@version, at most %d bytes, without @, /, + and commas in either", id, maxModelID)
	}
	return name, version, nil
}

// ModelRemoval ends the use of a model, on the models topic under ModelRemovalKey. The entry stays, since labels name it.
type ModelRemoval struct {
	ID    string    `json:"id"` // name@version
	Actor string    `json:"actor"`
	At    time.Time `json:"at"`
}

// ModelRemovalKey is the record key of a removal.
func ModelRemovalKey(id string) string { return "removed/" + id }

// Validate refuses a removal of what can be no model.
func (r ModelRemoval) Validate() error {
	_, _, err := ParseModelID(r.ID)
	return err
}

package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ModelMetadata is what a model file says of itself, in the metadata_props of its ONNX model (onnx.proto, ModelProto), so that it can
// be served without further files. Entries of the registry and what people say of a file come before it.
type ModelMetadata struct {
	Classes []string // in the order of the outputs; empty: the file says nothing
	Decode  Decode   // how images become its input; what is left out is recognized
	Run     *Run     // that trained it; nil: unknown
}

// MetadataNames is the key in metadata_props under which exporters of YOLO models put the names of the classes: see ParseClassNames.
const MetadataNames = "names"

// The keys of ours in metadata_props. Values are JSON.
const (
	metadataClasses = "gleaner.classes"
	metadataDecode  = "gleaner.decode"
	metadataRun     = "gleaner.run"
)

// Properties are the entries of metadata_props that ParseModelMetadata reads.
func (m ModelMetadata) Properties() (map[string]string, error) {
	out := map[string]string{}
	for key, value := range map[string]any{metadataClasses: m.Classes, metadataDecode: m.Decode, metadataRun: m.Run} {
		text, err := CanonicalJSON(value)
		if err != nil {
			return nil, fmt.Errorf("metadata: %s: %w", key, err)
		}
		out[key] = string(text)
	}
	return out, nil
}

// ParseModelMetadata reads a file's metadata_props, of which keys that are not ours mean nothing here. An error names the key. A field
// of the decode spec that is not known is an error too, since it might change what is made of an image.
func ParseModelMetadata(properties map[string]string) (ModelMetadata, error) {
	var m ModelMetadata
	for _, of := range []struct {
		key   string
		into  any
		exact bool
		check func() error
	}{
		{metadataClasses, &m.Classes, false, func() error { return CheckClasses(m.Classes) }},
		{metadataDecode, &m.Decode, true, func() error { return m.Decode.Validate() }},
		{metadataRun, &m.Run, false, func() error { return nil }},
	} {
		text, ok := properties[of.key]
		if !ok {
			continue
		}
		d := json.NewDecoder(strings.NewReader(text))
		if of.exact {
			d.DisallowUnknownFields()
		}
		err := d.Decode(of.into)
		if _, more := d.Token(); err == nil && !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
		if err == nil {
			err = of.check()
		}
		if err != nil {
			return ModelMetadata{}, fmt.Errorf("metadata: %s: %w", of.key, err)
		}
	}
	return m, nil
}

// CheckClasses refuses names of classes that are empty, not printable or there twice.
func CheckClasses(names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		switch {
		case name == "":
			return errors.New("a class without a name")
		case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
			return fmt.Errorf("%.40q is no printable text", name)
		case seen[name]:
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
	}
	return nil
}

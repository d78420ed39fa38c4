package config

import (
	"errors"
	"fmt"
	"os"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// ModelMetadata reads what a model file says of itself, which is nothing of most, and of what is no ONNX file: the runtime says what is
// wrong with that.
func ModelMetadata(data []byte) (schemas.ModelMetadata, error) {
	properties, err := onnx.Metadata(data)
	if err != nil {
		return schemas.ModelMetadata{}, nil
	}
	return schemas.ParseModelMetadata(properties)
}

// ErrNoClasses says that a model file has no names of its classes within.
var ErrNoClasses = errors.New("the file says none within: name one with the names of its classes, one a line")

// ClassesWithin are the names of a model's classes that its file has within, in the order of its outputs: ours, else those that
// exporters of YOLO models leave. There are none of what is no ONNX file, as of ModelMetadata, and elsewhere none is ErrNoClasses.
func ClassesWithin(data []byte) ([]string, error) {
	properties, err := onnx.Metadata(data)
	if err != nil {
		return nil, nil
	}
	m, err := schemas.ParseModelMetadata(properties)
	if err != nil || len(m.Classes) > 0 {
		return m.Classes, err
	}
	text, ok := properties[schemas.MetadataNames]
	if !ok {
		return nil, ErrNoClasses
	}
	names, err := schemas.ParseClassNames(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("metadata: %s: %w; name a file with the names of its classes, one a line", schemas.MetadataNames, err)
	case len(names) == 0:
		return nil, ErrNoClasses
	}
	return names, nil
}

// ModelClasses are the names of the classes of a model, in the order of its outputs: those of ClassesWithin, else those of the
// *.names beside it.
func ModelClasses(path string, data []byte) ([]string, error) {
	names, err := ClassesWithin(data)
	switch {
	case err == nil:
		return names, nil
	case !errors.Is(err, ErrNoClasses):
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	beside, err := prelabel.ClassesBeside(path)
	if err != nil {
		return nil, err
	}
	return prelabel.ReadClasses(beside)
}

// classesKnown refuses a model for which no list of class names is set, that has none within, and that has not one beside it.
func (c Config) classesKnown() error {
	model := c.Prelabel.Model
	if model == "" || c.Prelabel.Classes != "" {
		return nil
	}
	data, err := os.ReadFile(model)
	if err != nil {
		return fmt.Errorf("prelabel.model: %w", err)
	}
	if _, err := ModelClasses(model, data); err != nil {
		return fmt.Errorf("prelabel.classes: %w", err)
	}
	return nil
}

package config

import (
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

// ModelClasses are the names of the classes of a model, in the order of its outputs: those that its file has within, else those of
// the one *.names beside it.
func ModelClasses(path string, data []byte) ([]string, error) {
	m, err := ModelMetadata(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(m.Classes) > 0 {
		return m.Classes, nil
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
	if m, err := ModelMetadata(data); err == nil && len(m.Classes) > 0 {
		return nil
	}
	if _, err := prelabel.ClassesBeside(model); err != nil {
		return fmt.Errorf("prelabel.classes: %w", err)
	}
	return nil
}

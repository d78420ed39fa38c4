// Package voc reads Pascal VOC annotation files: one XML file an image. Coordinates count pixels from 1 and include the last.
package voc

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

// Annotation is what one file says.
type Annotation struct {
	Filename string
	W, H     int // pixels; 0 when the file does not say
	Objects  []schemas.Object
}

type document struct {
	XMLName  xml.Name `xml:"annotation"`
	Filename string   `xml:"filename"`
	Size     struct {
		Width  int `xml:"width"`
		Height int `xml:"height"`
	} `xml:"size"`
	Objects []struct {
		Name      string `xml:"name"`
		Truncated string `xml:"truncated"`
		Box       struct {
			XMin string `xml:"xmin"`
			YMin string `xml:"ymin"`
			XMax string `xml:"xmax"`
			YMax string `xml:"ymax"`
		} `xml:"bndbox"`
	} `xml:"object"`
}

// Read decodes one file; objects get the ids o1, o2, … in the file's order, and where the file says it the attribute truncated. Whether something is hidden VOC
// says by yes or no, not by how much of it, so that is not read. Errors name the object.
func Read(r io.Reader) (Annotation, error) {
	var d document
	in := xml.NewDecoder(r)
	in.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("it is in %s: save it as UTF-8", charset)
	}
	if err := in.Decode(&d); err != nil {
		return Annotation{}, fmt.Errorf("not a Pascal VOC annotation: %w", err)
	}
	a := Annotation{Filename: strings.TrimSpace(d.Filename), W: d.Size.Width, H: d.Size.Height}
	for i, o := range d.Objects {
		name := strings.TrimSpace(o.Name)
		if name == "" {
			return Annotation{}, fmt.Errorf("object %d: no name", i+1)
		}
		var at [4]float64
		for k, side := range []struct{ name, text string }{{"xmin", o.Box.XMin}, {"ymin", o.Box.YMin}, {"xmax", o.Box.XMax}, {"ymax", o.Box.YMax}} {
			x, err := strconv.ParseFloat(strings.TrimSpace(side.text), 64)
			if err != nil || math.IsNaN(x) || math.Abs(x) > 1e6 {
				return Annotation{}, fmt.Errorf("object %d (%s): bndbox: %s is %q: want a pixel", i+1, name, side.name, side.text)
			}
			at[k] = x
		}
		of := schemas.Object{
			ID: fmt.Sprintf("o%d", i+1), Class: name,
			Box: geometry.Box{X1: float32(at[0] - 1), Y1: float32(at[1] - 1), X2: float32(at[2]), Y2: float32(at[3])},
		}
		switch strings.TrimSpace(o.Truncated) {
		case "0":
			of.Attributes = map[string]string{schemas.AttributeTruncated: "false"}
		case "1":
			of.Attributes = map[string]string{schemas.AttributeTruncated: "true"}
		}
		a.Objects = append(a.Objects, of)
	}
	return a, nil
}

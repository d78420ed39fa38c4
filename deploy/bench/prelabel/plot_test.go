package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"

	"gleaner/stages/prelabel/evaluate"
)

func TestPlotsAreXML(t *testing.T) {
	svg := reliability(`a "b" & <c>`, []curve{{"one", []evaluate.Bin{{Told: .01, Came: .02, N: 5}, {Told: 1, Came: .9, N: 5}}}, {"none", nil}})
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
	}
}

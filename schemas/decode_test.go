package schemas

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestDecodeInYAML(t *testing.T) {
	pad := uint8(0)
	want := Decode{
		Decoder: "boxes", Input: DecodeInput{Width: 640, Height: 480, Resize: ResizeLetterboxCenter, Channels: ChannelsRGB, Mean: []float32{0, 0, 0}, Std: []float32{255, 255, 255}, Pad: &pad},
		Boxes: BoxYXYX, Unit: UnitNormalized, Activation: ActivationSigmoid, Background: BackgroundFirst, Strides: []int{8, 16}, Outputs: DecodeOutputs{Boxes: "dets"},
	}
	text := `
decoder: boxes
input: {width: 640, height: 480, resize: letterbox-center, channels: rgb, mean: [0, 0, 0], std: [255, 255, 255], pad: 0}
boxes: yxyx
unit: normalized
activation: sigmoid
background: first
strides: [8, 16]
outputs: {boxes: dets}
`
	var got Decode
	if err := yaml.UnmarshalWithOptions([]byte(text), &got, yaml.Strict()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

func TestBadDecodes(t *testing.T) {
	for want, d := range map[string]Decode{
		`input.resize: "crop": want one of letterbox, letterbox-center, stretch, area`: {Input: DecodeInput{Resize: "crop"}},
		`input.channels: "gray": want one of rgb, bgr`:                                 {Input: DecodeInput{Channels: "gray"}},
		`boxes: "ltrb"`:                       {Boxes: "ltrb"},
		`unit: "percent"`:                     {Unit: "percent"},
		`activation: "relu"`:                  {Activation: "relu"},
		`background: "0"`:                     {Background: "0"},
		"width 640 and height 0: want both":   {Input: DecodeInput{Width: 640}},
		"width 9000":                          {Input: DecodeInput{Width: 9000, Height: 9000}},
		"input.mean: -1":                      {Input: DecodeInput{Mean: []float32{-1, 0, 0}}},
		"input.std: 0.229: must be in levels": {Input: DecodeInput{Std: []float32{0.229, 0.224, 0.225}}},
		"mean has 1 numbers and std 0":        {Input: DecodeInput{Mean: []float32{1}}},
		"strides: 0":                          {Strides: []int{8, 0}},
	} {
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

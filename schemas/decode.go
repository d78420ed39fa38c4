package schemas

import (
	"fmt"
	"slices"
	"strings"
)

// Decode says how an image becomes a model's input tensor and what its outputs mean. A zero field stands for what the
// decoder's family uses, so an empty Decode leaves everything to recognition, and one field can be set alone.
type Decode struct {
	Decoder    string        `json:"decoder,omitempty" yaml:"decoder,omitempty"` // family: "yolox", "yolov8", "detr", …; empty: recognized
	Input      DecodeInput   `json:"input,omitzero" yaml:"input,omitempty"`
	Boxes      BoxFormat     `json:"boxes,omitempty" yaml:"boxes,omitempty"`
	Unit       BoxUnit       `json:"unit,omitempty" yaml:"unit,omitempty"`
	Activation Activation    `json:"activation,omitempty" yaml:"activation,omitempty"` // still to be applied to class scores
	Background Background    `json:"background,omitempty" yaml:"background,omitempty"`
	Strides    []int         `json:"strides,omitempty" yaml:"strides,omitempty"` // input pixels between cells, in the order of the output
	Outputs    DecodeOutputs `json:"outputs,omitzero" yaml:"outputs,omitempty"`
	Why        string        `json:"why,omitempty" yaml:"why,omitempty"` // what recognition went by, for people
}

// DecodeInput says how an image is fitted into the input tensor: value = (level - mean) / std with levels of 0..255.
type DecodeInput struct {
	Width    int          `json:"width,omitempty" yaml:"width,omitempty"`   // pixels; needed where the graph leaves its size open
	Height   int          `json:"height,omitempty" yaml:"height,omitempty"` // pixels
	Resize   Resize       `json:"resize,omitempty" yaml:"resize,omitempty"`
	Channels ChannelOrder `json:"channels,omitempty" yaml:"channels,omitempty"`
	Mean     []float32    `json:"mean,omitempty" yaml:"mean,omitempty"` // [3], levels, in the order of the channels
	Std      []float32    `json:"std,omitempty" yaml:"std,omitempty"`   // [3], levels, likewise; 255 brings levels to 0..1
	Pad      *uint8       `json:"pad,omitempty" yaml:"pad,omitempty"`   // level around a letterboxed image
}

// DecodeOutputs names the outputs of graphs whose shapes do not tell them apart.
type DecodeOutputs struct {
	Predictions string `json:"predictions,omitempty" yaml:"predictions,omitempty"` // of families whose one output holds everything
	Boxes       string `json:"boxes,omitempty" yaml:"boxes,omitempty"`
	Scores      string `json:"scores,omitempty" yaml:"scores,omitempty"`
	Labels      string `json:"labels,omitempty" yaml:"labels,omitempty"`
	Count       string `json:"count,omitempty" yaml:"count,omitempty"` // how many rows hold detections
}

// Resize is how an image is fitted into the input.
type Resize string

// The ways to resize.
const (
	ResizeLetterbox       Resize = "letterbox"        // scaled to fit, in the top left corner
	ResizeLetterboxCenter Resize = "letterbox-center" // scaled to fit, in the middle
	ResizeStretch         Resize = "stretch"          // each side scaled by itself
	ResizeArea            Resize = "area"             // likewise, and each pixel the mean of what it covers, as OpenCV's INTER_AREA
)

// ChannelOrder is the order of the input's color channels.
type ChannelOrder string

// The orders of channels.
const (
	ChannelsRGB ChannelOrder = "rgb"
	ChannelsBGR ChannelOrder = "bgr"
)

// BoxFormat says what the four numbers of a box are.
type BoxFormat string

// The formats of boxes.
const (
	BoxXYXY   BoxFormat = "xyxy"   // left, top, right, bottom
	BoxYXYX   BoxFormat = "yxyx"   // top, left, bottom, right, as TensorFlow's detectors
	BoxCXCYWH BoxFormat = "cxcywh" // center and size
	BoxXYWH   BoxFormat = "xywh"   // left, top and size, as COCO
)

// BoxUnit is what box coordinates are measured in.
type BoxUnit string

// The units of boxes.
const (
	UnitPixels     BoxUnit = "pixels"     // of the input
	UnitNormalized BoxUnit = "normalized" // shares of the input's sides
)

// Activation turns the model's class numbers into probabilities.
type Activation string

// The activations.
const (
	ActivationNone    Activation = "none" // they are probabilities already
	ActivationSigmoid Activation = "sigmoid"
	ActivationSoftmax Activation = "softmax"
)

// Background is where the class that means "nothing here" stands; it has no name in the list of classes.
type Background string

// The places of the background class.
const (
	BackgroundNone  Background = "none"
	BackgroundFirst Background = "first" // index 0: labels count from 1
	BackgroundLast  Background = "last"
)

// Validate refuses words that mean nothing and numbers out of range; whether the decoder is known is for prelabel to say.
func (d Decode) Validate() error {
	in := d.Input
	for _, err := range []error{
		oneOf("input.resize", in.Resize, ResizeLetterbox, ResizeLetterboxCenter, ResizeStretch, ResizeArea),
		oneOf("input.channels", in.Channels, ChannelsRGB, ChannelsBGR),
		oneOf("boxes", d.Boxes, BoxXYXY, BoxYXYX, BoxCXCYWH, BoxXYWH),
		oneOf("unit", d.Unit, UnitPixels, UnitNormalized),
		oneOf("activation", d.Activation, ActivationNone, ActivationSigmoid, ActivationSoftmax),
		oneOf("background", d.Background, BackgroundNone, BackgroundFirst, BackgroundLast),
	} {
		if err != nil {
			return err
		}
	}
	if (in.Width > 0) != (in.Height > 0) || min(in.Width, in.Height) < 0 || max(in.Width, in.Height) > maxInputSide {
		return fmt.Errorf("decode: input: width %d and height %d: want both, each of 1 to %d pixels", in.Width, in.Height, maxInputSide)
	}
	for _, v := range in.Mean {
		if !(v >= 0 && v <= 255) {
			return fmt.Errorf("decode: input.mean: %g: must be a level of 0..255", v)
		}
	}
	for _, v := range in.Std {
		if !(v >= 1 && v <= 255) {
			return fmt.Errorf("decode: input.std: %g: must be in levels, 1..255: multiply by 255 what is given for values of 0..1", v)
		}
	}
	if n, m := len(in.Mean), len(in.Std); n != 0 && n != 3 || m != 0 && m != 3 {
		return fmt.Errorf("decode: input: mean has %d numbers and std %d: want one a channel, three", n, m)
	}
	for _, s := range d.Strides {
		if s < 1 || s > maxInputSide {
			return fmt.Errorf("decode: strides: %d: must be 1 to %d pixels", s, maxInputSide)
		}
	}
	return nil
}

// maxInputSide bounds what a model's input can hold in memory.
const maxInputSide = 1 << 13

func oneOf[T ~string](field string, got T, known ...T) error {
	if got == "" || slices.Contains(known, got) {
		return nil
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	return fmt.Errorf("decode: %s: %q: want one of %s", field, got, strings.Join(words, ", "))
}

package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"gleaner/connectors/onnx"
	"gleaner/deploy/config"
	"gleaner/schemas"
	"gleaner/trainers/classify"
)

// SetNetwork reads what --model names: a network by its name, or the ONNX file of a classifier to go on from, with the normalization
// and the order of channels that the file says. It returns the side of images that the file wants, in pixels, or 0 where any will do.
func SetNetwork(rt *onnx.Runtime, cfg *classify.Config, model string) (side int, err error) {
	if slices.Contains(classify.Networks(), model) {
		cfg.Network = model
		return 0, nil
	}
	data, err := os.ReadFile(model)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%q is neither a file nor a network that is known: %s", model, strings.Join(classify.Networks(), ", "))
	}
	if err != nil {
		return 0, err
	}
	cfg.Network, cfg.ONNX = "", data
	within, err := config.ModelMetadata(data)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", model, err)
	}
	in, normal := within.Decode.Input, classify.ImageNetNormalization() // as prelabel takes what a classifier's file leaves open
	if len(in.Mean) == 3 {
		normal.Mean = [3]float32(in.Mean)
	}
	if len(in.Std) == 3 {
		normal.Std = [3]float32(in.Std)
	}
	normal.BGR = in.Channels == schemas.ChannelsBGR
	cfg.Normalize = &normal
	session := onnx.DefaultConfig()
	session.Width, session.Height = 224, 224 // where the graph leaves sides open
	s, err := rt.LoadBytes(model, data, session)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if inputs := s.Inputs(); len(inputs) != 1 || len(inputs[0].Shape) != 4 || inputs[0].Shape[1] != 3 || inputs[0].Shape[2] != inputs[0].Shape[3] {
		return 0, fmt.Errorf("%s: a classifier takes square images as [N, 3, side, side]; inputs seen: %v", model, inputs)
	}
	return int(s.Inputs()[0].Shape[2]), nil
}

// ParseAugment reads "none", or changes of a default such as "crop=4,flip=random,cutout=8,pad=zero".
func ParseAugment(text string, a classify.Augment) (classify.Augment, error) {
	if text == "none" {
		return classify.Augment{Flip: "none"}, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		var err error
		switch key {
		case "crop":
			a.Crop, err = strconv.Atoi(value)
		case "cutout":
			a.Cutout, err = strconv.Atoi(value)
		case "flip":
			a.Flip = value
		case "pad":
			a.Pad = value
		default:
			ok = false
		}
		if !ok || err != nil {
			return a, fmt.Errorf("%q: want none, or some of crop=PIXELS, pad=reflect|zero, flip=none|random|alternating, cutout=PIXELS, with commas between", part)
		}
	}
	return a, a.Validate()
}

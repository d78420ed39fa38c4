package train

import (
	"cmp"
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

// SetNetwork reads what --model names: a network by its name, or the ONNX file of a classifier to go on from, with the normalization,
// the order of channels and the classes that the file says. side is that of the images in pixels, 0 where any will do, and what is
// returned is the one to resize them to. Whatever can be refused without the images is.
func SetNetwork(rt *onnx.Runtime, cfg *classify.Config, model string, side int) (int, error) {
	if slices.Contains(classify.Networks(), model) {
		cfg.Network = model
		return cmp.Or(side, 32), nil
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
	side, classes, err := adoptable(rt, model, data, side)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", model, err)
	}
	// Names that are not one an output say nothing of any of them.
	if names, err := config.ClassesWithin(data); err == nil && len(names) == classes {
		cfg.ONNXClasses = names
	}
	return side, nil
}

// adoptable refuses files that are no classifier of square images, of the side that is asked for if one is, and returns the side and the
// number of classes.
func adoptable(rt *onnx.Runtime, model string, data []byte, side int) (takes, classes int, err error) {
	session := onnx.DefaultConfig()
	session.Width, session.Height = cmp.Or(side, 224), cmp.Or(side, 224) // where the graph leaves sides open
	s, err := rt.LoadBytes(model, data, session)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	inputs, outputs := s.Inputs(), s.Outputs()
	if len(inputs) != 1 || len(inputs[0].Shape) != 4 || inputs[0].Shape[1] != 3 || inputs[0].Shape[2] != inputs[0].Shape[3] {
		return 0, 0, fmt.Errorf("a classifier takes square images as [N, 3, side, side]; inputs seen: %v", inputs)
	}
	if takes = int(inputs[0].Shape[2]); side != 0 && takes != side {
		return 0, 0, fmt.Errorf("it takes images of %d pixels a side: leave --side %d out", takes, side)
	}
	classes, err = classify.ImportedOutputs(data, takes)
	if len(outputs[0].Shape) != 2 || err != nil && len(outputs) > 1 {
		err = fmt.Errorf("it looks like a detector or a segmenter, not like a classifier, which gives [N, classes]; outputs seen: %v", outputs)
	}
	return takes, classes, err
}

// ParseAugment reads "none", or changes of a default such as "crop=4,flip=random,cutout=8,pad=zero", each key once. Whether the values
// are any that there are classify.Config.Validate says.
func ParseAugment(text string, a classify.Augment) (classify.Augment, error) {
	if text == "none" {
		return classify.Augment{Flip: "none"}, nil
	}
	seen := map[string]bool{}
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
		if seen[key] {
			return a, fmt.Errorf("%q: %s is there twice", text, key)
		}
		seen[key] = true
	}
	return a, nil
}

package detect

import (
	"math/rand/v2"
	"testing"

	"gleaner/connectors/onnx"
	"gleaner/schemas"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel"
	"gleaner/trainers/classify"
)

// TestTrainedClassifier serves what trainers/classify exported, by what the file says of itself: the class of every image is the one
// that the trainer's own test finds, and so it is without the decode spec, which is then recognized.
func TestTrainedClassifier(t *testing.T) {
	rt, err := onnx.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	const side, n = 16, 48
	r := rand.New(rand.NewPCG(1, 2))
	images := classify.Images{Side: side, Classes: []string{"red", "green", "blue"}}
	for i := range n {
		for c := range 3 {
			for range side * side {
				images.Pixels = append(images.Pixels, uint8(60+r.IntN(80)+40*(1-min((c-i%3)*(c-i%3), 1))))
			}
		}
		images.Labels, images.Samples = append(images.Labels, i%3), append(images.Samples, schemas.SampleID{byte(i)})
	}
	cfg := classify.DefaultConfig()
	cfg.Width, cfg.Epochs, cfg.Batch = 16, 4, 16
	normalization := classify.ImageNetNormalization()
	cfg.Normalize = &normalization
	trainer, err := classify.New(rt, cfg, images, classify.Images{})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	if _, err := trainer.Train(t.Context(), classify.Hooks{}); err != nil {
		t.Fatal(err)
	}
	logits, err := trainer.Logits(t.Context(), images, classify.Views{})
	if err != nil {
		t.Fatal(err)
	}
	file, err := trainer.Export()
	if err != nil {
		t.Fatal(err)
	}
	properties, err := onnx.Metadata(file)
	if err != nil {
		t.Fatal(err)
	}
	within, err := schemas.ParseModelMetadata(properties)
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.LoadBytes("trained", file, onnx.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, spec := range map[string]schemas.Decode{"spec": within.Decode, "recognized": {}} {
		d, err := prelabel.Recognize(s, "trained@1", within.Classes, spec)
		if err != nil {
			t.Fatal(err)
		}
		if m := d.Model(); m.Task != schemas.TaskClassify || m.Decode.Decoder != "classifier" {
			t.Errorf("%s: %+v", name, m)
		}
		for i := range n {
			img := &pixels.Image{W: side, H: side}
			for at := range side * side {
				for c := range 3 {
					img.Pix = append(img.Pix, images.Pixels[(3*i+c)*side*side+at])
				}
			}
			found, err := d.Detect(t.Context(), img, 0.01)
			if err != nil {
				t.Fatal(err)
			}
			best := 0
			for c, v := range logits[3*i : 3*i+3] {
				if v > logits[3*i+best] {
					best = c
				}
			}
			if len(found) == 0 || found[0].Class != within.Classes[best] {
				t.Errorf("%s: image %d is served as %+v, the trainer finds %s", name, i, found, within.Classes[best])
			}
		}
	}
}

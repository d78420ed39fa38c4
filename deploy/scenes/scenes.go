// Package scenes draws labeled street scenes for a system that has no images of its own yet, and for tests where real data
// is absent. A seed gives the same bytes for ever; boxes and masks are exact, since the painter knows who owns each pixel.
package scenes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"

	"gleaner/schemas/geometry"
)

// Config says what to draw.
type Config struct {
	Count   int
	Seed    uint64
	W, H    int     // pixels
	Density float64 // how crowded, 0 to 1
	Rules   string  // whose classes and rules the labels follow: a key of Rules
}

// DefaultConfig draws 200 scenes as the dataset "traffic" labels them.
func DefaultConfig() Config {
	return Config{Count: 200, Seed: 1, W: 640, H: 480, Density: 0.5, Rules: "traffic"}
}

// Validate says which value is out of range.
func (c Config) Validate() error {
	switch {
	case c.Count < 1 || c.Count > 1_000_000:
		return fmt.Errorf("scenes: count %d: must be 1 to 1000000", c.Count)
	case c.W < 64 || c.H < 64 || c.W > 4096 || c.H > 4096:
		return fmt.Errorf("scenes: size %dx%d: each side must be 64 to 4096 pixels", c.W, c.H)
	case !(c.Density >= 0 && c.Density <= 1):
		return fmt.Errorf("scenes: density %g: must be 0 to 1", c.Density)
	}
	if _, ok := rules()[c.Rules]; !ok {
		return fmt.Errorf("scenes: rules %q: known are %v", c.Rules, RuleNames())
	}
	return nil
}

// rule is how one dataset labels what there is to see.
type rule struct {
	names   map[kind]string // kinds without a name are not labeled
	mirrors bool            // the box of a vehicle includes its mirrors
}

// rules gives datasets that differ in their classes and in where a vehicle ends.
func rules() map[string]rule {
	return map[string]rule{
		"traffic": {mirrors: true, names: map[kind]string{
			car: "car", van: "van", truck: "truck", bus: "bus", person: "person", worker: "person", stopSign: "stop sign", speedSign: "speed sign",
		}},
		"fleet": {mirrors: false, names: map[kind]string{
			car: "light vehicle", van: "light vehicle", truck: "heavy vehicle", bus: "heavy vehicle",
		}},
		"site": {mirrors: true, names: map[kind]string{
			person: "pedestrian", worker: "construction worker", truck: "truck", van: "van",
		}},
	}
}

// RuleNames lists the datasets whose rules there are.
func RuleNames() []string { return []string{"traffic", "fleet", "site"} }

// An object counts when at least minShown of its pixels, and minPixels of them, are seen.
const (
	minShown  = 0.25
	minPixels = 60
)

// Scene is one picture with its labels.
type Scene struct {
	JPEG    []byte
	Slices  map[string]string // weather, time, blur
	Objects []Labeled
}

// Labeled is one object of a scene.
type Labeled struct {
	Class string
	Box   geometry.Box // around the pixels that are seen
	Mask  geometry.RLE
}

// Draw makes scene n of a seed. Scenes are independent: any may be drawn alone.
func Draw(cfg Config, n int) (Scene, error) {
	if err := cfg.Validate(); err != nil {
		return Scene{}, err
	}
	rng := rand.New(rand.NewPCG(cfg.Seed, uint64(n)))
	c := newCanvas(cfg.W, cfg.H)
	things := street(c, rng, cfg.Density)
	k := drawConditions(rng)
	k.apply(c, rng)
	scene := Scene{
		Slices:  map[string]string{"weather": k.weather, "time": k.time, "blur": fmt.Sprint(k.blur)},
		Objects: labels(c, things, rules()[cfg.Rules]),
	}
	img := image.NewNRGBA(image.Rect(0, 0, c.w, c.h))
	for i := range c.w * c.h {
		copy(img.Pix[i*4:], c.pix[i*3:i*3+3])
		img.Pix[i*4+3] = 255
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 90}); err != nil {
		return Scene{}, fmt.Errorf("scenes: encode scene %d: %w", n, err)
	}
	scene.JPEG = out.Bytes()
	return scene, nil
}

func labels(c *canvas, things []thing, r rule) []Labeled {
	var out []Labeled
	for _, t := range things {
		name, ok := r.names[t.kind]
		if !ok {
			continue
		}
		whole := newCanvas(c.w, c.h)
		t.draw(whole)
		owns := func(id uint16) bool { return id == t.id || r.mirrors && id == t.id+1 }
		seen := make([]bool, len(c.id))
		shown, all := 0, 0
		b := geometry.Box{X1: float32(c.w), Y1: float32(c.h)}
		for i, id := range c.id {
			if owns(whole.id[i]) {
				all++
			}
			if !owns(id) {
				continue
			}
			seen[i] = true
			shown++
			x, y := float32(i%c.w), float32(i/c.w)
			b = geometry.Box{X1: min(b.X1, x), Y1: min(b.Y1, y), X2: max(b.X2, x+1), Y2: max(b.Y2, y+1)}
		}
		if shown < minPixels || float64(shown) < minShown*float64(all) {
			continue
		}
		out = append(out, Labeled{Class: name, Box: b, Mask: geometry.EncodeRLE(seen, c.w, c.h)})
	}
	return out
}

// Write draws all scenes into dir/images and their labels, as a COCO file with exact masks, into dir/annotations.json.
// progress is called after every scene and may be nil. When ctx ends, Write ends with those that are drawn and returns why.
func Write(ctx context.Context, cfg Config, dir string, progress func(done int)) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	images := filepath.Join(dir, "images")
	if err := os.MkdirAll(images, 0o755); err != nil {
		return fmt.Errorf("scenes: %w", err)
	}
	doc := newDocument(cfg)
	for n := range cfg.Count {
		if ctx.Err() != nil {
			break // those that are drawn have their annotations all the same
		}
		scene, err := Draw(cfg, n)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("scene_%06d.jpg", n)
		if err := os.WriteFile(filepath.Join(images, name), scene.JPEG, 0o644); err != nil {
			return fmt.Errorf("scenes: %w", err)
		}
		doc.add(cfg, name, scene)
		if progress != nil {
			progress(n + 1)
		}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("scenes: annotations: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "annotations.json"), append(out, '\n'), 0o644); err != nil {
		return fmt.Errorf("scenes: %w", err)
	}
	return ctx.Err()
}

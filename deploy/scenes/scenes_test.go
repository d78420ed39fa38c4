package scenes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"gleaner/connectors/formats"
)

func small(rules string) Config {
	c := DefaultConfig()
	c.W, c.H, c.Count, c.Rules = 320, 240, 6, rules
	return c
}

func TestSameSeedSameBytes(t *testing.T) {
	digest := func(seed uint64) string {
		h := sha256.New()
		cfg := small("traffic")
		cfg.Seed = seed
		for n := range cfg.Count {
			s, err := Draw(cfg, n)
			if err != nil {
				t.Fatal(err)
			}
			h.Write(s.JPEG)
			fmt.Fprint(h, s.Objects, s.Slices)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	if first, second := digest(1), digest(1); first != second {
		t.Error("two drawings of one seed differ")
	}
	if digest(1) == digest(2) {
		t.Error("two seeds give the same scenes")
	}
}

func TestBoxesAreThoseOfTheMasks(t *testing.T) {
	for _, rules := range RuleNames() {
		objects := 0
		for n := range 20 {
			s, err := Draw(small(rules), n)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jpeg.Decode(bytes.NewReader(s.JPEG)); err != nil {
				t.Fatal(err)
			}
			owner := make([]bool, 320*240)
			for _, o := range s.Objects {
				objects++
				if o.Mask.Box() != o.Box {
					t.Fatalf("%s scene %d: %s has the box %v and a mask in %v", rules, n, o.Class, o.Box, o.Mask.Box())
				}
				if o.Mask.Area() < minPixels {
					t.Fatalf("%s scene %d: %s shows %d pixels", rules, n, o.Class, o.Mask.Area())
				}
				for i, in := range o.Mask.Mask() {
					if in && owner[i] {
						t.Fatalf("%s scene %d: pixel %d belongs to two objects", rules, n, i)
					}
					owner[i] = owner[i] || in
				}
			}
		}
		if objects < 20 {
			t.Errorf("%s: %d objects in 20 scenes", rules, objects)
		}
	}
}

// The same vehicles, seen by two datasets: one includes mirrors, so its boxes are wider, never narrower.
func TestRulesDifferInMirrors(t *testing.T) {
	wider := 0
	for n := range 20 {
		with, err := Draw(small("traffic"), n)
		if err != nil {
			t.Fatal(err)
		}
		without, err := Draw(small("fleet"), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range without.Objects {
			for _, o := range with.Objects {
				if o.Box.IoU(f.Box) > 0.7 && o.Box.Intersect(f.Box) == f.Box && o.Box.W() > f.Box.W() {
					wider++
				}
			}
		}
	}
	if wider < 5 {
		t.Errorf("%d boxes are wider with their mirrors", wider)
	}
}

// TestInterrupted has annotations of the scenes that were drawn, and of no others.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	if err := Write(ctx, small("site"), dir, func(int) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want why it ended", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "annotations.json"))
	if err != nil || bytes.Count(data, []byte(`"file_name"`)) != 1 {
		t.Errorf("%v: %.300s, want one image", err, data)
	}
}

func TestWriteGivesLabelsThatOthersRead(t *testing.T) {
	dir := t.TempDir()
	cfg := small("site")
	if err := Write(t.Context(), cfg, dir, nil); err != nil {
		t.Fatal(err)
	}
	b, err := formats.Open(filepath.Join(dir, "images"))
	if err != nil {
		t.Fatal(err)
	}
	images, err := formats.Images(filepath.Join(dir, "images"))
	if err != nil || len(images) != cfg.Count {
		t.Fatalf("%d images, %v", len(images), err)
	}
	for n, name := range images {
		s, err := Draw(cfg, n)
		if err != nil {
			t.Fatal(err)
		}
		objects, ok, err := b.Objects(name, cfg.W, cfg.H)
		if err != nil || !ok || len(objects) != len(s.Objects) {
			t.Fatalf("%s: read %d objects (%v, %v), drew %d", name, len(objects), ok, err, len(s.Objects))
		}
		for i, o := range objects {
			if o.Box != s.Objects[i].Box || o.Class != s.Objects[i].Class {
				t.Errorf("%s: object %d is read as %s %v, drawn as %s %v", name, i, o.Class, o.Box, s.Objects[i].Class, s.Objects[i].Box)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "annotations.json")); err != nil {
		t.Error(err)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"count":   func(c *Config) { c.Count = 0 },
		"size":    func(c *Config) { c.W = 5 },
		"density": func(c *Config) { c.Density = 2 },
		"rules":   func(c *Config) { c.Rules = "nobody" },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
	}
}

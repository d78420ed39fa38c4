package classify

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// ramp is an image whose levels tell places apart.
func ramp(side int) []uint8 {
	img := make([]uint8, 3*side*side)
	for i := range img {
		img[i] = uint8(i)
	}
	return img
}

var levels = Normalization{Std: [3]float32{1, 1, 1}}.lookup()

// TestRender compares views with what NumPy's pad (mode reflect or constant), slicing and [..., ::-1] would make, written out.
func TestRender(t *testing.T) {
	const side = 6
	img := ramp(side)
	for _, a := range []Augment{{Crop: 2, Pad: "reflect", Flip: "random"}, {Crop: 3, Pad: "zero", Flip: "random", Cutout: 3}} {
		for index := range 40 {
			v := a.view(7, 1, index, side)
			got := make([]float32, len(img))
			a.render(got, img, side, v, levels)
			for c := range 3 {
				for y := range side {
					for x := range side {
						sx, sy := x, y
						if v.flip {
							sx = side - 1 - x
						}
						sx, sy = sx+v.dx, sy+v.dy
						want := float32(0)
						in := sx >= 0 && sx < side && sy >= 0 && sy < side
						if a.Pad == "reflect" {
							mirror := func(k int) int { return (side - 1) - int(math.Abs(float64((side-1)-int(math.Abs(float64(k)))))) }
							sx, sy, in = mirror(sx), mirror(sy), true
						}
						if in {
							want = float32(img[(c*side+sy)*side+sx])
						}
						if v.cut && x >= v.cx-1 && x < v.cx+2 && y >= v.cy-1 && y < v.cy+2 {
							want = 0
						}
						if at := (c*side+y)*side + x; got[at] != want {
							t.Fatalf("%+v, view %+v: %g at %d,%d,%d, want %g", a, v, got[at], c, y, x, want)
						}
					}
				}
			}
		}
	}
}

// TestViews wants flips that alternate, moves of every size about equally often, and the same views for the same seed.
func TestViews(t *testing.T) {
	a := Augment{Crop: 2, Pad: "reflect", Flip: "alternating"}
	flips, moves := 0, map[int]int{}
	const n = 5000
	for i := range n {
		first, second, third := a.view(3, 0, i, 32), a.view(3, 1, i, 32), a.view(3, 2, i, 32)
		if first.flip == second.flip || first.flip != third.flip {
			t.Fatalf("image %d: flips %t, %t, %t", i, first.flip, second.flip, third.flip)
		}
		if first.flip {
			flips++
		}
		moves[first.dx]++
		if a.view(3, 0, i, 32) != first {
			t.Fatal("the same view differs")
		}
	}
	if flips < n/2-150 || flips > n/2+150 || len(moves) != 5 {
		t.Errorf("%d of %d flipped, moves %v", flips, n, moves)
	}
	for d, k := range moves {
		if k < n/5-120 || k > n/5+120 {
			t.Errorf("moved by %d: %d of %d", d, k, n)
		}
	}
	if slices.Equal(order(1, 0, 50), order(1, 1, 50)) || slices.Equal(order(1, 0, 50), order(2, 0, 50)) {
		t.Error("two epochs or two seeds have one order")
	}
}

// TestWhitening wants patches whose outputs are uncorrelated and of variance one.
func TestWhitening(t *testing.T) {
	im := stripes(60, 12, 3)
	in := im.Measure()
	const kernel, keep = 3, 8
	filters := whitening(im, in, kernel, keep)
	d := 3 * kernel * kernel
	var cov [keep][keep]float64
	count := 0.0
	for n := range im.Len() {
		for y := range 12 - kernel + 1 {
			for x := range 12 - kernel + 1 {
				var out [keep]float64
				for k := range keep {
					for i := range d {
						c, dy, dx := i/9, i/3%3, i%3
						level := float64(im.image(n)[(c*12+y+dy)*12+x+dx])
						out[k] += float64(filters[k*d+i]) * (level - float64(in.Mean[c])) / float64(in.Std[c])
					}
				}
				for i, a := range out {
					for j, b := range out {
						cov[i][j] += a * b
					}
				}
				count++
			}
		}
	}
	for i := range cov {
		for j := range cov {
			want := 0.0
			if i == j {
				want = 1
			}
			if got := cov[i][j] / count; math.Abs(got-want) > 0.02 {
				t.Errorf("covariance %d,%d: %g", i, j, got)
			}
		}
	}
	for i := range keep * d {
		if filters[i] != -filters[keep*d+i] {
			t.Fatal("the second half is not the negative of the first")
		}
	}
}

// TestValidate wants each bad field told by its name.
func TestValidate(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"network": func(c *Config) { c.Network = "vgg" }, "epochs": func(c *Config) { c.Epochs = 0 }, "batch": func(c *Config) { c.Batch = 0 },
		"optimizer": func(c *Config) { c.Optimizer = "lion" }, "rate": func(c *Config) { c.Rate = math.NaN() }, "warmup": func(c *Config) { c.Warmup = 1 },
		"smoothing": func(c *Config) { c.Smoothing = -1 }, "weight_decay": func(c *Config) { c.Decay = -1 }, "threads": func(c *Config) { c.Threads = 0 },
		"patience": func(c *Config) { c.Patience = -1 }, "run": func(c *Config) { c.Run.RunID = "" }, "pad": func(c *Config) { c.Augment.Pad = "wrap" },
		"flip": func(c *Config) { c.Augment.Flip = "" }, "width": func(c *Config) { c.Width = -1 }, "lookahead": func(c *Config) { c.Lookahead.Steps = -1 },
		"normalization": func(c *Config) { c.Normalize = &Normalization{} }, "final_rate": func(c *Config) { c.Final = 2 },
	} {
		cfg := DefaultConfig()
		spoil(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, name := range append(Networks(), "vgg") {
		cfg, err := Recipe(name)
		if known := name != "vgg"; (err == nil) != known || known && cfg.Validate() != nil {
			t.Errorf("recipe of %s: %v, %v", name, err, cfg.Validate())
		}
	}
	bad := stripes(6, 8, 1)
	bad.Labels[3] = 9
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "image 3") {
		t.Errorf("a label without a class: %v", err)
	}
	for _, names := range [][]string{{"a", "a", "b"}, {"a", "", "b"}, {"a", "b\n", "c"}} {
		im := stripes(6, 4, 1)
		im.Classes = names
		if err := im.Validate(); err == nil || !strings.Contains(err.Error(), "classes: ") {
			t.Errorf("classes %q: %v", names, err)
		}
	}
}

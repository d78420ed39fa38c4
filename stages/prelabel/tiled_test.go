package prelabel

import (
	"context"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// redSquare sees the red pixels of what it is shown as one thing, unless they are less than a twentieth of its width.
type redSquare struct{ Detector }

func (redSquare) DetectDense(ctx context.Context, img *pixels.Image, _ float32, d Dense) ([]schemas.Object, schemas.Candidates, error) {
	b := geometry.Box{X1: float32(img.W), Y1: float32(img.H)}
	for y := range img.H {
		for x := range img.W {
			if img.Pix[3*(y*img.W+x)] > 0 {
				b = geometry.Box{X1: min(b.X1, float32(x)), Y1: min(b.Y1, float32(y)), X2: max(b.X2, float32(x+1)), Y2: max(b.Y2, float32(y+1))}
			}
		}
	}
	if m, ok := ctx.Value(watchedKey{}).(*featureMap); ok {
		m.cols = img.W
	}
	if b.Empty() || b.W() < float32(img.W)/20 {
		return nil, schemas.Candidates{Model: "red@1"}, ctx.Err()
	}
	dense := schemas.Candidates{Model: "red@1", Floor: d.Floor, Cells: []schemas.Candidate{{Box: b, Score: 0.5, Sides: &schemas.Sides{X: b.X1, Y: b.Y1}}}}
	return []schemas.Object{{Class: "red", Box: b, Score: 0.5}}, dense, ctx.Err()
}

// TestLook: a thing too small for a look at the whole is seen in a tile, at its place in the image; what a tile cuts does not count; features are
// those of the whole.
func TestLook(t *testing.T) {
	img := &pixels.Image{W: 350, H: 210, Pix: make([]uint8, 3*350*210)}
	paint := func(b geometry.Box) {
		clear(img.Pix)
		for y := int(b.Y1); y < int(b.Y2); y++ {
			for x := int(b.X1); x < int(b.X2); x++ {
				img.Pix[3*(y*img.W+x)] = 255
			}
		}
	}
	box := func(x1, y1, x2, y2 float32) geometry.Box { return geometry.Box{X1: x1, Y1: y1, X2: x2, Y2: y2} }
	for _, c := range []struct {
		name         string
		thing        geometry.Box
		whole, tiles int // that see it
	}{
		{"small, in one tile", box(300, 180, 312, 192), 0, 1},
		{"small, in all tiles' overlap", box(170, 100, 182, 112), 0, 4},
		{"at the image's corner", box(0, 0, 14, 14), 0, 1},
		{"large, cut by every tile", box(50, 50, 300, 180), 1, 0},
		{"middling, in one tile", box(20, 20, 60, 60), 1, 1},
		{"too small for all", box(300, 180, 306, 186), 0, 0},
	} {
		paint(c.thing)
		watching, features := watch(t.Context())
		objects, looks, err := Look(watching, redSquare{}, img, 0.1, Dense{Floor: 0.01, Max: 10}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(looks) != 2 || looks[0].Model != "red@1" || looks[1].Model != "red@1" || len(looks[0].Cells) != c.whole || len(looks[1].Cells) != c.tiles || len(objects) != c.whole+c.tiles {
			t.Fatalf("%s: %d objects, %+v", c.name, len(objects), looks)
		}
		for i, cell := range slices.Concat(looks[0].Cells, looks[1].Cells) {
			if s := cell.Sides; objects[i].Box != c.thing || cell.Box != c.thing || s.X != c.thing.X1 || s.Y != c.thing.Y1 {
				t.Errorf("%s: %v, %+v", c.name, objects[i].Box, cell)
			}
		}
		if features.cols != img.W {
			t.Errorf("%s: features are of a look at %d pixels", c.name, features.cols)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := Look(stopped, redSquare{}, img, 0.1, Dense{}, 2); err == nil {
		t.Error("no error of a look")
	}
	if _, looks, err := Look(t.Context(), redSquare{}, img, 0.1, Dense{}, 1); err != nil || len(looks) != 1 {
		t.Errorf("one tile: %d looks, %v", len(looks), err)
	}
}

// crowd sees as many equal things as are asked for, better ones the wider the image.
type crowd struct{ Detector }

func (crowd) DetectDense(_ context.Context, img *pixels.Image, _ float32, d Dense) ([]schemas.Object, schemas.Candidates, error) {
	c := schemas.Candidates{Model: "crowd@1", Floor: d.Floor}
	for range d.Max {
		c.Cells = append(c.Cells, schemas.Candidate{Box: geometry.Box{X1: 40, Y1: 40, X2: 50, Y2: 50}, Score: float32(img.W) / 1000})
	}
	return nil, c, nil
}

// TestLookKeepsTheBest: the candidates of however many tiles fit into a record, and the floor tells which are left out.
func TestLookKeepsTheBest(t *testing.T) {
	img := &pixels.Image{W: 800, H: 800, Pix: make([]uint8, 3*800*800)}
	_, looks, err := Look(t.Context(), crowd{}, img, 0.1, Dense{Floor: 0.01, Max: 300}, MaxTiles)
	if err != nil {
		t.Fatal(err)
	}
	if c := looks[1]; len(looks[0].Cells) != 300 || len(c.Cells) != maxTiled || c.Floor != c.Cells[maxTiled-1].Score {
		t.Errorf("%d and %d cells, floor %g", len(looks[0].Cells), len(c.Cells), c.Floor)
	}
}

// TestTiles: tiles cover an image of any size, within it.
func TestTiles(t *testing.T) {
	for _, size := range [][2]int{{640, 480}, {1, 1}, {7, 1000}, {3, 2}} {
		for n := 2; n <= MaxTiles; n++ {
			all := tiles(size[0], size[1], n)
			var end geometry.Box
			for _, b := range all {
				end.X2, end.Y2 = max(end.X2, b.X2), max(end.Y2, b.Y2)
				if b.X1 < 0 || b.Y1 < 0 || b.W() < 1 || b.H() < 1 {
					t.Errorf("%v in %d: tile %v", size, n, b)
				}
			}
			if diff := gocmp.Diff(geometry.Box{X2: float32(size[0]), Y2: float32(size[1])}, end); diff != "" || len(all) != n*n {
				t.Errorf("%v in %d: %d tiles up to %v", size, n, len(all), end)
			}
			for k := 1; k < n; k++ {
				if all[k].X1 > all[k-1].X2 {
					t.Errorf("%v in %d: a gap before tile %d", size, n, k)
				}
			}
		}
	}
}

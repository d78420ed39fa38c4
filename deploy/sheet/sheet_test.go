package sheet

import (
	"bytes"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// TestWrite makes a file of what is drawn, or says that it cannot.
func TestWrite(t *testing.T) {
	cells := []Cell{{Image: &pixels.Image{W: 2, H: 2, Pix: make([]uint8, 12)}, Caption: "black"}, {Caption: "nothing"}}
	path := filepath.Join(t.TempDir(), "sheet.png")
	if err := Write(path, cells, 2); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	want := Draw(cells, 2)
	for y := range want.Rect.Dy() {
		for x := range want.Rect.Dx() {
			r, g, b, _ := got.At(x, y).RGBA()
			if c := want.RGBAAt(x, y); uint32(c.R) != r>>8 || uint32(c.G) != g>>8 || uint32(c.B) != b>>8 {
				t.Fatalf("at %d, %d the file has %v, want %v", x, y, got.At(x, y), c)
			}
		}
	}
	if err := Write(filepath.Join(path, "below"), cells, 2); err == nil {
		t.Error("a file below a file is written")
	}
}

func TestDrawShowsBoxesAndDoubts(t *testing.T) {
	img := &pixels.Image{W: 600, H: 450, Pix: make([]uint8, 600*450*3)}
	for i := range img.Pix {
		img.Pix[i] = uint8(i / 7 % 50) // darker than what is drawn over it
	}
	box := geometry.Box{X1: 100, Y1: 100, X2: 300, Y2: 300}
	cell := Cell{Image: img, Caption: strings.Repeat("long/", 30) + "name.jpg"}
	count := func(c Cell, want color.RGBA) (n int) {
		out := Draw([]Cell{c, c, c}, 2)
		if b := out.Bounds(); b.Dx() != gap+2*(cellW+gap) || b.Dy() != gap+2*(cellH+caption+gap) {
			t.Fatalf("three cells in two columns make a sheet of %v", b)
		}
		for i := 0; i < len(out.Pix); i += 4 {
			if (color.RGBA{out.Pix[i], out.Pix[i+1], out.Pix[i+2], 255}) == want {
				n++
			}
		}
		return n
	}
	if count(cell, labelColor) != 0 || count(cell, doubtColor) != 0 {
		t.Error("boxes are drawn where there are none")
	}
	small := Cell{Image: Thumbnail(img), Caption: cell.Caption}
	if a, b := Draw([]Cell{cell, {}}, 2), Draw([]Cell{small, {}}, 2); !bytes.Equal(a.Pix, b.Pix) {
		t.Error("a thumbnail is drawn in another way than its image")
	}
	cell.Objects = []schemas.Object{{ID: "o1", Class: "cat", Box: box}}
	cell.Findings = []schemas.Finding{{Type: schemas.FindingLoose, Score: MinDoubt - 0.1, Box: box}}
	if n := count(cell, labelColor); n < 3*4*90 {
		t.Errorf("%d green pixels, want three frames of 100 by 100", n)
	}
	if count(cell, doubtColor) != 0 {
		t.Error("a faint doubt is drawn")
	}
	cell.Findings[0].Score = 1
	if n := count(cell, doubtColor); n < 3*4*90 {
		t.Errorf("%d red pixels, want three frames", n)
	}
	for _, b := range []geometry.Box{{}, {X1: -50, Y1: -50, X2: 900, Y2: 900}, {X1: 700, Y1: 500, X2: 800, Y2: 600}} {
		cell.Objects[0].Box = b
		Draw([]Cell{cell}, 9) // boxes out of the picture must not write out of the sheet
	}
}

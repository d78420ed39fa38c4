// Package sheet draws contact sheets: small pictures of samples with their boxes and findings, for a look at many at once.
package sheet

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"gleaner/deploy/batch"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

const (
	cellW, cellH = 300, 225 // pixels of one picture
	caption      = 20       // pixels of the text line under it
	gap          = 6
	lineHeight   = 13
)

var (
	background = color.RGBA{24, 26, 30, 255}
	text       = color.RGBA{225, 228, 232, 255}
	labelColor = color.RGBA{80, 220, 120, 255}
	doubtColor = color.RGBA{255, 90, 90, 255}
)

// Cell is one sample to draw: its objects in green, its findings of at least MinDoubt in red.
type Cell struct {
	Image    *pixels.Image // nil: the cell stays empty
	Caption  string
	Objects  []schemas.Object
	Findings []schemas.Finding
}

// MinDoubt is the score from which a finding is drawn.
const MinDoubt = 0.5

// Write draws the cells into a PNG file, which appears when it is whole.
func Write(path string, cells []Cell, columns int) error {
	return batch.Write(path, func(w io.Writer) error { return png.Encode(w, Draw(cells, columns)) })
}

// Draw lays the cells out in rows of columns pictures. A sheet of n cells takes about 0.3 MB a cell.
func Draw(cells []Cell, columns int) *image.RGBA {
	columns = max(1, min(columns, len(cells)))
	rows := (len(cells) + columns - 1) / columns
	out := image.NewRGBA(image.Rect(0, 0, gap+columns*(cellW+gap), gap+rows*(cellH+caption+gap)))
	draw.Draw(out, out.Bounds(), image.NewUniform(background), image.Point{}, draw.Src)
	for i, c := range cells {
		c.draw(out, image.Pt(gap+i%columns*(cellW+gap), gap+i/columns*(cellH+caption+gap)))
	}
	return out
}

// Thumbnail returns an image as small as a cell shows it, which is what to keep of many until they are drawn, without boxes.
func Thumbnail(img *pixels.Image) *pixels.Image {
	w, h, _ := fit(img)
	return pixels.Area(img, w, h)
}

// fit returns the size in which a cell shows an image, and the scale to that.
func fit(img *pixels.Image) (w, h int, scale float64) {
	scale = min(cellW/float64(img.W), cellH/float64(img.H))
	return max(1, int(float64(img.W)*scale)), max(1, int(float64(img.H)*scale)), scale
}

func (c Cell) draw(out *image.RGBA, at image.Point) {
	if c.Image == nil {
		return
	}
	w, h, scale := fit(c.Image)
	small := pixels.Area(c.Image, w, h)
	origin := at.Add(image.Pt((cellW-w)/2, (cellH-h)/2))
	for y := range h {
		for x := range w {
			p := small.Pix[(y*w+x)*3:]
			out.SetRGBA(origin.X+x, origin.Y+y, color.RGBA{p[0], p[1], p[2], 255})
		}
	}
	place := func(b geometry.Box) image.Rectangle {
		b = b.Clip(c.Image.W, c.Image.H)
		return image.Rect(
			int(math.Floor(float64(b.X1)*scale)), int(math.Floor(float64(b.Y1)*scale)),
			int(math.Ceil(float64(b.X2)*scale)), int(math.Ceil(float64(b.Y2)*scale)),
		).Add(origin).Intersect(image.Rectangle{Min: origin, Max: origin.Add(image.Pt(w, h))})
	}
	for _, o := range c.Objects {
		frame(out, place(o.Box), labelColor, 1)
	}
	for _, o := range c.Objects {
		name := o.Class
		if o.Score > 0 {
			name = fmt.Sprintf("%s %.2f", o.Class, o.Score)
		}
		tag(out, place(o.Box).Min, name, labelColor, at)
	}
	doubts := 0
	for _, f := range c.Findings {
		if f.Score < MinDoubt {
			continue
		}
		doubts++
		r := place(f.Box)
		frame(out, r, doubtColor, 2)
		tag(out, image.Pt(r.Min.X, r.Max.Y), fmt.Sprintf("%s %.2f", f.Type, f.Score), doubtColor, at)
	}
	line := c.Caption
	if len(c.Objects)+len(c.Findings) > 0 {
		line += fmt.Sprintf(": %d boxes, %d doubts", len(c.Objects), doubts)
	}
	if long := cellW / basicfont.Face7x13.Advance; len(line) > long {
		line = ".." + line[len(line)-long+2:]
	}
	write(out, at.Add(image.Pt(0, cellH+lineHeight)), line, text)
}

// frame draws the border of r, lines of the given width inside it.
func frame(out *image.RGBA, r image.Rectangle, c color.RGBA, width int) {
	for i := range width {
		in := r.Inset(i)
		if in.Empty() {
			return
		}
		for x := in.Min.X; x < in.Max.X; x++ {
			out.SetRGBA(x, in.Min.Y, c)
			out.SetRGBA(x, in.Max.Y-1, c)
		}
		for y := in.Min.Y; y < in.Max.Y; y++ {
			out.SetRGBA(in.Min.X, y, c)
			out.SetRGBA(in.Max.X-1, y, c)
		}
	}
}

// tag writes s on a dark ground above p, moved to stay within the cell at the given corner.
func tag(out *image.RGBA, p image.Point, s string, c color.RGBA, cell image.Point) {
	width := len(s)*basicfont.Face7x13.Advance + 2
	p.X = max(cell.X, min(p.X, cell.X+cellW-width))
	p.Y = max(cell.Y+lineHeight, min(p.Y, cell.Y+cellH))
	box := image.Rect(p.X, p.Y-lineHeight, p.X+width, p.Y)
	draw.Draw(out, box, image.NewUniform(color.RGBA{0, 0, 0, 170}), image.Point{}, draw.Over)
	write(out, image.Pt(p.X+1, p.Y-2), s, c)
}

func write(out *image.RGBA, baseline image.Point, s string, c color.RGBA) {
	d := font.Drawer{Dst: out, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(baseline.X, baseline.Y)}
	d.DrawString(s)
}

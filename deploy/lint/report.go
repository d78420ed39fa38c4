package lint

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"io"
	"path/filepath"
	"slices"

	"gleaner/deploy/batch"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
)

// Report gathers the most doubtful findings of a run and writes them as one HTML file that needs nothing beside it.
type Report struct {
	folder         string
	limits         pixels.Limits
	max            int
	images, labels int
	total          map[schemas.FindingType]int
	worst          []Finding // by falling score, at most twice max
}

// NewReport shows at most so many findings, each as a picture of about 15 kB. Images lie in folder.
func NewReport(folder string, limits pixels.Limits, most int) *Report {
	return &Report{folder: folder, limits: limits, max: most, total: map[schemas.FindingType]int{}}
}

// Add takes in what became of an image.
func (r *Report) Add(result Result) {
	r.images++
	r.labels += result.Labels
	for _, f := range result.Findings {
		r.total[f.Type]++
	}
	if r.worst = append(r.worst, result.Findings...); len(r.worst) > 2*r.max {
		r.cut()
	}
}

func (r *Report) cut() {
	slices.SortStableFunc(r.worst, func(a, b Finding) int { return cmp.Compare(b.Score, a.Score) })
	r.worst = r.worst[:min(len(r.worst), r.max)]
}

//go:embed report.html
var page string

var reportPage = template.Must(template.New("report").Parse(page))

// card is a finding on the page; lengths are pixels of its picture.
type card struct {
	Finding
	Picture template.URL
	W, H    int
	Box     rect
	Fix     *rect
	Instead string // the class that the label should have
	Index   string
	Remove  bool // there should be no label
	Added   bool // there is no label: the box is what is missing
}

type rect struct{ X, Y, W, H float32 }

// Images is of how many images the page has pictures.
func (r *Report) Images() int {
	r.cut()
	of := map[string]bool{}
	for _, f := range r.worst {
		of[f.Image] = true
	}
	return len(of)
}

// Write writes the page, and tells after each image that its pictures are made.
func (r *Report) Write(ctx context.Context, w io.Writer, made func()) error {
	r.cut()
	type count struct {
		Type schemas.FindingType
		N    int
	}
	data := struct {
		Folder                string
		Images, Labels, Total int
		Types                 []count
		Cards                 []card
	}{Folder: r.folder, Images: r.images, Labels: r.labels}
	for t, n := range r.total {
		data.Types, data.Total = append(data.Types, count{t, n}), data.Total+n
	}
	slices.SortFunc(data.Types, func(a, b count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Type, b.Type)) })
	data.Cards = make([]card, len(r.worst))
	byImage := map[string][]int{}
	for i, f := range r.worst {
		byImage[f.Image] = append(byImage[f.Image], i)
	}
	for name, of := range byImage {
		if err := ctx.Err(); err != nil {
			return err
		}
		img, _, _, err := batch.Read(filepath.Join(r.folder, filepath.FromSlash(name)), r.limits)
		if err != nil {
			return err
		}
		for _, i := range of {
			if data.Cards[i], err = picture(img, r.worst[i]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		made()
	}
	return reportPage.Execute(w, data)
}

const pictureSide = 360 // pixels of a picture's longer side, at most

// picture cuts out what a finding is about, with as much again around it.
func picture(img *pixels.Image, f Finding) (card, error) {
	c := card{Finding: f, Added: f.Index == nil}
	if f.Index != nil {
		c.Index = fmt.Sprint(*f.Index)
	}
	all := boxOf(f.Box)
	if f.Fix != nil {
		c.Remove = f.Fix.Remove
		if f.Fix.Box != nil && !c.Added {
			b := boxOf(*f.Fix.Box)
			all = geometry.Box{X1: min(all.X1, b.X1), Y1: min(all.Y1, b.Y1), X2: max(all.X2, b.X2), Y2: max(all.Y2, b.Y2)}
		}
		if !c.Added {
			c.Instead = f.Fix.Class
		}
	}
	whole := geometry.Box{X2: float32(img.W), Y2: float32(img.H)}
	margin := max(0.5*max(all.W(), all.H()), 16)
	part := geometry.Box{X1: all.X1 - margin, Y1: all.Y1 - margin, X2: all.X2 + margin, Y2: all.Y2 + margin}.Clip(img.W, img.H)
	if part.W() < 1 || part.H() < 1 {
		part = whole
	}
	part = geometry.Box{X1: float32(int(part.X1)), Y1: float32(int(part.Y1)), X2: float32(int(part.X2)), Y2: float32(int(part.Y2))}
	crop := pixels.Crop(img, part)
	scale := min(pictureSide/float32(max(crop.W, crop.H)), 1)
	c.W, c.H = max(int(float32(crop.W)*scale), 1), max(int(float32(crop.H)*scale), 1)
	small := crop
	if scale < 1 {
		small = pixels.Area(crop, c.W, c.H)
	}
	place := func(b geometry.Box) rect {
		return rect{(b.X1 - part.X1) * scale, (b.Y1 - part.Y1) * scale, b.W() * scale, b.H() * scale}
	}
	c.Box = place(boxOf(f.Box))
	if f.Fix != nil && f.Fix.Box != nil {
		b := place(boxOf(*f.Fix.Box))
		c.Fix = &b
	}
	rgba := image.NewRGBA(image.Rect(0, 0, small.W, small.H))
	for i := range small.W * small.H {
		copy(rgba.Pix[4*i:], small.Pix[3*i:3*i+3])
		rgba.Pix[4*i+3] = 255
	}
	var data bytes.Buffer
	if err := jpeg.Encode(&data, rgba, &jpeg.Options{Quality: 80}); err != nil {
		return c, err
	}
	c.Picture = template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(data.Bytes())) //nolint:gosec // of our own making
	return c, nil
}

func boxOf(b [4]float32) geometry.Box { return geometry.Box{X1: b[0], Y1: b[1], X2: b[2], Y2: b[3]} }

package scenes

import (
	"fmt"
	"slices"
)

// document is a COCO file with masks and slices, which the exported kind of connectors/formats does not carry.
type document struct {
	Info        map[string]any   `json:"info"`
	Images      []cocoImage      `json:"images"`
	Annotations []cocoAnnotation `json:"annotations"`
	Categories  []cocoCategory   `json:"categories"`
	ids         map[string]int
}

type cocoImage struct {
	ID       int               `json:"id"`
	FileName string            `json:"file_name"`
	Width    int               `json:"width"`
	Height   int               `json:"height"`
	Slices   map[string]string `json:"slices"`
}

type cocoAnnotation struct {
	ID           int        `json:"id"`
	ImageID      int        `json:"image_id"`
	CategoryID   int        `json:"category_id"`
	Box          [4]float32 `json:"bbox"`
	Area         int        `json:"area"`
	Crowd        int        `json:"iscrowd"`
	Segmentation cocoRLE    `json:"segmentation"`
}

type cocoRLE struct {
	Size   [2]int `json:"size"` // height, width
	Counts string `json:"counts"`
}

type cocoCategory struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

func newDocument(cfg Config) *document {
	d := &document{
		Info:   map[string]any{"description": fmt.Sprintf("street scenes drawn with seed %d, labeled by the rules of %q", cfg.Seed, cfg.Rules)},
		Images: []cocoImage{}, Annotations: []cocoAnnotation{}, ids: map[string]int{},
	}
	var names []string
	for _, name := range rules()[cfg.Rules].names {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		d.ids[name] = len(d.Categories) + 1
		d.Categories = append(d.Categories, cocoCategory{d.ids[name], name})
	}
	return d
}

func (d *document) add(cfg Config, file string, s Scene) {
	id := len(d.Images) + 1
	d.Images = append(d.Images, cocoImage{id, file, cfg.W, cfg.H, s.Slices})
	for _, o := range s.Objects {
		d.Annotations = append(d.Annotations, cocoAnnotation{
			ID: len(d.Annotations) + 1, ImageID: id, CategoryID: d.ids[o.Class],
			Box: [4]float32{o.Box.X1, o.Box.Y1, o.Box.W(), o.Box.H()}, Area: o.Mask.Area(),
			Segmentation: cocoRLE{[2]int{cfg.H, cfg.W}, o.Mask.String()},
		})
	}
}

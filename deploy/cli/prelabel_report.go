package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"gleaner/deploy/label"
)

// prelabelReport prints what became of images and sums it up.
type prelabelReport struct {
	out             io.Writer
	asJSON, verbose bool
	models          []string // in the order of the command line

	decode, inference, rest []float64 // milliseconds of each image that was labeled
	failed                  []label.Result
	results                 int64          // written
	unknown                 map[string]int // left out, by class
}

// prelabelLine is one image in --json, in milliseconds.
type prelabelLine struct {
	Image     string  `json:"image"`
	W         int     `json:"w,omitempty"`
	H         int     `json:"h,omitempty"`
	Found     int     `json:"found"`
	Decode    float64 `json:"decode_ms"` // with reading
	Inference float64 `json:"inference_ms"`
	Rest      float64 `json:"rest_ms"`
	Error     string  `json:"error,omitempty"`
}

// prelabelSum is the last line in --json.
type prelabelSum struct {
	Images    int            `json:"images"`
	Failed    int            `json:"failed"`
	Left      int            `json:"left"` // not begun when the command was interrupted
	Results   int64          `json:"results"`
	LeftOut   map[string]int `json:"left_out,omitempty"` // by class, which is no category of the annotations
	Decode    spread         `json:"decode_ms"`
	Inference spread         `json:"inference_ms"`
	Rest      spread         `json:"rest_ms"`
}

func (p *prelabelReport) add(r label.Result) {
	decode, inference, rest := milliseconds(r.Decode), milliseconds(r.Inference), milliseconds(r.Rest)
	if p.asJSON {
		line := prelabelLine{Image: r.Image, W: r.W, H: r.H, Found: len(r.Found), Decode: decode, Inference: inference, Rest: rest}
		if r.Err != nil {
			line.Error = r.Err.Error()
		}
		p.line(line)
	}
	if r.Err != nil {
		p.failed = append(p.failed, r)
		return
	}
	p.decode, p.inference, p.rest = append(p.decode, decode), append(p.inference, inference), append(p.rest, rest)
	if p.verbose && !p.asJSON {
		fmt.Fprintf(p.out, "%s: %dx%d, %d found, decode %.1f ms, inference %.1f ms, rest %.1f ms\n", r.Image, r.W, r.H, len(r.Found), decode, inference, rest)
	}
}

func (p *prelabelReport) line(v any) {
	data, _ := json.Marshal(v) // of plain fields it cannot fail
	fmt.Fprintf(p.out, "%s\n", data)
}

// end prints the sum, names the files that failed, and says so in its error.
func (p *prelabelReport) end(jobs int, file string) error {
	n := len(p.rest)
	s := prelabelSum{
		Images: n, Failed: len(p.failed), Left: jobs - n - len(p.failed), Results: p.results, LeftOut: p.unknown,
		Decode: spreadOf(p.decode), Inference: spreadOf(p.inference), Rest: spreadOf(p.rest),
	}
	switch {
	case p.asJSON:
		p.line(s)
	default:
		fmt.Fprintf(p.out, "labeled %d images: %d results in %s\n", s.Images, s.Results, file)
		if len(p.models) > 1 {
			fmt.Fprintf(p.out, "each class has the first model that knows it, in this order: %s\n", strings.Join(p.models, ", "))
		}
		if n > 0 {
			fmt.Fprintf(p.out, "ms an image, median and p95: decode %.1f and %.1f; inference %.1f and %.1f; the rest %.1f and %.1f\n",
				s.Decode.Median, s.Decode.P95, s.Inference.Median, s.Inference.P95, s.Rest.Median, s.Rest.P95)
		}
		var out []string
		for _, class := range slices.Sorted(maps.Keys(p.unknown)) {
			out = append(out, fmt.Sprintf("%s (%d)", class, p.unknown[class]))
		}
		if len(out) > 0 {
			fmt.Fprintf(p.out, "left out, since their classes are no categories of the annotations: %s\n", strings.Join(out, ", "))
		}
	}
	if len(p.failed) == 0 {
		return nil
	}
	for _, r := range p.failed {
		fmt.Fprintln(os.Stderr, r.Err)
	}
	return fmt.Errorf("%d of %d files cannot be labeled", len(p.failed), jobs)
}

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gleaner/deploy/segment"
	"gleaner/stages/superpixel"
)

func (a *app) superpixelCommand() *cobra.Command {
	o := segment.Options{Params: superpixel.Params{Threads: 1}}
	var quality string
	var verbose bool
	c := &cobra.Command{
		Use:   "superpixel IMAGE|DIR…",
		Short: "Divide image files into superpixels and write label maps",
		Long: `Divide image files, or every image below a folder, into small regions along their edges, and write OUT/<stem>.png for each:
a 16-bit gray PNG whose values are the ids of regions, 0, 1, 2, … A stem is an image's path within its folder, or its name for a
single file, without the extension. It needs no running system.

With --levels N there are also OUT/<stem>.L1.png to OUT/<stem>.LN.png: L1 is the finest level, which <stem>.png holds too, and
each next level has about a quarter of the regions, every one of them made of whole regions of the level before.
--overlay writes OUT/<stem>.overlay.jpg, the image with the borders of its regions (of several levels, <stem>.L<n>.overlay.jpg).

Of gray and 16-bit images and of orientation it makes what the rest of the system does; the configuration's pixels.limits say
which images are too large. At most --jobs images are decoded at a time. Files that cannot be divided are named at the end
and make the command fail; the others are divided all the same. Times are by the clock, of one image among those that are
divided at the same time: --jobs 1 leaves each the whole machine.`,
		Example: `  gleaner superpixel photos/ --out maps
  gleaner superpixel photos/ --segments 3200 --levels 3 --quality fine --overlay --out maps
  gleaner superpixel a.jpg b.png --segments 1000 --out maps --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.Params.Quality = superpixel.Quality(quality)
			if err := checkSuperpixel(o); err != nil {
				return usageError{fmt.Errorf("superpixel: %w", err)}
			}
			cfg, _, err := a.load()
			if err != nil {
				return err
			}
			o.Limits = cfg.Pixels.Limits
			jobs, err := segment.Plan(args, o)
			if err != nil {
				return fmt.Errorf("superpixel: %w", err)
			}
			if len(jobs) == 0 {
				return fmt.Errorf("superpixel: no images in %s", strings.Join(args, ", "))
			}
			report := superpixelReport{out: c.OutOrStdout(), asJSON: a.asJSON, verbose: verbose}
			b := bar(int64(len(jobs)), "superpixel")
			err = segment.Run(c.Context(), jobs, o, func(r segment.Result) {
				b.Add(1)
				report.add(r)
			})
			b.End()
			if end := report.end(len(jobs)); err == nil {
				err = end
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Out, "out", "o", "", "folder to write (required)")
	f.IntVarP(&o.Params.Regions, "segments", "k", 400, "regions wanted in an image, of the finest level; fast comes within a fifth, fine to exactly so many where it can")
	f.StringVar(&quality, "quality", string(superpixel.Fast), "fast, or fine: borders follow edges more closely")
	f.IntVar(&o.Params.Levels, "levels", 1, "nested levels, each with about a quarter of the regions of the one before")
	f.Float64Var(&o.Params.Compactness, "compactness", 0, "higher is rounder and less true to edges (default: the quality's own)")
	f.BoolVar(&o.Overlay, "overlay", false, "also write pictures with the regions' borders")
	f.IntVarP(&o.Jobs, "jobs", "j", runtime.GOMAXPROCS(0), "images at a time")
	f.BoolVarP(&verbose, "verbose", "v", false, "print a line for each image")
	f.BoolVar(&a.asJSON, "json", false, "print a line of JSON for each image and one for all")
	offer(c, "quality", string(superpixel.Fast), string(superpixel.Fine))
	return c
}

func checkSuperpixel(o segment.Options) error {
	switch {
	case o.Out == "":
		return fmt.Errorf("--out is required")
	case o.Params.Regions < 1 || o.Params.Regions > superpixel.MaxRegions:
		return fmt.Errorf("--segments %d: want 1 to %d", o.Params.Regions, superpixel.MaxRegions)
	case o.Params.Quality != superpixel.Fast && o.Params.Quality != superpixel.Fine:
		return fmt.Errorf("--quality %q: want fast or fine", o.Params.Quality)
	case o.Params.Levels < 1 || o.Params.Levels > superpixel.MaxLevels:
		return fmt.Errorf("--levels %d: want 1 to %d", o.Params.Levels, superpixel.MaxLevels)
	case !(o.Params.Compactness >= 0 && o.Params.Compactness <= 1000):
		return fmt.Errorf("--compactness %g: want 0 (the quality's own) to 1000", o.Params.Compactness)
	case o.Jobs < 1:
		return fmt.Errorf("--jobs %d: want at least 1", o.Jobs)
	}
	return nil
}

// superpixelReport prints what became of images and sums it up.
type superpixelReport struct {
	out             io.Writer
	asJSON, verbose bool

	segment, whole []float64 // milliseconds of each image that was divided
	regions        int       // of the finest level, of all of them
	failed         []segment.Result
}

// milliseconds as they are printed.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func (p *superpixelReport) add(r segment.Result) {
	read, divide, write := milliseconds(r.Read), milliseconds(r.Segment), milliseconds(r.Write)
	if p.asJSON {
		line := superpixelLine{Image: r.Image, W: r.W, H: r.H, Regions: r.Regions, Read: read, Segment: divide, Write: write}
		if r.Err != nil {
			line.Error = r.Err.Error()
		}
		p.line(line)
	}
	if r.Err != nil {
		p.failed = append(p.failed, r)
		return
	}
	p.segment = append(p.segment, divide)
	p.whole = append(p.whole, read+divide+write)
	p.regions += r.Regions[0]
	if p.verbose && !p.asJSON {
		fmt.Fprintf(p.out, "%s: %dx%d, regions %s, read %.1f ms, segment %.1f ms, write %.1f ms\n",
			r.Image, r.W, r.H, strings.Trim(fmt.Sprint(r.Regions), "[]"), read, divide, write)
	}
}

// superpixelLine is one image in --json, in milliseconds.
type superpixelLine struct {
	Image   string  `json:"image"`
	W       int     `json:"w,omitempty"`
	H       int     `json:"h,omitempty"`
	Regions []int   `json:"regions,omitempty"` // by level, finest first
	Read    float64 `json:"read_ms"`
	Segment float64 `json:"segment_ms"`
	Write   float64 `json:"write_ms"`
	Error   string  `json:"error,omitempty"`
}

// superpixelSum is the last line in --json.
type superpixelSum struct {
	Images  int     `json:"images"`
	Failed  int     `json:"failed"`
	Left    int     `json:"left"` // not begun when the command was interrupted
	Segment spread  `json:"segment_ms"`
	Whole   spread  `json:"read_segment_write_ms"`
	Regions float64 `json:"mean_regions"`
}

// spread sums up the milliseconds of many images.
type spread struct {
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[int(q*float64(len(values)-1)+0.5)] }
	return spread{at(0.5), at(0.95)}
}

func (p *superpixelReport) line(v any) {
	data, _ := json.Marshal(v) // of plain fields it cannot fail
	fmt.Fprintf(p.out, "%s\n", data)
}

// end prints the sum, names the files that failed, and says so in its error.
func (p *superpixelReport) end(jobs int) error {
	n := len(p.whole)
	s := superpixelSum{
		Images: n, Failed: len(p.failed), Left: jobs - n - len(p.failed), Segment: spreadOf(p.segment), Whole: spreadOf(p.whole),
		Regions: float64(p.regions) / float64(max(1, n)),
	}
	switch {
	case p.asJSON:
		p.line(s)
	case n > 0:
		fmt.Fprintf(p.out, "divided %d images into %.0f regions on average\n", s.Images, s.Regions)
		fmt.Fprintf(p.out, "ms an image, median and p95: segmentation %.1f and %.1f; with reading and writing %.1f and %.1f\n",
			s.Segment.Median, s.Segment.P95, s.Whole.Median, s.Whole.P95)
	}
	if len(p.failed) == 0 {
		return nil
	}
	for _, r := range p.failed {
		fmt.Fprintln(os.Stderr, r.Err)
	}
	return fmt.Errorf("superpixel: %d of %d files cannot be divided", len(p.failed), jobs)
}

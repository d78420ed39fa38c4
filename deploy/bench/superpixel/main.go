// Command superpixel measures the superpixels beside other people's, in one run: speed on one thread, quality against human
// segmentations, scaling with pixels and threads, and what they save a person who marks objects. It writes its figures as
// markdown. `make bench-superpixel` installs the peers and runs it; the images are those of GLEANER_DATA or ../shared/data.
//
// Times are processor time, user and system, of the whole process that does the work, so that garbage collection counts and
// other load on the machine disturbs little. Measures are interleaved image by image.
package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"gleaner/deploy/bench/report"
	"gleaner/stages/superpixel"
)

// options are the program's arguments.
type options struct {
	only   string // sections to run, by name, separated by commas
	rounds int    // of the speed
	images int    // of each set; 0: all
	counts string // of regions at which the quality is compared, separated by commas
	python string // the interpreter that has the peers
	write  string // file that holds the results between two marks
}

// bench is what the sections share.
type bench struct {
	options
	data      string // folder of real data
	dir       string // for temporary files
	segmenter superpixel.Segmenter
	peers     *peers
}

func suite() report.Suite[*bench] {
	return report.Suite[*bench]{
		Target: "bench-superpixel", Package: "./deploy/bench/superpixel", Marks: "superpixel",
		Sections: []report.Section[*bench]{
			{Name: "speed", Run: (*bench).speed},
			{Name: "quality", Run: (*bench).quality},
			{Name: "scaling", Run: (*bench).scaling},
			{Name: "labeling", Run: (*bench).labeling},
		},
	}
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", suite().Names(), "sections to run")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of the speed; each image's figure is the median of its rounds")
	flag.IntVar(&o.images, "images", 0, "images of each set; 0: all there are")
	flag.StringVar(&o.counts, "counts", "200,400,800,1200", "numbers of regions at which the quality is compared")
	flag.StringVar(&o.python, "python", ".tools/peers/bin/python", "Python that has the peers")
	flag.StringVar(&o.write, "write", "", "markdown file; what stands between the marks of the sections that run is replaced by their results")
	flag.Parse()
	report.Main(suite().Target, func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) (err error) {
	if err := suite().Check(o.only); err != nil {
		return err
	}
	data, err := report.Data()
	if err != nil {
		return err
	}
	b := &bench{options: o, data: data}
	if b.dir, err = os.MkdirTemp("", "gleaner-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.peers, err = startPeers(ctx, o.python, b.dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.peers.close()) }()
	return suite().Run(ctx, b, o.only, o.write)
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"gleaner/deploy/segment"
)

// quality scores each method against the human segmentations of BSDS500 val, at numbers of regions that agree.
func (b *bench) quality(ctx context.Context, out io.Writer) error {
	fmt.Fprint(out, "\n### Quality\n\n")
	scorer := filepath.Join(b.data, "..", "tools", "superpixel_score.py")
	if _, err := os.Stat(scorer); err != nil {
		fmt.Fprintf(out, "SKIPPED, NOT MEASURED: the scorer %s is absent.\n", filepath.Base(scorer))
		return nil
	}
	pics, err := b.bsds()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d images of BSDS500 val, means over annotators and images; definitions as Stutz, Hermans and Leibe, \"Superpixels: an evaluation of the "+
		"state of the art\", with 4-neighbors. Borders is the share of pixels that have a 4-neighbor in another region. What each method is asked for is set so "+
		"that the mean number of its regions comes within 3 %% of K (* where it does not).\n", len(pics))
	for count := range strings.SplitSeq(b.counts, ",") {
		k, err := strconv.ParseFloat(count, 64)
		if err != nil || k < 1 {
			return fmt.Errorf("-counts %s: %q is not a number of regions", b.counts, count)
		}
		scores, err := b.scoreAll(ctx, pics, k, scorer)
		if err != nil {
			return err
		}
		printScores(out, k, scores)
	}
	return nil
}

// scores are a method's on a set, by the scorer's names, and the share of border pixels.
type scores struct {
	K, Rec, ASA, EV, CO float64
	UE                  float64 `json:"UE_NP"`
	Pieces              float64 `json:"K_cc"`
	borders             float64
}

// scoreAll runs the methods one after the other and scores them side by side. Of OpenCV the region size is a whole number of
// pixels, so that few numbers of regions can be had.
func (b *bench) scoreAll(ctx context.Context, pics []*picture, k float64, scorer string) (map[string]*scores, error) {
	all := map[string]*scores{}
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for _, m := range b.methods() {
		want, err := reach(ctx, m, pics, k)
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp(b.dir, "maps-")
		if err != nil {
			return nil, err
		}
		s := new(scores)
		all[m.name] = s
		if err = s.writeMaps(ctx, m, pics, want, dir); err != nil {
			return nil, err
		}
		group.Go(func() error {
			if err := b.score(ctx, scorer, dir, s); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			return os.RemoveAll(dir)
		})
	}
	return all, group.Wait()
}

// near is how far the number of regions may be from the wanted one.
const near = 0.03

// reach finds what a method must be asked for so that it makes target regions on average, on a quarter of the pictures and,
// where that is not enough, on all.
func reach(ctx context.Context, m method, pics []*picture, target float64) (float64, error) {
	var some []*picture
	for i := 0; i < len(pics); i += 4 {
		some = append(some, pics[i])
	}
	want := target
	for _, sample := range [][]*picture{some, pics} {
		best, off := want, math.Inf(1)
		for range 5 {
			sum := 0
			for _, pic := range sample {
				if err := ctx.Err(); err != nil {
					return 0, err
				}
				d, err := m.divide(pic, want, false)
				if err != nil {
					return 0, err
				}
				sum += d.regions
			}
			ratio := float64(sum) / float64(len(sample)) / target
			if math.Abs(ratio-1) < off {
				best, off = want, math.Abs(ratio-1)
			}
			if off < near/2 {
				break
			}
			want /= ratio
		}
		want = best
	}
	return want, nil
}

// writeMaps writes the label maps of a method for the scorer.
func (s *scores) writeMaps(ctx context.Context, m method, pics []*picture, k float64, dir string) error {
	for _, pic := range pics {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, err := m.divide(pic, k, true)
		if err != nil {
			return err
		}
		s.borders += borders(d.labels, pic.img.W) / float64(len(pics))
		data, err := segment.EncodeMap(d.labels, pic.img.W, pic.img.H)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, pic.name+".png"), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// borders is the share of pixels that have a 4-neighbor of another label.
func borders(labels []uint16, w int) float64 {
	n := 0
	for i, l := range labels {
		x := i % w
		if x > 0 && labels[i-1] != l || x+1 < w && labels[i+1] != l || i >= w && labels[i-w] != l || i+w < len(labels) && labels[i+w] != l {
			n++
		}
	}
	return float64(n) / float64(len(labels))
}

// score runs the scorer on a folder of label maps.
func (b *bench) score(ctx context.Context, scorer, dir string, s *scores) error {
	result := filepath.Join(dir, "scores.json")
	c := exec.CommandContext(ctx, b.python, scorer, "--partial", "--labels", dir, "--images", b.path("bsds500", "val", "images"),
		"--truth", b.path("bsds500", "val", "segments"), "--json", result)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("scorer: %w: %s", err, strings.TrimSpace(string(out)))
	}
	data, err := os.ReadFile(result)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, s)
}

func printScores(out io.Writer, k float64, all map[string]*scores) {
	peer := all[fastSLIC]
	fmt.Fprintf(out, "\n| K≈%.0f | K | pieces | Rec | UE_NP | ASA | EV | CO | borders |\n|---|---|---|---|---|---|---|---|---|\n", k)
	for _, name := range []string{oursFast, oursFine, fastSLIC, openCV, scikitImage} {
		s := all[name]
		mark := ""
		if math.Abs(s.K/k-1) > near {
			mark = "*"
		}
		fmt.Fprintf(out, "| %s | %.0f%s | %.0f | %.4f | %.4f | %.4f | %.4f | %.3f | %.4f |\n", name, s.K, mark, s.Pieces, s.Rec, s.UE, s.ASA, s.EV, s.CO, s.borders)
	}
	fast := all[oursFast]
	fmt.Fprintf(out, "\nfast against fast-slic: UE_NP %s; ASA %s; EV %s; Rec %s.", verdict(fast.UE, peer.UE, false), verdict(fast.ASA, peer.ASA, true),
		verdict(fast.EV, peer.EV, true), verdict(fast.Rec, peer.Rec-.01, true))
	if k == 400 {
		fine := all[oursFine]
		fmt.Fprintf(out, " fine: Rec %s; UE_NP %s; EV %s; CO %s; borders over fast-slic's, %.2f: %s.", verdict(fine.Rec, .88, true), verdict(fine.UE, .080, false),
			verdict(fine.EV, .90, true), verdict(fine.CO, .20, true), fine.borders/peer.borders, verdict(fine.borders/peer.borders, 1.2, false))
	}
	fmt.Fprintln(out)
}

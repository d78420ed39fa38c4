package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"gleaner/stages/lint/evidence"
)

// ablationDraws are fewer than draws: both sides have as many.
const ablationDraws = 10

// ablation measures NanoDet alone with and without the literal likelihood of edges, and what the pixels add.
func (b *bench) ablation(ctx context.Context, out io.Writer) error {
	set, err := b.set(ctx, "coco128")
	if err != nil {
		return err
	}
	nanodet := view{models: []int{2}}
	fmt.Fprint(out, "\n### What single kinds of evidence add\n\n")
	fmt.Fprintf(out, "nanodet alone, weights fitted to the other half of coco128 with %d draws of errors; AUROC / P@K, means of seeds 0 to %d, edge errors among the others. The negative log-likelihoods (`nll.`, `worst.nll`) are those of the model's own distribution of each side.\n\n", ablationDraws, seeds-1)
	fmt.Fprintln(out, "| evidence | loose | tight | shift | edge |\n|---|---|---|---|---|")
	for _, c := range []struct{ name, without string }{{"all", ""}, {"without the likelihood of edges", "nll"}, {"without pixels and superpixels", "pixels."}} {
		fold, err := b.halves(ctx, func(keep func(int) bool) (evidenceOf, error) {
			r := evidenceOf{}
			if err := b.collect(ctx, r, set, 0, ablationDraws, []view{nanodet}, true, keep); err != nil {
				return nil, err
			}
			r.of(nanodet).hide(c.without)
			return r, nil
		})
		if err != nil {
			return err
		}
		var tables []table
		for seed := range seeds {
			p, err := b.plant(ctx, set, study{"ablation" + strings.Trim(c.without, "."), edges.types, edges.rate}, seed)
			if err != nil {
				return err
			}
			found, err := b.found(ctx, set, p, nanodet, fold)
			if err != nil {
				return err
			}
			t, err := b.score(ctx, set, p, found, "lint")
			if err != nil {
				return err
			}
			tables = append(tables, t)
		}
		fmt.Fprintf(out, "| %s |", c.name)
		for _, row := range []string{"loose", "tight", "shift", "edge"} {
			fmt.Fprintf(out, " %.3f / %.3f |", meanOf(tables, row, "AUROC"), meanOf(tables, row, "P@K"))
		}
		fmt.Fprintln(out)
	}
	return nil
}

// hide makes numbers whose names hold a part NaN, so that no tree asks for them.
func (r *rows) hide(part string) {
	if part == "" {
		return
	}
	for _, of := range []struct {
		names []string
		rows  [][]float32
	}{{evidence.BoxNames(), r.box}, {evidence.EdgeNames(), r.edge}} {
		for i, name := range of.names {
			if strings.Contains(name, part) {
				for _, row := range of.rows {
					row[i] = float32(math.NaN())
				}
			}
		}
	}
}

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/deploy/scenes"
)

func (a *app) scenesCommand() *cobra.Command {
	cfg := scenes.DefaultConfig()
	var out string
	c := &cobra.Command{
		Use:   "scenes",
		Short: "Draw labeled street scenes, for when there are no images yet",
		Long: `Draw street scenes with vehicles, people with and without helmets, signs, weather, night, blur and clutter, into OUT/images,
and their labels with exact boxes and masks into OUT/annotations.json (COCO). The same seed gives the same bytes.

--rules chooses whose labels they are: traffic names eight classes and has mirrors in a vehicle's box; fleet knows light
and heavy vehicles without their mirrors; site tells construction workers from pedestrians.`,
		Example: `  gleaner scenes --count 200 --out scenes
  gleaner scenes --count 50 --out fleet --rules fleet --seed 7 --width 960 --height 540`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{fmt.Errorf("scenes: --out is required")}
			}
			if err := cfg.Validate(); err != nil {
				return usageError{err}
			}
			b := bar(int64(cfg.Count), "scenes")
			err := scenes.Write(c.Context(), cfg, out, func(int) { b.Add(1) })
			b.End()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "drew %d scenes into %s\n", cfg.Count, out)
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "out", "o", "", "folder to write (required)")
	f.IntVarP(&cfg.Count, "count", "n", cfg.Count, "how many scenes")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "seed; the same gives the same bytes")
	f.IntVar(&cfg.W, "width", cfg.W, "pixels")
	f.IntVar(&cfg.H, "height", cfg.H, "pixels")
	f.Float64Var(&cfg.Density, "density", cfg.Density, "how crowded, 0 to 1")
	f.StringVar(&cfg.Rules, "rules", cfg.Rules, strings.Join(scenes.RuleNames(), ", "))
	offer(c, "rules", scenes.RuleNames()...)
	return c
}

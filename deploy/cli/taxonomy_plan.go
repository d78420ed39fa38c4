package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

func (a *app) taxonomyPlan() *cobra.Command {
	var dataset, source string
	var classes, models []string
	c := &cobra.Command{
		Use: "plan", Short: "Choose the fewest models that label what a dataset wants, and say why",
		Long: `Choose the fewest models that label what a dataset wants: a class is left to a model that knows it, else to one that knows kinds
of it, else to one that knows what lies below the same parent, to be refined by people. What nobody knows is named.`,
		Example: "  gleaner taxonomy plan --dataset raccoon --classes raccoon --model yolox_nano@1=coco@darknet:models/coco.names", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case dataset == "":
				return usageError{fmt.Errorf("taxonomy plan: --dataset is required")}
			case len(models) == 0:
				return usageError{fmt.Errorf("taxonomy plan: --model is required")}
			}
			fleet := make([]taxonomy.Model, len(models))
			for i, m := range models {
				var err error
				if fleet[i], err = plannedModel(m); err != nil {
					return err
				}
			}
			tree, err := a.taxonomyOf(c.Context(), dataset, source)
			if err != nil {
				return err
			}
			plan, err := tree.Plan(dataset, taxonomy.Wants(classes...), fleet)
			switch {
			case err != nil:
				return err
			case a.asJSON:
				return printJSON(c.OutOrStdout(), plan)
			}
			return plan.WriteTable(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&dataset, "dataset", "", "dataset to label, by name or as name@version (required)")
	f.StringSliceVar(&classes, "classes", nil, "classes wanted, of the dataset or canonical ones (default: all that the taxonomy maps of the dataset)")
	f.StringArrayVar(&models, "model", nil, "name@version=dataset@version:FILE: a model, its label space and the file with its classes, one a line; may be repeated")
	f.StringVar(&source, "taxonomy", "", "taxonomy: name@version, name, coco or FILE.tsv (default: the newest registered that maps the dataset)")
	a.jsonFlag(c)
	return c
}

// taxonomyOf is the taxonomy named, or where none is the dataset's.
func (a *app) taxonomyOf(ctx context.Context, dataset, source string) (tree *taxonomy.Tree, err error) {
	if source != "" {
		t, err := a.findTaxonomy(ctx, source)
		if err != nil {
			return nil, err
		}
		return taxonomy.Build(t)
	}
	err = a.connected(ctx, func(ctx context.Context, conn *wire.Connections) error {
		var ok bool
		if tree, ok, err = conn.TaxonomyOf(ctx, dataset); err == nil && !ok {
			err = fmt.Errorf("no registered taxonomy maps dataset %s: name one with --taxonomy", dataset)
		}
		return err
	})
	return tree, err
}

// plannedModel reads a --model of plan.
func plannedModel(flag string) (taxonomy.Model, error) {
	id, rest, ok := strings.Cut(flag, "=")
	space, file, also := strings.Cut(rest, ":")
	if !ok || !also || id == "" {
		return taxonomy.Model{}, usageError{fmt.Errorf("taxonomy plan: --model %q: want name@version=dataset@version:FILE", flag)}
	}
	classes, err := prelabel.ReadClasses(file)
	if err != nil {
		return taxonomy.Model{}, fmt.Errorf("model %s: %w", id, err)
	}
	return taxonomy.Model{ID: id, Space: space, Classes: classes}, nil
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
of it, else to one that knows what lies below the same parent, to be refined by people. What nobody knows is named.

Of equally few models, those are chosen that were measured best on the classes they serve: by the metrics that have the name of a class,
as the model calls it, such as those of gleaner model add --metric person=0.61. Others, such as ap50, decide nothing.

Models, taxonomies and the dataset's rules, which say what it wants, are those of the running system. With both --model and
--taxonomy none is needed.`,
		Example: `  gleaner taxonomy plan --dataset raccoon
  gleaner taxonomy plan --dataset raccoon --taxonomy mine.tsv --classes raccoon --model yolox_nano@1=coco@darknet:models/coco.names`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dataset == "" {
				return usageError{fmt.Errorf("taxonomy plan: --dataset is required")}
			}
			p := planning{wanted: taxonomy.Wants(classes...), source: source}
			for _, m := range models {
				model, err := plannedModel(m)
				if err != nil {
					return err
				}
				p.models = append(p.models, model)
			}
			if err := p.complete(c.Context(), a, dataset); err != nil {
				return fmt.Errorf("taxonomy plan: %w", err)
			}
			plan, err := p.tree.Plan(dataset, p.wanted, p.models)
			switch {
			case err != nil:
				return fmt.Errorf("taxonomy plan: %w", err)
			case a.asJSON:
				return printJSON(c.OutOrStdout(), plan)
			}
			return plan.WriteTable(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&dataset, "dataset", "", "dataset to label, by name or as name@version (required)")
	f.StringSliceVar(&classes, "classes", nil, "classes wanted, of the dataset or canonical ones (default: those of its rules, else all that the taxonomy maps of it)")
	f.StringArrayVar(&models, "model", nil, "name@version=dataset@version:FILE: a model, its label space and the file with its classes, one a line; may be repeated (default: those registered, of each name the versions that serve the dataset, else the newest)")
	f.StringVar(&source, "taxonomy", "", "taxonomy: name@version, name, coco or FILE.tsv (default: the one that the dataset's rules name, else the newest registered that maps it)")
	a.jsonFlag(c)
	return c
}

// planning is what a plan is made of.
type planning struct {
	source string // of the tree
	tree   *taxonomy.Tree
	wanted []taxonomy.Want
	models []taxonomy.Model
}

// complete asks the running system for what no flag says.
func (p *planning) complete(ctx context.Context, a *app, dataset string) error {
	if len(p.models) == 0 || p.source == "" {
		if err := a.connected(ctx, func(ctx context.Context, conn *wire.Connections) error { return p.ask(ctx, conn, dataset) }); err != nil {
			return err
		}
	}
	if p.tree != nil {
		return nil
	}
	t, err := a.findTaxonomy(ctx, p.source)
	if err != nil {
		return err
	}
	p.tree, err = taxonomy.Build(t)
	return err
}

func (p *planning) ask(ctx context.Context, conn *wire.Connections, dataset string) (err error) {
	if len(p.models) == 0 {
		if p.models, err = conn.PlannableModels(ctx, dataset); err != nil {
			return err
		}
		if len(p.models) == 0 {
			return errors.New("no model is registered: gleaner model add registers one, and --model names others")
		}
	}
	name, _, _ := strings.Cut(dataset, "@")
	rules, err := conn.RulesInForce(ctx, name)
	if err != nil {
		return err
	}
	by := taxonomy.WantsOf(rules)
	for i, w := range p.wanted { // what they mean the rules may say
		if at := slices.IndexFunc(by, func(o taxonomy.Want) bool { return o.Class == w.Class }); at >= 0 {
			p.wanted[i] = by[at]
		}
	}
	if len(p.wanted) == 0 {
		p.wanted = by
	}
	if p.source = cmp.Or(p.source, rules.Taxonomy); p.source != "" {
		return nil
	}
	var ok bool
	if p.tree, ok, err = conn.TaxonomyOf(ctx, dataset); err == nil && !ok {
		err = fmt.Errorf("no registered taxonomy maps dataset %s: name one with --taxonomy", dataset)
	}
	return err
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

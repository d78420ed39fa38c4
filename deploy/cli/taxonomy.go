package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

func (a *app) taxonomyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "taxonomy", Short: "Relate the classes of datasets and models by a tree of canonical classes", Args: cobra.NoArgs,
		Long: `A taxonomy is a table of three columns, separated by tabs, whose first line names them: class, relation, canonical.

  animal              root                 a canonical class
  dog                 child      animal    another, below it
  coco@2017:dog       exact      dog       a class of a label space, dataset@version, is the same as a canonical one
  street@1:policeman  narrower   person    or a kind of it that the tree does not name
  street@1:vehicle    broader    car       or holds other things with it
  street@1:crowd      ignore               or says nothing

What a model finds is proposed under the name that the dataset has for it. Where a dataset wants what no model knows, what a
model knows beside it below the same parent is proposed under the parent's name, to be refined by people.
"coco" is a taxonomy that comes along: gleaner taxonomy show coco --tsv > mine.tsv, and add your classes.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.taxonomyApply(), a.taxonomyList(), a.taxonomyShow(), a.taxonomyCheck(), a.taxonomyPlan())
	return c
}

func (a *app) taxonomyApply() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "apply FILE.tsv", Short: "Register a table as a taxonomy",
		Long:    "Register a table as an immutable taxonomy, name@version. The version follows from the content: the same table is the same version.",
		Example: "  gleaner taxonomy apply animals.tsv --name animals", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch name {
			case "":
				return usageError{fmt.Errorf("taxonomy apply: --name is required")}
			case builtIn:
				return usageError{fmt.Errorf("taxonomy apply: --name %s: that one comes along: choose another name", builtIn)}
			}
			t, err := readTaxonomy(args[0])
			if err != nil {
				return err
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				entry, made, err := conn.ApplyTaxonomy(ctx, name, t)
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), entry)
				}
				if !made {
					fmt.Fprintln(c.OutOrStdout(), "nothing changed since this version was registered:")
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", entry.ID, sizes(entry))
				return err
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the taxonomy (required)")
	a.jsonFlag(c)
	return c
}

func (a *app) taxonomyList() *cobra.Command {
	c := &cobra.Command{
		Use: "list [NAME]", Short: "List taxonomies, the oldest first", Example: "  gleaner taxonomy list", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				list, err := conn.Taxonomies(ctx, strings.Join(args, ""))
				if err != nil {
					return err
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), list)
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "taxonomy\tmade\tclasses\tlabel spaces")
				for _, x := range list {
					fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", x.ID, x.At.Local().Format("2006-01-02 15:04:05"), len(x.Nodes), strings.Join(spaces(x), ", "))
				}
				return t.Flush()
			})
		},
	}
	a.jsonFlag(c)
	return c
}

func (a *app) taxonomyShow() *cobra.Command {
	var asTable bool
	c := &cobra.Command{
		Use: "show ID|NAME|coco|FILE.tsv", Short: "Print a taxonomy as a tree, or as the table that it was made of",
		Long:    "Print a taxonomy: name@version, the newest of a name, the one that comes along (coco) or a table. The last two need no running system.",
		Example: "  gleaner taxonomy show animals\n  gleaner taxonomy show coco --tsv > mine.tsv", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := a.findTaxonomy(c.Context(), args[0])
			switch {
			case err != nil:
				return err
			case a.asJSON:
				return printJSON(c.OutOrStdout(), t)
			case asTable:
				return taxonomy.WriteTSV(c.OutOrStdout(), t)
			}
			return printTaxonomy(c.OutOrStdout(), t)
		},
	}
	c.Flags().BoolVar(&asTable, "tsv", false, "print the table")
	a.jsonFlag(c)
	return c
}

func (a *app) taxonomyCheck() *cobra.Command {
	var labels []string
	c := &cobra.Command{
		Use: "check FILE.tsv", Short: "Say all that is wrong with a table",
		Long: `Say all that is wrong with a table, by line and column, and fail if anything is. With --labels, classes of a label space that
the table leaves out are wrong, too. It needs no running system.`,
		Example: "  gleaner taxonomy check animals.tsv --labels coco@2017=coco.names", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := readTaxonomy(args[0])
			if err != nil {
				return err
			}
			tree, err := taxonomy.Build(t)
			if err != nil {
				return err
			}
			var missing []string
			for _, l := range labels {
				space, file, ok := strings.Cut(l, "=")
				if !ok {
					return usageError{fmt.Errorf("taxonomy check: --labels %q: want dataset@version=FILE", l)}
				}
				classes, err := prelabel.ReadClasses(file)
				if err != nil {
					return err
				}
				for _, class := range tree.Unmapped(space, classes) {
					missing = append(missing, fmt.Sprintf("%s: %s:%s is not mapped: say ignore if it means nothing", args[0], space, class))
				}
			}
			if len(missing) > 0 {
				return fmt.Errorf("%s", strings.Join(missing, "\n"))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", args[0], sizes(t))
			return err
		},
	}
	c.Flags().StringArrayVar(&labels, "labels", nil, "dataset@version=FILE: a label space and the file with its classes, one a line; may be repeated")
	return c
}

// builtIn is the name of the taxonomy that comes along.
const builtIn = "coco"

// findTaxonomy reads a table, makes the one that comes along, or asks the running system.
func (a *app) findTaxonomy(ctx context.Context, source string) (t schemas.Taxonomy, err error) {
	switch {
	case source == builtIn:
		return taxonomy.COCO()
	case strings.HasSuffix(source, ".tsv"):
		if t, err = readTaxonomy(source); err != nil {
			return t, err
		}
		return taxonomy.Identify(strings.ReplaceAll(strings.TrimSuffix(filepath.Base(source), ".tsv"), " ", "-"), t)
	}
	err = a.connected(ctx, func(ctx context.Context, conn *wire.Connections) error {
		t, err = conn.Taxonomy(ctx, source)
		return err
	})
	return t, err
}

func readTaxonomy(path string) (schemas.Taxonomy, error) {
	f, err := os.Open(path)
	if err != nil {
		return schemas.Taxonomy{}, fmt.Errorf("taxonomy: %w", err)
	}
	defer f.Close()
	t, err := taxonomy.ReadTSV(f)
	if err != nil {
		return t, fmt.Errorf("%s:\n%w", path, err)
	}
	return t, nil
}

// spaces are the label spaces that a taxonomy maps.
func spaces(t schemas.Taxonomy) []string {
	var out []string
	for _, m := range t.Mappings {
		if !slices.Contains(out, m.Dataset) {
			out = append(out, m.Dataset)
		}
	}
	return out
}

func sizes(t schemas.Taxonomy) string {
	return fmt.Sprintf("%d classes, %d mappings of %s", len(t.Nodes), len(t.Mappings), cmp.Or(strings.Join(spaces(t), ", "), "no label space"))
}

// printTaxonomy prints the tree, each class with those that are mapped to it.
func printTaxonomy(w io.Writer, t schemas.Taxonomy) error {
	tree, err := taxonomy.Build(t)
	if err != nil {
		return err
	}
	mapped := map[string][]string{}
	for _, m := range t.Mappings {
		as := m.Key()
		if m.Relation != schemas.RelationExact {
			as += " (" + string(m.Relation) + ")"
		}
		mapped[m.Canonical] = append(mapped[m.Canonical], as)
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "%s: %s\n", t.ID, sizes(t))
	var below func(class, indent string)
	below = func(class, indent string) {
		for _, c := range tree.Children(class) {
			fmt.Fprintf(out, "%s%s\t%s\n", indent, c, strings.Join(mapped[c], ", "))
			below(c, indent+"  ")
		}
	}
	below("", "")
	if ignored := mapped[""]; len(ignored) > 0 {
		fmt.Fprintf(out, "ignored:\t%s\n", strings.Join(ignored, ", "))
	}
	return out.Flush()
}

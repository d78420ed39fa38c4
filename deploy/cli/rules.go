package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/rules"
)

// readRules reads files of rules; all that is wrong in any of them is in the error, with the file's name.
func readRules(paths []string) ([]*rules.Set, error) {
	var errs []error
	var sets []*rules.Set
	of := map[string]string{}
	for _, path := range paths {
		set, err := readRulesFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		name := set.Rules().Dataset
		if other, ok := of[name]; ok {
			errs = append(errs, fmt.Errorf("%s: dataset %s has its rules in %s", path, name, other))
		}
		of[name] = path
		sets = append(sets, set)
	}
	return sets, errors.Join(errs...)
}

// readRulesFile reads a file of rules, and warns of what can hardly be meant so.
func readRulesFile(path string) (*rules.Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, rules.MaxFile+1))
	if err != nil {
		return nil, err
	}
	set, err := rules.Read(data)
	if err != nil {
		return nil, err
	}
	warnings, err := set.Warnings()
	for _, w := range warnings {
		fmt.Fprintf(os.Stderr, "%s: %s\n", path, w)
	}
	return set, err
}

func (a *app) applyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apply FILE…", Short: "Put rules in force: what a dataset wants labeled, and how",
		Long: `Put the rules of a dataset in force. The whole system obeys them within seconds, without a restart: prelabel drops what the
dataset does not want, lint doubts labels that break a rule, and the page refuses a submission that breaks one of severity error.

A file holds the rules of one dataset. All of it but the dataset's name may be left out; without objects every class is wanted:

  dataset: bccd
  taxonomy: cells@1                                # name@version, registered: translates models' classes (gleaner taxonomy --help)
  target_quality: 0.95                             # .5 to .995: accept labels of models as long as that share holds (gleaner dataset accept --help)
  audit_share: 0.1                                 # of what would be accepted, people see that share all the same: at least .06 here
  accept_before_audits: false                      # true: route.accept_above counts until there are enough audits
  objects:
    - class: RBC
      min_size: {width: 20, height: 20}            # pixels; with unit: share, a share of the image
      attributes: [{name: stain, values: [pale, dark], required: true}]
      occlusion: {policy: skip, above: 0.8}        # label, skip or mark
      truncation: mark                             # label, skip or mark
      max_count: 60
    - class: WBC
    - class: Platelets
      severity: warn                               # of what breaks the rule of this class; else error
  predicates:                                      # about one object; violated where the expression is true
    - name: long
      when: object.class == "RBC" && object.width > 2.0 * object.height
      message: A red cell is hardly twice as wide as high.
      severity: warn
      applies: both                                # label, proposal (a model's is dropped) or both
  image:                                           # about all objects of an image
    - name: doubled
      when: objects.exists(a, objects.exists(b, a.class < b.class && iou(a, b) > 0.9))
      message: Two classes on one cell.
  decisions:                                       # from scores to actions (gleaner decide --help)
    - {name: doubtful, action: review, when: aum < 0.0, persist: 3, by: -aum, limit: 50}

Expressions are in CEL (https://cel.dev) over object {class, canonical, score, source, x1, y1, x2, y2, width, height, area, attributes},
objects, image {width, height, dataset, slices}, iou(a, b) and inside(a, b); slices are the producer's, not the discovered. Nothing is applied
when a file has an error; a comparison that can hardly be meant so, as with a class that is not wanted or score > 2.0, is told. To go back, apply the old file again; a file with the dataset's name alone lifts all rules.`,
		Example: "  gleaner dataset apply rules/bccd.yaml rules/raccoon.yaml\n  gleaner dataset show bccd --yaml > bccd.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			sets, err := readRules(args)
			if err != nil {
				return err
			}
			type result struct {
				schemas.DatasetRules
				Changed bool `json:"changed"`
			}
			results := []result{}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				var errs []error
				for _, set := range sets {
					errs = append(errs, conn.CheckRules(ctx, set.Rules()))
				}
				if err := errors.Join(errs...); err != nil {
					return err
				}
				for _, set := range sets {
					entry, changed, err := conn.ApplyRules(ctx, set)
					if err != nil {
						return err
					}
					results = append(results, result{entry, changed})
					if a.asJSON {
						continue
					}
					said := "in force"
					if !changed {
						said = "in force already: nothing changed"
					}
					fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", entry.ID, said)
				}
				for _, r := range results {
					if err := warnServed(ctx, conn, r.Dataset); err != nil {
						return err
					}
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), results)
				}
				return nil
			})
		},
	}
}

// pick returns the entry of a version, or the one in force where version is empty.
func pick(list []schemas.DatasetRules, version string) (schemas.DatasetRules, bool) {
	for _, r := range slices.Backward(list) {
		if version == "" || r.Version == version {
			return r, true
		}
	}
	return schemas.DatasetRules{}, false
}

func (a *app) showCommand() *cobra.Command {
	var asYAML bool
	c := &cobra.Command{
		Use: "show DATASET[@VERSION]", Short: "Print the rules of a dataset: those in force, or an earlier version", Long: `Print the rules of a dataset that are in force, or an earlier version, and which others are registered.`,
		Example: "  gleaner dataset show bccd\n  gleaner dataset show bccd@0a1b2c3d4e5f --yaml > bccd.yaml", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				dataset, version, _ := strings.Cut(args[0], "@")
				list, err := conn.Rules(ctx, dataset)
				if err != nil {
					return err
				}
				r, ok := pick(list, version)
				if !ok {
					return fmt.Errorf("no rules of %s are registered: `gleaner dataset apply FILE` puts some in force", args[0])
				}
				if a.asJSON {
					return printJSON(c.OutOrStdout(), r)
				}
				if asYAML {
					out, err := yaml.MarshalWithOptions(r, yaml.Indent(2), yaml.UseLiteralStyleIfMultiline(true))
					if err != nil {
						return err
					}
					_, err = c.OutOrStdout().Write(out)
					return err
				}
				if err := printRules(c.OutOrStdout(), r); err != nil {
					return err
				}
				for _, o := range list {
					if o.ID != r.ID {
						fmt.Fprintf(c.OutOrStdout(), "\nalso registered: %s of %s\n", o.ID, moment(o.At))
					}
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&asYAML, "yaml", false, "print the file that apply reads")
	return c
}

func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func printRules(w io.Writer, r schemas.DatasetRules) error {
	fmt.Fprintf(w, "%s of %s", r.ID, moment(r.At))
	if r.Taxonomy != "" {
		fmt.Fprintf(w, ", taxonomy %s", r.Taxonomy)
	}
	fmt.Fprintln(w)
	if r.TargetQuality > 0 {
		fmt.Fprintf(w, "labels of models are accepted while %g %% of the images are right", 100*r.TargetQuality)
		if r.AuditShare > 0 {
			fmt.Fprintf(w, "; people see %g %% all the same", 100*r.AuditShare)
		}
		if r.AcceptBeforeAudits {
			fmt.Fprint(w, "; the configured threshold counts until audits speak")
		}
		fmt.Fprintln(w)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Objects) == 0 {
		fmt.Fprintln(t, "every class is wanted")
	} else {
		fmt.Fprintln(t, "class\tcanonical\tat least\tattributes\toccluded\ttruncated\tat most\tseverity")
	}
	for _, o := range r.Objects {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Class, cmp.Or(o.Canonical, "-"), sizeText(o.MinSize), attributesText(o.Attributes), occlusionText(o.Occlusion),
			cmp.Or(o.Truncation, schemas.PolicyLabel), countText(o.MaxCount), cmp.Or(o.Severity, schemas.SeverityError))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, part := range []struct {
		what string
		list []schemas.Predicate
	}{{"predicate", r.Predicates}, {"image predicate", r.Image}} {
		for _, p := range part.list {
			fmt.Fprintf(w, "\n%s %s (%s, %s): %s\n", part.what, p.Name, cmp.Or(p.Severity, schemas.SeverityError), cmp.Or(p.Applies, schemas.AppliesLabel), p.Message)
			for line := range strings.Lines(strings.TrimSpace(p.When)) {
				fmt.Fprintf(w, "    %s\n", strings.TrimRight(line, "\n"))
			}
		}
	}
	for _, d := range r.Decisions {
		fmt.Fprintf(w, "\ndecision %s: %s", d.Name, d.Action)
		for _, part := range []struct{ name, text string }{
			{"when", d.When}, {"until", d.Until}, {"by", d.By}, {"factor", d.Factor}, {"persist", countText(d.Persist)}, {"limit", countText(d.Limit)}, {"top", countText(d.Top)}, {"message", d.Message},
		} {
			if part.text != "" && part.text != "-" {
				fmt.Fprintf(w, "\n    %-8s %s", part.name, strings.Join(strings.Fields(part.text), " "))
			}
		}
		fmt.Fprintln(w)
	}
	return nil
}

func sizeText(s schemas.MinSize) string {
	var parts []string
	scale, unit := 1.0, " px"
	if s.Unit == schemas.SizeShare {
		scale, unit = 100, " %"
	}
	for _, d := range []struct {
		name string
		v    float64
	}{{"width", s.Width}, {"height", s.Height}, {"area", s.Area}} {
		if d.v > 0 {
			parts = append(parts, fmt.Sprintf("%s %g%s", d.name, scale*d.v, unit))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}

func attributesText(list []schemas.AttributeRule) string {
	var parts []string
	for _, a := range list {
		part := a.Name
		if a.Required {
			part += "*"
		}
		if len(a.Values) > 0 {
			part += "=" + strings.Join(a.Values, "|")
		}
		parts = append(parts, part)
	}
	return cmp.Or(strings.Join(parts, ", "), "-")
}

func occlusionText(o schemas.Occlusion) string {
	if o.Policy == schemas.PolicySkip {
		return fmt.Sprintf("skip above %g %%", 100*o.Above)
	}
	return string(cmp.Or(o.Policy, schemas.PolicyLabel))
}

func countText(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// diffRules prints what applying a file would change.
func (a *app) diffRules(ctx context.Context, w io.Writer, path string) error {
	sets, err := readRules([]string{path})
	if err != nil {
		return err
	}
	r := sets[0].Rules()
	return a.connected(ctx, func(ctx context.Context, conn *wire.Connections) error {
		list, err := conn.Rules(ctx, r.Dataset)
		if err != nil {
			return err
		}
		before, ok := pick(list, "")
		changes, err := rules.Compare(before, r)
		if err != nil {
			return err
		}
		if a.asJSON {
			return printJSON(w, changes)
		}
		switch {
		case !ok && len(changes) == 0:
			fmt.Fprintf(w, "%s has no rules in force, and the file has none\n", r.Dataset)
		case !ok:
			fmt.Fprintf(w, "%s has no rules in force; the file would add:\n", r.Dataset)
		case len(changes) == 0:
			fmt.Fprintf(w, "%s: the file is what is in force\n", before.ID)
		default:
			fmt.Fprintf(w, "%s: the file would change:\n", before.ID)
		}
		for _, c := range changes {
			switch {
			case c.From == "":
				fmt.Fprintf(w, "+ %s %s\n", c.What, c.To)
			case c.To == "":
				fmt.Fprintf(w, "- %s %s\n", c.What, c.From)
			default:
				fmt.Fprintf(w, "~ %s\n    - %s\n    + %s\n", c.What, c.From, c.To)
			}
		}
		return nil
	})
}

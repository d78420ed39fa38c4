package label

import (
	"fmt"
	"log/slog"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/rules"
	"gleaner/stages/taxonomy"
)

// Wishes are what a dataset wants of what models find.
type Wishes struct {
	Rules    schemas.DatasetRules // of the dataset that it names; without objects every class is wanted
	Taxonomy *schemas.Taxonomy    // translates the models' classes; nil: they stay as they are
}

// Terms are wishes as the steps ask for them.
type Terms struct {
	Rules *rules.Registry
	Trees *taxonomy.Registry // of the taxonomy, where there is one
}

// Terms compiles wishes.
func (w Wishes) Terms() (t Terms, err error) {
	if w.Taxonomy != nil {
		w.Rules.Taxonomy = w.Taxonomy.ID
	}
	t.Rules = &rules.Registry{}
	t.Trees = taxonomy.NewRegistry(t.Rules.Rules)
	if err = t.Rules.Put(w.Rules); err == nil && w.Taxonomy != nil {
		err = t.Trees.Put(*w.Taxonomy)
	}
	return t, err
}

// Deps are what the step works with to fulfill wishes by some models, and the classes that results may have, those wanted first.
// The error says which model the taxonomy cannot translate, and why, or that none gives anything that is wanted.
func (w Wishes) Deps(models []prelabel.Detector, log *slog.Logger) (with prelabel.Deps, classes []string, err error) {
	with.Models = prelabel.Fixed(models)
	terms, err := w.Terms()
	if err != nil {
		return with, nil, err
	}
	with.Rules = terms.Rules
	wanted := taxonomy.WantsOf(w.Rules)
	for _, o := range wanted {
		classes = append(classes, o.Class)
	}
	if w.Taxonomy == nil {
		for _, m := range models {
			if len(wanted) == 0 {
				classes = append(classes, m.Model().Classes...)
			}
		}
		return with, classes, nil
	}
	tree, err := taxonomy.Build(*w.Taxonomy)
	if err != nil {
		return with, nil, err
	}
	translations := taxonomy.NewTranslations(terms.Trees, log)
	with.Classes = translations
	var given []string
	for _, d := range models {
		m := d.Model()
		if err := tree.CheckModel(taxonomy.ModelOf(m), w.Rules.Dataset, wanted); err != nil {
			return with, nil, err
		}
		_, can := translations.Translate(w.Rules.Dataset, m, nil)
		given = append(given, can...)
	}
	if len(given) == 0 {
		return with, nil, fmt.Errorf("no model knows a class that dataset %s wants, or comes near one, by taxonomy %s: gleaner taxonomy plan says why", w.Rules.Dataset, w.Taxonomy.ID)
	}
	slices.Sort(given)
	return with, append(classes, given...), nil
}

package taxonomy

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"gleaner/schemas"
)

// Model is what is to be known of one.
type Model struct {
	ID      string // name@version
	Space   string // label space of its classes, dataset@version
	Classes []string
	Metrics map[string]float64 // by class, such as AP50 in [0,1], higher is better; a class that is missing was not measured
}

// ModelOf is a registered model.
func ModelOf(m schemas.Model) Model {
	return Model{ID: m.ID, Space: m.LabelSpace, Classes: m.Classes, Metrics: m.Metrics}
}

// Plan is which models label a dataset.
type Plan struct {
	Taxonomy string   `json:"taxonomy"`
	Dataset  string   `json:"dataset"`
	Models   []string `json:"models"` // ids, ordered
	Classes  []Served `json:"classes"`
	Notes    []string `json:"notes,omitempty"` // what the taxonomy does not know of the models
}

// Served is who labels one wanted class; nobody where Model is empty.
type Served struct {
	Class string   `json:"class"`
	Model string   `json:"model,omitempty"`
	Fit   Fit      `json:"fit"`
	As    string   `json:"as,omitempty"`   // the class of its proposals
	From  []string `json:"from,omitempty"` // the model's classes that become that
	Why   string   `json:"why"`            // for people
}

// service is what one model can do for one wanted class.
type service struct {
	fit    Fit
	as     string
	from   []string
	metric float64 // mean over from of what was measured; 0 where nothing was
}

// job is one planning: the wanted classes and what each model can do for each.
type job struct {
	tree   *Tree
	models []Model
	can    [][]service // by model and wanted class
	best   []Fit       // by wanted class, of all models
	idle   []int       // classes of each model that serve no wanted one
}

// Plan chooses the fewest models that serve every wanted class as well as any of them can: those that know it, else those that
// know kinds of it, else those that come near it by a super-class, which is to be refined. Of equally many models, those
// that were measured best on what they serve are taken, then those with the fewest classes that serve nothing, which are
// the specialists, then the first by id: the order in which models are given does not matter. The error names classes
// that are not known (Translator) and models that are there twice.
func (t *Tree) Plan(dataset string, wanted []Want, models []Model) (Plan, error) {
	wants, err := t.wants(dataset, wanted)
	if err != nil {
		return Plan{}, err
	}
	j := job{tree: t, models: slices.Clone(models), best: make([]Fit, len(wants))}
	slices.SortFunc(j.models, func(a, b Model) int { return cmp.Compare(a.ID, b.ID) })
	p := Plan{Taxonomy: t.id, Dataset: dataset, Models: []string{}}
	for i, m := range j.models {
		if i > 0 && j.models[i-1].ID == m.ID {
			return Plan{}, fmt.Errorf("model %s is there twice", m.ID)
		}
		if m.Space == "" {
			p.Notes = append(p.Notes, m.ID+" cannot be planned with: whose class names it uses, its label space, is not known")
		} else if t.mapped[m.Space] == nil {
			p.Notes = append(p.Notes, fmt.Sprintf("%s cannot be planned with: %v", m.ID, t.errSpace(m.Space)))
		} else if u := t.Unmapped(m.Space, m.Classes); len(u) > 0 {
			p.Notes = append(p.Notes, fmt.Sprintf("%s: %d of its %d classes are not mapped in %s: %s", m.ID, len(u), len(m.Classes), m.Space, list(u)))
		}
		can, used := make([]service, len(wants)), map[string]bool{}
		for k, w := range wants {
			can[k] = t.service(dataset, m, w)
			j.best[k] = max(j.best[k], can[k].fit)
			for _, c := range can[k].from {
				used[c] = true
			}
		}
		j.can, j.idle = append(j.can, can), append(j.idle, len(m.Classes)-len(used))
	}
	chosen := j.cover()
	for _, i := range chosen {
		p.Models = append(p.Models, j.models[i].ID)
	}
	for k, w := range wants {
		if j.best[k] == FitNone {
			p.Classes = append(p.Classes, Served{Class: w.Class, Why: j.whyNobody(w)})
			continue
		}
		i := j.server(chosen, k)
		s := j.can[i][k]
		p.Classes = append(p.Classes, Served{w.Class, j.models[i].ID, s.fit, s.as, s.from, j.why(i, k)})
	}
	return p, nil
}

// service is what a model can do for a wanted class: by those of its classes that fit best, of super-classes the nearest.
func (t *Tree) service(dataset string, m Model, wanted schemas.ClassMapping) (s service) {
	var canonical string
	for _, c := range m.Classes {
		fit, to := t.fit(t.mapped[m.Space][c], wanted)
		switch {
		case fit == FitNone || fit < s.fit || fit == s.fit && t.depth(to) < t.depth(canonical):
			continue
		case fit > s.fit || to != canonical:
			s, canonical = service{fit: fit}, to
		}
		s.from = append(s.from, c)
	}
	for _, c := range s.from {
		s.metric += m.Metrics[c] / float64(len(s.from))
	}
	if s.as = wanted.Class; s.fit == FitSuper {
		s.as = t.named(dataset, canonical)
	}
	return s
}

// serves tells whether a model serves a class as well as any can.
func (j *job) serves(model, class int) bool {
	return j.best[class] != FitNone && j.can[model][class].fit == j.best[class]
}

// servers are the models among some that serve a class.
func (j *job) servers(among []int, class int) []int {
	var out []int
	for _, i := range among {
		if j.serves(i, class) {
			out = append(out, i)
		}
	}
	return out
}

// server is the one of the chosen models that a class is left to, -1 for none.
func (j *job) server(chosen []int, class int) int {
	return slices.MinFunc(append(j.servers(chosen, class), -1), func(a, b int) int {
		if a < 0 || b < 0 {
			return cmp.Compare(b, a)
		}
		return cmp.Or(cmp.Compare(j.can[b][class].metric, j.can[a][class].metric), cmp.Compare(j.idle[a], j.idle[b]), cmp.Compare(a, b))
	})
}

// reach is how many wanted classes a model serves.
func (j *job) reach(model int) (n int) {
	for k := range j.best {
		if j.serves(model, k) {
			n++
		}
	}
	return n
}

// why says for people what speaks for the model that a class is left to.
func (j *job) why(model, class int) string {
	all := make([]int, len(j.models))
	for i := range all {
		all[i] = i
	}
	able := j.servers(all, class)
	others := slices.DeleteFunc(slices.Clone(able), func(i int) bool { return i == model })
	s := j.can[model][class]
	does := "knows it"
	switch s.fit {
	case FitKind:
		does = "knows kinds of it"
	case FitSuper:
		does = "comes near it, by " + s.as
	}
	second := j.server(others, class)
	switch {
	case second < 0:
		return "the only model that " + does
	case j.server(able, class) != model:
		return fmt.Sprintf("%s, as others do (%d), and other classes need it", does, len(others))
	case s.metric != j.can[second][class].metric:
		return fmt.Sprintf("%s; of %d models that do, measured best (%.3g)", does, len(able), s.metric)
	case j.reach(model) > j.reach(second):
		return fmt.Sprintf("%s; of %d models that do, the one that serves most wanted classes (%d)", does, len(able), j.reach(model))
	case j.idle[model] != j.idle[second]:
		return fmt.Sprintf("%s; of %d models that do, the one with the fewest other classes (%d)", does, len(able), j.idle[model])
	}
	return fmt.Sprintf("%s; of %d models that do alike, the first by name", does, len(able))
}

// whyNobody names the super-class that could have stood in, and what is known that comes nearest.
func (j *job) whyNobody(wanted schemas.ClassMapping) string {
	why := "no model knows it, and it has no super-class"
	if parent := j.tree.parent(wanted); parent != "" {
		why = "no model knows it, nor anything else of " + parent
	}
	var near, over string
	for _, m := range j.models {
		for _, c := range m.Classes {
			found := j.tree.mapped[m.Space][c].Canonical
			if common, ok := j.tree.Common(wanted.Canonical, found); ok && (over == "" || j.tree.depth(common) > j.tree.depth(over)) {
				near, over = found, common
			}
		}
	}
	if near != "" {
		why += fmt.Sprintf("; the nearest that is known is %s, of %s", near, over)
	}
	return why
}

// list joins names and leaves the many out.
func list(names []string) string {
	const most = 6
	if len(names) > most {
		return fmt.Sprintf("%s, … (%d)", strings.Join(names[:most-1], ", "), len(names))
	}
	return strings.Join(names, ", ")
}

// WriteTable prints a plan for people.
func (p Plan) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "class\tmodel\tits classes\tproposed as\twhy")
	for _, s := range p.Classes {
		as := s.As
		if s.Fit == FitSuper {
			as += ", to be refined"
		}
		if s.Model == "" {
			as = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", s.Class, cmp.Or(s.Model, "nobody"), cmp.Or(list(s.From), "-"), as, s.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range p.Notes {
		if _, err := fmt.Fprintln(w, "note:", n); err != nil {
			return err
		}
	}
	return nil
}

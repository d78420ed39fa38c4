package taxonomy

import (
	"log/slog"
	"sync"

	"gleaner/schemas"
)

// Translations translate in a running system: by the taxonomy that a dataset's rules name, else by the newest that maps the
// dataset, into the classes that its rules want, else into all of its own. It is safe for concurrent use.
type Translations struct {
	trees *Registry
	log   *slog.Logger

	mu   sync.Mutex
	made map[translation]*Translator // nil: the classes stay as they are
}

// translation is what a translator is made of.
type translation struct {
	dataset, model string // id
	tree           *Tree
	rules          string // id
}

// maxTranslators bounds those that are kept; a new taxonomy or new rules leave old ones behind.
const maxTranslators = 1000

// NewTranslations makes none yet.
func NewTranslations(trees *Registry, log *slog.Logger) *Translations {
	return &Translations{trees: trees, log: log, made: map[translation]*Translator{}}
}

// Translate returns a model's detections by the classes that a dataset wants, without those that it has no use for, and the
// classes that the model can give the dataset. Both are the model's own where no taxonomy maps the dataset, the model's label
// space is not known, or the dataset's rules want what their taxonomy does not know, which is logged once.
func (t *Translations) Translate(dataset string, m schemas.Model, found []schemas.Object) (objects []schemas.Object, classes []string) {
	tr := t.translator(dataset, ModelOf(m))
	if tr == nil {
		return found, m.Classes
	}
	return tr.Objects(found), tr.classes
}

// Path is that of the dataset's taxonomy (Registry).
func (t *Translations) Path(dataset, class string) []string { return t.trees.Path(dataset, class) }

func (t *Translations) translator(dataset string, m Model) *Translator {
	rules := t.trees.rulesOf(dataset)
	tree, ok := t.trees.For(dataset)
	if m.Space == "" || !ok && rules.Taxonomy == "" {
		return nil
	}
	key := translation{dataset, m.ID, tree, rules.ID}
	t.mu.Lock()
	defer t.mu.Unlock()
	tr, known := t.made[key]
	if known {
		return tr
	}
	if len(t.made) >= maxTranslators {
		clear(t.made)
	}
	if !ok {
		t.log.Warn("models' classes stay as they are: the taxonomy that the rules name is not registered", "dataset", dataset, "model", m.ID, "taxonomy", rules.Taxonomy)
	} else {
		var err error
		if tr, err = tree.Translator(m, dataset, WantsOf(rules)); err != nil {
			t.log.Warn("models' classes stay as they are", "dataset", dataset, "model", m.ID, "label_space", m.Space, "error", err)
		}
	}
	t.made[key] = tr
	return tr
}

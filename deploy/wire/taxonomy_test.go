package wire

import (
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// TestPlannable: of a name the newest version is planned with, by number, unless another serves the dataset; none that was removed.
func TestPlannable(t *testing.T) {
	r := prelabel.NewRegistry()
	for _, id := range []string{"a@9", "a@10", "b@1", "b@2", "b@3", "c@1", "c@draft"} {
		name, version, _ := strings.Cut(id, "@")
		r.Models[id] = schemas.Model{ID: id, Name: name, Version: version}
	}
	r.Removed["b@3"] = schemas.ModelRemoval{ID: "b@3"}
	r.Serving["street"] = schemas.Serving{ModelSet: schemas.ModelSet{Models: []string{"a@9"}, Canary: []string{"b@1", "b@2"}, Share: 0.5}}
	for dataset, want := range map[string][]string{"pets": {"a@10", "b@2", "c@1"}, "street": {"a@9", "b@1", "b@2", "c@1"}} {
		var got []string
		for _, m := range plannable(r, dataset) {
			got = append(got, m.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", dataset, got, want)
		}
	}
}

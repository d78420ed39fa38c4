package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel/convention"
)

// TestCorrections: what people make of a model's proposals comes from the desk into ClickHouse, and the dataset's convention out of
// it, measured against the model's own boxes; an erased sample's part in it goes.
func TestCorrections(t *testing.T) {
	const count = 24
	i := install(t)
	s := i.up(t)
	conn := s.connect(t)
	drawn := geometry.Box{X1: 10, Y1: 10, X2: 60, Y2: 50} // what ana always draws
	model := drawn
	model.X2 = 50 // she draws a quarter wider on the right
	for n := range count {
		id := schemas.NewSampleID("street", strconv.Itoa(n), schemas.Hash{})
		p := schemas.Object{ID: "p1", Class: "car", Score: 0.5, Source: "m@1", Box: model}
		if n%2 == 0 {
			p.Box, p.Raw = drawn, model // moved already
		}
		sample := schemas.Sample{
			ID: id, Group: id, Dataset: "street", UniqueID: strconv.Itoa(n), Task: "detect", Stage: schemas.StageLinted, Rank: schemas.RankAutomatic,
			Image:     schemas.ImageRef{SHA256: schemas.Hash{byte(n)}, Size: 10, MediaType: "image/jpeg", W: 320, H: 240},
			Proposals: []schemas.Object{p, {ID: "p2", Class: "bus", Score: 0.1, Source: "m@1", Box: model}},
			Objects:   []schemas.Object{p},
			Stamps:    []schemas.Stamp{{Step: "prelabel", Model: "m@1"}},
		}
		value, err := schemas.EncodeSample(&sample)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Kafka.Append(t.Context(), schemas.Record{Topic: schemas.Linted, Key: []byte(id.String()), Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, patience, "every sample has a task", func() bool { return len(must(s.tasks("street", schemas.TaskOpen))(t)) == count })
	for _, task := range must(s.tasks("street", schemas.TaskOpen))(t) {
		if !must(s.label(task, "car"))(t) {
			t.Fatalf("task %s is not taken", task.ID)
		}
	}
	outcomes := func() string {
		return strings.Join(s.sql(t, "SELECT class, outcome, count() FROM correction_latest WHERE dataset = 'street' AND actor = 'ana' GROUP BY class, outcome ORDER BY class"), ", ")
	}
	want := fmt.Sprintf("bus\trejected\t%d, car\taccepted\t%d", count, count)
	eventually(t, patience, "the corrections are stored", func() bool { return outcomes() == want })

	estimates := decode[[]convention.Estimate](t, i, "dataset", "conventions", "street")
	at := slices.IndexFunc(estimates, func(e convention.Estimate) bool { return e.Class == "car" && e.Model == "m@1" })
	if at < 0 || estimates[at].N != count {
		t.Fatalf("estimates %+v, want one of %d cars", estimates, count)
	}
	for edge, o := range estimates[at].Edges {
		if right := convention.Edges[edge] == "right"; o.Applied != right || right && (o.Mean < 0.2 || o.Mean > 0.26) {
			t.Errorf("%s: %+v; only right is moved, by a quarter", convention.Edges[edge], o)
		}
	}
	if text := i.ok(t, "dataset", "conventions", "street"); !strings.Contains(text, "applied") {
		t.Errorf("conventions for people:\n%s", text)
	}
	if text := i.ok(t, "dataset", "conventions", "nowhere"); !strings.Contains(text, "nothing is known of nowhere") {
		t.Errorf("conventions of an unknown dataset:\n%s", text)
	}
	i.ok(t, "erase", "0", "--dataset", "street")
	if got, want := outcomes(), fmt.Sprintf("bus\trejected\t%d, car\taccepted\t%d", count-1, count-1); got != want {
		t.Errorf("after an erasure %q, want %q", got, want)
	}
}

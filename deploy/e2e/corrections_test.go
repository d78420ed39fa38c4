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
	"gleaner/stages/prelabel/learned"
)

// TestCorrections: what people make of two models' proposals comes from the desk into ClickHouse, and out of it the dataset's
// convention, measured against the models' own boxes, what scores are worth, and how to fuse the two; an erased sample's part in
// it goes.
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
			Proposals: []schemas.Object{p, {ID: "p2", Class: "bus", Score: 0.1, Source: "m@1", Box: model}, {ID: "p3", Class: "car", Score: 0.3, Source: "n@1", Box: drawn}},
			Objects:   []schemas.Object{p},
			Stamps:    []schemas.Stamp{{Step: "prelabel", Model: "m@1"}, {Step: "prelabel", Model: "n@1"}, {Step: "superpixel", Model: "slic-fast@2"}},
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
	want := fmt.Sprintf("bus\trejected\t%d, car\taccepted\t%d", count, 2*count)
	eventually(t, patience, "the corrections are stored", func() bool { return outcomes() == want })

	known := decode[learned.Known](t, i, "dataset", "learned", "street")
	estimates := known.Conventions
	at := slices.IndexFunc(estimates, func(e convention.Estimate) bool { return e.Class == "car" && e.Model == "m@1" })
	if at < 0 || estimates[at].N != count {
		t.Fatalf("estimates %+v, want one of %d cars", estimates, count)
	}
	for edge, o := range estimates[at].Edges {
		if right := convention.Edges[edge] == "right"; o.Applied != right || right && (o.Mean < 0.2 || o.Mean > 0.26) {
			t.Errorf("%s: %+v; only right is moved, by a quarter", convention.Edges[edge], o)
		}
	}
	for _, model := range []string{"m@1", "n@1"} {
		if l := known.Calibration.All.Below[model]; l == nil || l.Below[""].Below["car"].N != count {
			t.Errorf("calibration of %s: %+v", model, l)
		}
	}
	if len(known.Fusion) != 1 || known.Fusion[0].Images != count || len(known.Fusion[0].Trials) != 3 || len(known.Fusion[0].Models) != 2 {
		t.Errorf("fusion %+v, want one of both models by %d images", known.Fusion, count)
	}
	if text := i.ok(t, "dataset", "learned", "street"); !strings.Contains(text, "applied") || !strings.Contains(text, "FUSION of m@1 and n@1") {
		t.Errorf("for people:\n%s", text)
	}
	if text := i.ok(t, "dataset", "learned", "nowhere"); !strings.Contains(text, "nothing is known of nowhere") {
		t.Errorf("of an unknown dataset:\n%s", text)
	}
	i.ok(t, "erase", "0", "--dataset", "street")
	if got, want := outcomes(), fmt.Sprintf("bus\trejected\t%d, car\taccepted\t%d", count-1, 2*(count-1)); got != want {
		t.Errorf("after an erasure %q, want %q", got, want)
	}
}

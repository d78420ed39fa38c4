package schemas

// Tests of what is JSON on topics and in the blob store: registry entries, events, bodies of commands.

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gleaner/schemas/geometry"
)

type jsonCase struct {
	name   string
	value  any
	decode func([]byte) (any, error)
}

func jsonOf[T any](name string, value T) jsonCase {
	return jsonCase{name, value, func(b []byte) (any, error) {
		var back T
		err := json.Unmarshal(b, &back)
		return back, err
	}}
}

func jsonCases() []jsonCase {
	id, blob := SampleID{1}, BlobRef{Key: "bodies/ab/abcd", Size: 12}
	return []jsonCase{
		jsonOf("model", Model{
			ID: "yolox_nano@1", Name: "yolox_nano", Version: "1", SHA256: Hash{1}, File: BlobRef{Key: ModelKey(Hash{1}), Size: 12}, Task: TaskDetect,
			Decode: Decode{Decoder: "yolox"}, Classes: []string{"car", "person"}, LabelSpace: "coco@2017", License: "Apache-2.0", Metrics: map[string]float64{"ap50": 0.5}, At: testTime,
		}),
		jsonOf("serving", Serving{
			Dataset: "street", ModelSet: ModelSet{Models: []string{"a@1", "b@2"}, Canary: []string{"a@2", "b@2"}, Share: 0.1},
			Previous: &ModelSet{Models: []string{"a@1"}}, Actor: "alice", At: testTime,
		}),
		jsonOf("model_removal", ModelRemoval{ID: "a@1", Actor: "alice", At: testTime}),
		jsonOf("dataset_version", DatasetVersion{
			ID: "street@0123456789ab", Dataset: "street", Version: "0123456789ab", SHA256: Hash{2}, Members: blob, Count: 2,
			Splits: map[string]int{"train": 1, "test": 1}, Classes: map[string]int{"car": 3}, Rule: DefaultSplitRule(), Previous: "street@ba9876543210",
			Note: "trained on", At: testTime,
		}),
		jsonOf("dataset_rules", DatasetRules{
			Kind: KindRules, ID: "street@0123456789ab", Version: "0123456789ab", At: testTime, Dataset: "street", Taxonomy: "street@1",
			Objects: []ObjectRule{{
				Class: "car", Canonical: "vehicle", MinSize: MinSize{Width: 8, Height: 8, Area: 100, Unit: SizePixels},
				Attributes: []AttributeRule{{Name: "color", Values: []string{"red", "blue"}, Required: true}},
				Occlusion:  Occlusion{Policy: PolicySkip, Above: 0.8}, Truncation: PolicyMark, MaxCount: 50, Severity: SeverityWarn,
			}},
			Predicates: []Predicate{{Name: "flat", When: "object.height > object.width", Message: "A car is wider than high.", Severity: SeverityWarn, Applies: AppliesBoth}},
			Image:      []Predicate{{Name: "some", When: "objects.size() == 0", Message: "Every image shows a car."}},
			Decisions: []Decision{{
				Name: "again", Action: ActionOversample, When: "forgetting_events > 3.0", Until: "forgetting_events < 2.0", Persist: 2, By: "el2n", Factor: "2.0", Limit: 100, Message: "It is forgotten.",
			}, {Name: "small", Action: ActionDistill, When: "stability > 0.9", By: "el2n", Top: 20}},
		}),
		jsonOf("member", Member{
			SampleID: id, UniqueID: "cam-1/0001.jpg", Image: Hash{3}, Group: SampleID{9}, Split: SplitVal, Rank: RankHuman, Revision: 4,
			Objects: 2, Labels: Hash{4}, Slices: map[string]string{"weather": "rain"},
		}),
		jsonOf("taxonomy", Taxonomy{
			ID: "street@1", Name: "street", Version: "1", Nodes: []TaxonomyNode{{Name: "vehicle"}, {Name: "car", Parent: "vehicle"}},
			Mappings: []ClassMapping{{Dataset: "street@0123456789ab", Class: "auto", Canonical: "car", Relation: RelationExact}, {Dataset: "street@0123456789ab", Class: "crowd", Relation: RelationIgnore}}, At: testTime,
		}),
		jsonOf("selection", Selection{
			ID: "street/doubtful/run-7/1", Dataset: "street", DatasetVersion: "street@0123456789ab", Kind: "doubtful", Method: "aum", RunID: "run-7",
			Seed: 5, At: testTime, AsOf: testTime.Add(-time.Minute), Picks: []Pick{{SampleID: id, ObjectID: "o1", Score: 2.5, Weight: 1, Reason: "never learned"}}, Blob: &blob,
		}),
		jsonOf("trigger", Trigger{
			ID: "t1", Dataset: "street", DatasetVersion: "street@0123456789ab", Kind: "distill", Class: "car", Reason: "stable",
			Evidence: map[string]float64{"runs": 3}, At: testTime,
		}),
		jsonOf("run", Run{
			RunID: "run-7", Attempt: 2, Model: "probe@3", Dataset: "street", DatasetVersion: "street@0123456789ab", Epochs: 30, Rows: 900, Seed: 5,
			Metrics: map[string]float64{"val_accuracy": 0.75}, Started: testTime, Finished: testTime.Add(time.Minute),
		}),
		jsonOf("tombstone", Tombstone{SampleID: id, Dataset: "street", Image: Hash{3}, Actor: "alice", Reason: "asked for", At: testTime}),
		jsonOf("ref", Ref{URL: "https://example.org/a.jpg", SHA256: Hash{5}}),
		jsonOf("annotation", Annotation{
			Objects: []Object{
				{ID: "o1", Class: "car", Box: geometry.Box{X1: 1, Y1: 2, X2: 3.5, Y2: 4}, Score: 0.5, Source: "person:alice"},
				{ID: "o2", Class: "vehicle", Source: "yolox_nano@1", Canonical: "vehicle", Lineage: "street@1 coco@2017:car<vehicle", Refine: true},
			},
			Overrides: []Override{{Type: FindingLoss, ObjectID: "o1", Class: "car", Box: geometry.Box{X1: 1, Y1: 2, X2: 3.5, Y2: 4}, Why: "never learned", Reason: "a rare car"}},
			Findings:  []Finding{{Type: FindingMissing, Class: "car", Box: geometry.Box{X2: 5, Y2: 5}, Score: 0.5, Why: "a car here"}},
		}),
		jsonOf("genesis", GenesisBody{Genesis: "g", Fold: 1}),
		jsonOf("upgrade", UpgradeBody{Fold: 2}),
		jsonOf("tick", TickBody{Offset: 1000, Hash: Hash{6}}),
		jsonOf("create", CreateBody{
			SampleID: id, Dataset: "street", UniqueID: "cam-1/0001.jpg", Task: "detect", Queue: "night", Priority: 1.5, Reason: "doubt", Body: blob,
			Reopen: true, Revision: 4,
		}),
		jsonOf("claim", ClaimBody{TaskID: TaskID(id, "detect"), Queue: "night", Lease: time.Minute}),
		jsonOf("task", TaskBody{TaskID: TaskID(id, "detect"), Version: 2, Reason: "blurred"}),
		jsonOf("draft", DraftBody{TaskID: TaskID(id, "detect"), Version: 2, Draft: blob}),
		jsonOf("submit", SubmitBody{TaskID: TaskID(id, "detect"), Version: 2, Annotation: blob}),
		jsonOf("reprioritize", ReprioritizeBody{TaskID: TaskID(id, "detect"), Priority: 2, Reason: "urgent"}),
		jsonOf("erase", EraseBody{SampleID: id}),
	}
}

// What a released version wrote must decode, to the same values, for as long as its topic exists, by readers that know fewer
// fields too. Any change of what is written shows here.
func TestGoldenJSON(t *testing.T) {
	for _, c := range jsonCases() {
		path := filepath.Join("testdata", c.name+".v1.json")
		now, err := CanonicalJSON(c.value)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(path, append(now, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v: write it with go test ./schemas -run TestGoldenJSON -update", err)
		}
		now = append(now, '\n')
		if !bytes.Equal(now, golden) {
			t.Errorf("%s: written now as\n%s, was\n%s", path, now, golden)
		}
		got, err := c.decode(golden)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if d := diff(c.value, got); d != "" {
			t.Errorf("%s: -want +got\n%s", path, d)
		}
		newer := append(bytes.TrimSuffix(bytes.TrimSpace(golden), []byte("}")), `,"field_of_a_later_version":[1]}`...)
		if got, err = c.decode(newer); err != nil || diff(c.value, got) != "" {
			t.Errorf("%s with a field more: %v %v", path, got, err)
		}
	}
}

// Ids of registry entries are digests of this form: equal values must have one form only, and it must be their own.
func FuzzCanonicalJSON(f *testing.F) {
	f.Add([]byte(`{"b":[1.0,2e3,-0.0,1e-9,9007199254740993],"a":"\u20ac\ud83d\ude00\n"}`))
	f.Add([]byte(`[null,true,"\ud800"]`))
	for _, c := range jsonCases() {
		b, err := json.Marshal(c.value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		one, err := CanonicalJSON(json.RawMessage(b))
		if err != nil {
			return
		}
		if !json.Valid(one) {
			t.Fatalf("%q is written as %q, which is no JSON", b, one)
		}
		two, err := CanonicalJSON(json.RawMessage(one))
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%q is written as %q, and that as %q: %v", b, one, two, err)
		}
	})
}

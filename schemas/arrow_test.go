package schemas

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas/geometry"
)

var testTime = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

func testSample() Sample {
	id := NewSampleID("street", "cam-1/0001.jpg", Hash{})
	fix := geometry.Box{X1: 1, Y1: 2, X2: 30.5, Y2: 40.25}
	return Sample{
		ID: id, Dataset: "street", UniqueID: "cam-1/0001.jpg", Task: "detect",
		Image:  ImageRef{SHA256: Hash{1, 2, 3}, Size: 5, MediaType: "image/jpeg", W: 640, H: 480, Inline: []byte("\xff\xd8\xff\xe0\x00")},
		Slices: map[string]string{"weather": "rain", "night": "no"}, PHash: 1 << 63, Group: SampleID{9},
		Received: testTime, Stage: StageLinted, Revision: 3, Rank: RankHuman,
		Objects:     []Object{{ID: "o1", Class: "car", Box: geometry.Box{X1: 0.5, Y1: 1, X2: 30, Y2: 40}, Score: 0.75, Source: "yolox_nano@1"}, {ID: "o2", Class: "人"}},
		Proposals:   []Object{{ID: "p1", Class: "car", Score: 0.0625}},
		Superpixels: Superpixels{Count: 2, Encoding: "labelmap/1", Data: []byte{1, 2, 3}},
		Findings: []Finding{
			{Type: FindingLocation, ObjectID: "o1", Class: "car", Box: geometry.Box{X2: 5, Y2: 5}, Score: 0.5, Why: "the box is loose", Fix: &fix},
			{Type: FindingMissing, Class: "person", Score: 1, Why: "nobody labeled this person"},
		},
		Stamps: []Stamp{{Step: "ingest", Version: "0.1.0", At: testTime, Millis: 1.5}, {Step: "prelabel", Model: "yolox_nano@1", Hash: "ab"}},
		Actor:  "alice",
	}
}

func TestSampleRoundTrip(t *testing.T) {
	for name, want := range map[string]Sample{
		"full":    testSample(),
		"minimal": {ID: SampleID{1}, Dataset: "d", Task: "detect", Group: SampleID{1}},
	} {
		b, err := EncodeSample(&want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := DecodeSample(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

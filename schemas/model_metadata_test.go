package schemas

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModelMetadata(t *testing.T) {
	want := ModelMetadata{
		Classes: []string{"cat", "dog"},
		Decode:  Decode{Decoder: "classifier", Input: DecodeInput{Resize: ResizeArea, Channels: ChannelsRGB, Mean: []float32{1, 2, 3}, Std: []float32{4, 5, 6.5}}, Activation: ActivationSoftmax},
		Run:     &Run{RunID: "r", Attempt: 2, Metrics: map[string]float64{"val_accuracy": 0.5}},
	}
	properties, err := want.Properties()
	if err != nil {
		t.Fatal(err)
	}
	properties["names"] = "{0: 'cat'}" // another's
	got, err := ParseModelMetadata(properties)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for key, values := range map[string][]string{
		metadataClasses: {"", "{}", `["a","a"]`, `["a",""]`, `["a\u0000"]`, `["a"] 1`},
		metadataDecode:  {`{"decoder":1}`, `{"normalize":"sometimes"}`, `{"input":{"std":[0,1,1]}}`},
		metadataRun:     {"7"},
	} {
		for _, value := range values {
			if _, err := ParseModelMetadata(map[string]string{key: value}); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s %q: %v, want an error that names the key", key, value, err)
			}
		}
	}
}

// FuzzParseModelMetadata wants what is read to be read again from what is written of it.
func FuzzParseModelMetadata(f *testing.F) {
	f.Add(`["a","b"]`, `{"decoder":"classifier"}`, `{"run_id":"r"}`)
	f.Fuzz(func(t *testing.T, classes, decode, run string) {
		m, err := ParseModelMetadata(map[string]string{metadataClasses: classes, metadataDecode: decode, metadataRun: run})
		if err != nil {
			return
		}
		properties, err := m.Properties()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseModelMetadata(properties); err != nil || !cmp.Equal(m.Classes, again.Classes) {
			t.Errorf("%v: %+v became %+v", err, m, again)
		}
	})
}

package coreset

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
)

func TestReadList(t *testing.T) {
	const id = "3f0c2a9d5b7e41c8a6d2f1e0b9c8d7a6"
	got, err := ReadList(strings.NewReader("\ufeff# kept\r\n\r\n "+id+" \n0001.jpg\r\n"), "street")
	want, _ := schemas.ParseSampleID(id)
	if err != nil || !slices.Equal(got, []schemas.SampleID{want, schemas.NewSampleID("street", "0001.jpg", schemas.Hash{})}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := ReadList(strings.NewReader("a\nb\n"+strings.Repeat("x", maxListLine+1)), "street"); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a line that is too long: %v", err)
	}
}

func FuzzReadList(f *testing.F) {
	f.Add([]byte("# a comment\n3f0c2a9d5b7e41c8a6d2f1e0b9c8d7a6\n0001.jpg\n"))
	f.Add([]byte("\xff\xfe\x00\n\r"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ids, err := ReadList(bytes.NewReader(data), "d")
		if err == nil && len(ids) > bytes.Count(data, []byte("\n"))+1 {
			t.Fatalf("%d samples in %d lines", len(ids), bytes.Count(data, []byte("\n"))+1)
		}
		// What was read can be written, and is read as the same.
		var again bytes.Buffer
		for _, id := range ids {
			again.WriteString(id.String() + "\n")
		}
		if same, err := ReadList(&again, "other"); err != nil || !slices.Equal(same, ids) {
			t.Fatalf("%v became %v, %v", ids, same, err)
		}
	})
}

package schemas

import (
	"strings"
	"testing"
)

func TestCheckDataset(t *testing.T) {
	for name, ok := range map[string]bool{
		"street": true, "org/street 2": true, "straße": true, strings.Repeat("x", 200): true,
		"": false, ".": false, "..": false, "a@b": false, "a\nb": false, " a": false, "\xff": false,
		strings.Repeat("x", 201): false, strings.Repeat("/", 150): false,
	} {
		if err := CheckDataset(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

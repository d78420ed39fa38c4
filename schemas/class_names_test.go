package schemas

import (
	"slices"
	"strings"
	"testing"
)

func TestParseClassNames(t *testing.T) {
	for text, want := range map[string][]string{
		`{0: 'person', 1: "driver's cab"}`:        {"person", "driver's cab"},
		`{1: 'b', 0: 'a'}`:                        {"a", "b"},
		`{0: 'it\'s "new"', 1: 'a\\b\xa0\u4e00'}`: {`it's "new"`, "a\\b\u00a0一"},
		`{0:'{1: x, }'}`:                          {"{1: x, }"},
		` ['a', 'b'] `:                            {"a", "b"},
		`{}`:                                      {},
	} {
		if got, err := ParseClassNames(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`{0: 'a', 2: 'b'}`:            "class id 1 is missing: want 0 to 1 for 2 names",
		`{1: 'a'}`:                    "class id 0 is missing",
		`{0: 'a', 0: 'b'}`:            "class id 0 is there twice",
		`{0: 'a', 1: 'a'}`:            `"a" is there twice`,
		`{0: ''}`:                     "a class without a name",
		`{0: 'a\n'}`:                  "no printable text",
		`{0: 'a' 1: 'b'}`:             "byte 8: want , or }",
		`{0: 'a'`:                     "byte 7: want , or }",
		`{0: 'a`:                      "byte 6: want the closing quote",
		`{0: 'a\`:                     "byte 6: want an escape sequence",
		`{-1: 'a'}`:                   "byte 1: want a class id",
		`{99999999999999999999: 'a'}`: "byte 1: want a class id",
		`{"0": "a"}`:                  "byte 1: want a class id",
		`{0 'a'}`:                     "byte 3: want :",
		`{0: a}`:                      "byte 4: want a name in quotes",
		`{0: 'a'}, 1`:                 "byte 8: want nothing more",
		`person, car`:                 "byte 0: want { or [",
		``:                            "byte 0: want { or [",
		"['\xff']":                    "no UTF-8",
	} {
		if got, err := ParseClassNames(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

// FuzzParseClassNames wants no panic, and names that the registry takes.
func FuzzParseClassNames(f *testing.F) {
	for _, text := range []string{`{0: 'a', 1: "it's"}`, `['a\'\x41']`, `{1: 'b', 0: 'a'}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if names, err := ParseClassNames(text); err == nil && CheckClasses(names) != nil {
			t.Errorf("%q: read %q", text, names)
		}
	})
}

package rules

import (
	"strings"
	"testing"

	"gleaner/schemas"
)

// TestWarnings holds comparisons that can hardly be meant so to be told, each by its place, and others not to be.
func TestWarnings(t *testing.T) {
	for when, want := range map[string]string{
		`object.class == "dgo"`:                                         `line 1, column 14 of the expression: "dgo" is none of the classes wanted: dog, cat`,
		`object.class in ["dog", "dgo"]`:                                `"dgo" is none`,
		`"dgo" != object.class && object.width > 3.0`:                   `"dgo" is none`,
		`image.dataset == "zoo"`:                                        `the rules are those of dataset d, not of "zoo"`,
		`object.score > 2.0`:                                            `score > 2 is never true: score lies within 0 and 1`,
		`2 < object.score || object.class == "dog"`:                     `score > 2 is never true`,
		`object.score <= 1.0`:                                           `score <= 1 is always true`,
		`object.width < 0.0`:                                            `width < 0 is never true: width is at least 0`,
		`image.height == -1.0`:                                          `height == -1 is never true`,
		`object.class == "dog" && object.score == 1.0`:                  "",
		`object.attributes["class"] == "dgo" || object.source == "dgo"`: "",
		`object.width - 2.0 < 0.0 || object.x1 < -3.0`:                  "",
	} {
		r := schemas.DatasetRules{Dataset: "d", Objects: []schemas.ObjectRule{{Class: "dog"}, {Class: "cat"}}, Predicates: []schemas.Predicate{{Name: "p", When: when, Message: "m"}}}
		warned(t, r, when, want)
	}
	for when, want := range map[string]string{
		`objects.exists(a, objects.exists(b, iou(a, b) > 1.0))`: "iou > 1 is never true",
		`objects.exists(o, o.class == "dgo")`:                   "",
	} {
		warned(t, schemas.DatasetRules{Dataset: "d", Image: []schemas.Predicate{{Name: "p", When: when, Message: "m"}}}, when, want)
	}
}

func warned(t *testing.T, r schemas.DatasetRules, when, want string) {
	t.Helper()
	set, err := Compile(r)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	got, err := set.Warnings()
	if all := strings.Join(got, "; "); err != nil || (want == "") != (len(got) == 0) || !strings.Contains(all, want) {
		t.Errorf("%s: %q, %v, want %q", when, all, err, want)
	}
}

package cli

import (
	"strings"
	"testing"

	"gleaner/stages/prelabel/convention"
)

func TestPrintConventions(t *testing.T) {
	var out strings.Builder
	e := convention.Estimate{Class: "car", Model: "yolox@1", N: 50}
	e.Edges[3] = convention.Offset{Mean: -0.1, Low: -0.12, High: -0.08, N: 48, Applied: true}
	if err := printConventions(&out, "street", []convention.Estimate{e}); err != nil {
		t.Fatal(err)
	}
	want := `class  model    edge    offset %  95 % interval  n   
car    yolox@1  left    +0.0      +0.0 to +0.0   0   
car    yolox@1  top     +0.0      +0.0 to +0.0   0   
car    yolox@1  right   +0.0      +0.0 to +0.0   0   
car    yolox@1  bottom  -10.0     -12.0 to -8.0  48  applied
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := printConventions(&out, "street", nil); err != nil || !strings.Contains(out.String(), "nothing is known of street") {
		t.Errorf("without corrections: %q, %v", out.String(), err)
	}
}

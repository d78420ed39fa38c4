package prelabel

import (
	"fmt"
	"strings"
)

// Decoders lists for people what a spec may name as its decoder, one a line: the shapes that it takes, with A cells, N boxes, Q queries, C
// classes and B bins of a distance, and the parts of a schemas.Decode, besides decoder and input, that it has a use for.
func Decoders() string {
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintf(&b, "  %-11s %s\n  %-11s   with %s\n", f.name, f.takes, "", strings.ReplaceAll(f.uses, " ", ", "))
	}
	return b.String()
}

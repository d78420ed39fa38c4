package taxonomy

import (
	_ "embed"
	"fmt"
	"strings"

	"gleaner/schemas"
)

//go:embed coco.tsv
var cocoTable string

// COCO is the taxonomy that comes along: COCO's 80 classes below its super-categories, and its label spaces coco@2017, by the
// names of the annotations, and coco@darknet, by those of coco.names. It is meant to be extended by the classes of one's own.
func COCO() (schemas.Taxonomy, error) {
	t, err := ReadTSV(strings.NewReader(cocoTable))
	if err != nil {
		return t, fmt.Errorf("coco.tsv: %w", err)
	}
	return Identify("coco", t)
}

package schemas

import (
	"fmt"
	"strings"
)

// TensorSpec is one input or output of a model's graph.
type TensorSpec struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`  // "float32", "int64", …
	Shape []int64 `json:"shape"` // -1 where the graph leaves a dimension open
}

// String writes the tensor as `images float32[1,3,416,416]`, an open dimension as "?".
func (t TensorSpec) String() string {
	dims := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		dims[i] = "?"
		if d >= 0 {
			dims[i] = fmt.Sprint(d)
		}
	}
	return fmt.Sprintf("%s %s[%s]", t.Name, t.Type, strings.Join(dims, ","))
}

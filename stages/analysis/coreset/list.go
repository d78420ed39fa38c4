package coreset

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"gleaner/schemas"
)

// maxListLine is how long a line of a list may be, in bytes.
const maxListLine = 64 << 10

// ReadList reads a list of samples, one a line: a sample id of 32 hex digits, or a unique id of the dataset. White space around them,
// empty lines, and lines that begin with # are passed over. Errors name the line.
func ReadList(r io.Reader, dataset string) ([]schemas.SampleID, error) {
	var out []schemas.SampleID
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxListLine)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, err := schemas.ParseSampleID(line)
		if err != nil {
			id = schemas.NewSampleID(dataset, line, schemas.Hash{})
		}
		out = append(out, id)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	return out, nil
}

package taxonomy

// The table that people write: lines of three columns, class, relation and canonical, separated by tabs. The first line names
// the columns. It reads as a list of sentences: of the tree ("animal root", "dog child animal") and of label spaces
// ("coco@2017:dog exact dog", "street@1:police car narrower car", "street@1:crowd ignore"). Lines with nothing but tabs, which
// spreadsheets make of empty rows, and those that begin with # are passed over; a byte order mark and CRLF are accepted. Classes
// and mappings keep their order.

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gleaner/schemas"
)

const (
	header        = "class\trelation\tcanonical"
	relationRoot  = "root"
	relationChild = "child"

	maxTable = 4 << 20 // bytes, which is what a message of the taxonomies topic may hold
)

// ReadTSV reads a table. Where the error is Problems, it is all that is wrong, by line and column. The taxonomy has no name
// yet: Identify gives it one.
func ReadTSV(r io.Reader) (schemas.Taxonomy, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return schemas.Taxonomy{}, fmt.Errorf("taxonomy: %w", err)
	}
	if len(data) > maxTable {
		return schemas.Taxonomy{}, fmt.Errorf("taxonomy: the table is larger than %d bytes", maxTable)
	}
	var t table
	begun := false
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	lines.Buffer(nil, maxTable+1)
	for lines.Scan() {
		t.line++
		switch line := lines.Text(); {
		case strings.Trim(line, "\t") == "" || line[0] == '#':
		case begun:
			t.read(line)
		case line != header:
			t.wrong(1, "want the names of the columns first: class, relation, canonical, separated by tabs")
			return schemas.Taxonomy{}, t.problems
		default:
			begun = true
		}
	}
	if err := lines.Err(); err != nil {
		return schemas.Taxonomy{}, fmt.Errorf("taxonomy: line %d: %w", t.line+1, err)
	}
	if !begun {
		return schemas.Taxonomy{}, errors.New("taxonomy: the table is empty")
	}
	problems := slices.Concat(t.problems, check(t.taxonomy, t.at))
	if len(problems) == 0 {
		return t.taxonomy, nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	return schemas.Taxonomy{}, problems
}

// table is a table being read.
type table struct {
	line     int
	taxonomy schemas.Taxonomy
	at       positions
	problems Problems
}

func (t *table) wrong(column int, format string, args ...any) {
	t.problems = append(t.problems, Problem{t.line, column, fmt.Sprintf(format, args...)})
}

func (t *table) read(line string) {
	cells := strings.Split(line, "\t")
	if len(cells) == 2 {
		cells = append(cells, "") // spreadsheets leave out what is empty at the end
	}
	if len(cells) != 3 {
		t.wrong(min(len(cells), 4), "%d columns: want 3, separated by tabs", len(cells))
		return
	}
	class, relation, canonical := cells[0], cells[1], cells[2]
	switch relation {
	case relationRoot, relationChild:
		if (relation == relationRoot) != (canonical == "") {
			t.wrong(3, "class %q: a root has no parent and a child has one", class)
			return
		}
		t.taxonomy.Nodes = append(t.taxonomy.Nodes, schemas.TaxonomyNode{Name: class, Parent: canonical})
		t.at.nodes = append(t.at.nodes, t.line)
	case string(schemas.RelationExact), string(schemas.RelationNarrower), string(schemas.RelationBroader), string(schemas.RelationIgnore):
		space, name, ok := strings.Cut(class, ":")
		if !ok {
			t.wrong(1, "%q: want dataset@version:class", class)
			return
		}
		t.taxonomy.Mappings = append(t.taxonomy.Mappings, schemas.ClassMapping{Dataset: space, Class: name, Canonical: canonical, Relation: schemas.Relation(relation)})
		t.at.mappings = append(t.at.mappings, t.line)
	default:
		t.wrong(2, "relation %q: want root or child for a class of the tree, exact, narrower, broader or ignore for one of a label space", relation)
	}
}

// WriteTSV writes a taxonomy without problems as the table that reads as the same classes and mappings.
func WriteTSV(w io.Writer, t schemas.Taxonomy) error {
	b := []byte(header + "\n")
	for _, n := range t.Nodes {
		relation := relationChild
		if n.Parent == "" {
			relation = relationRoot
		}
		b = fmt.Appendf(b, "%s\t%s\t%s\n", n.Name, relation, n.Parent)
	}
	for _, m := range t.Mappings {
		b = fmt.Appendf(b, "%s\t%s\t%s\n", m.Key(), m.Relation, m.Canonical)
	}
	_, err := w.Write(b)
	return err
}

package taxonomy

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// TestProblemsAreNamed: everything that is wrong with a table, by line and column.
func TestProblemsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		table string // columns apart by |
		want  string
	}{
		"nothing":          {"", "taxonomy: the table is empty"},
		"no names":         {"dog|root|\n", "line 1, column 1: want the names of the columns first: class, relation, canonical, separated by tabs"},
		"columns":          {"class|relation|canonical\ndog\ndog|child|animal|now\n", "line 2, column 1: 1 columns: want 3, separated by tabs\nline 3, column 4: 4 columns: want 3, separated by tabs"},
		"relation":         {"class|relation|canonical\n# a remark\ndog|is|animal\n", `line 3, column 2: relation "is": want root or child for a class of the tree, exact, narrower, broader or ignore for one of a label space`},
		"root and child":   {"class|relation|canonical\ndog|root|animal\ncat|child\n", "line 2, column 3: class \"dog\": a root has no parent and a child has one\nline 3, column 3: class \"cat\": a root has no parent and a child has one"},
		"unknown parent":   {"class|relation|canonical\nAnimal|root\ndog|child|animal\ncat|child|pet\n", "line 3, column 3: class \"dog\": its parent \"animal\" is no class of this taxonomy; \"Animal\" is\nline 4, column 3: class \"cat\": its parent \"pet\" is no class of this taxonomy"},
		"cycle":            {"class|relation|canonical\na|child|c\nb|child|a\nc|child|b\nd|child|c\ne|child|e\n", "line 2, column 3: class \"a\" is its own ancestor: a under c under b under a\nline 6, column 3: class \"e\" is its own ancestor: e under e"},
		"names":            {"class|relation|canonical\n dog|root\n|root\ndog\x01|root\n", "line 2, column 1: class \" dog\": the name begins or ends with a space\nline 3, column 1: class \"\": the name is empty\nline 4, column 1: class \"dog\\x01\": the name holds what is no printable text"},
		"twice":            {"class|relation|canonical\ndog|root\ndog|root\n", `line 3, column 1: class "dog" is there twice`},
		"ambiguous":        {"class|relation|canonical\ntraffic light|root\nTraffic_Light|root\ntrafficlight|root\n", "line 3, column 1: class \"Traffic_Light\" is hard to tell from \"traffic light\"\nline 4, column 1: class \"trafficlight\" is hard to tell from \"traffic light\""},
		"label space":      {"class|relation|canonical\ndog|root\npets:dog|exact|dog\npets@:dog|exact|dog\na b@1:dog|exact|dog\ndog|exact|dog\n", "line 3, column 1: label space \"pets\" of class \"dog\": want dataset@version, without spaces or colons\nline 4, column 1: label space \"pets@\" of class \"dog\": want dataset@version, without spaces or colons\nline 5, column 1: label space \"a b@1\" of class \"dog\": want dataset@version, without spaces or colons\nline 6, column 1: \"dog\": want dataset@version:class"},
		"mapped twice":     {"class|relation|canonical\ndog|root\ncat|root\nd@1:dog|exact|dog\nd@1:dog|exact|cat\n", "line 5, column 1: d@1:dog is mapped twice"},
		"variants":         {"class|relation|canonical\ndog|root\ncat|root\nd@1:dog|exact|dog\nd@1:Dog|exact|dog\nd@1:DOG|exact|cat\n", "line 6, column 1: d@1:DOG is hard to tell from d@1:dog, which is mapped differently"},
		"unknown class":    {"class|relation|canonical\ndog|root\nd@1:hund|exact|Dog\nd@1:katze|narrower|\n", "line 3, column 3: d@1:hund: \"Dog\" is no class of this taxonomy; \"dog\" is\nline 4, column 3: d@1:katze: \"\" is no class of this taxonomy"},
		"ignored to class": {"class|relation|canonical\ndog|root\nd@1:crowd|ignore|dog\n", `line 3, column 3: d@1:crowd is ignored, so it has no canonical class: leave "dog" out`},
	} {
		_, err := ReadTSV(strings.NewReader(strings.ReplaceAll(c.table, "|", "\t")))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, c.want)
		}
	}
	_, err := Build(schemas.Taxonomy{Nodes: []schemas.TaxonomyNode{{Name: "dog", Parent: "animal"}}, Mappings: []schemas.ClassMapping{{Dataset: "d@1", Class: "x", Relation: "like"}}})
	if want := "class \"dog\": its parent \"animal\" is no class of this taxonomy\nd@1:x: relation \"like\": want exact, narrower, broader or ignore"; err == nil || err.Error() != want {
		t.Errorf("without a table: %v", err)
	}
}

func TestSpreadsheetsAreRead(t *testing.T) {
	got, err := ReadTSV(strings.NewReader("\ufeffclass\trelation\tcanonical\r\nanimal\troot\r\n\r\n\t\t\r\ndog\tchild\tanimal\r\nd@1:a:b\texact\tdog\r\n"))
	want := schemas.Taxonomy{
		Nodes:    []schemas.TaxonomyNode{{Name: "animal"}, {Name: "dog", Parent: "animal"}},
		Mappings: []schemas.ClassMapping{{Dataset: "d@1", Class: "a:b", Canonical: "dog", Relation: schemas.RelationExact}},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v, -want +got\n%s", err, d)
	}
}

func TestCOCO(t *testing.T) {
	coco, err := COCO()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Build(coco)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := tree.classes["coco@2017"], tree.classes["coco@darknet"]; len(a) != 80 || len(b) != 80 || len(tree.children[""]) != 12 {
		t.Errorf("%d and %d classes below %d roots", len(a), len(b), len(tree.children[""]))
	}
	again, err := Identify("coco", coco)
	if err != nil || again.ID != coco.ID || !strings.HasPrefix(coco.ID, "coco@") {
		t.Errorf("%q and %q: %v", coco.ID, again.ID, err)
	}
	if _, err := Identify("my coco", coco); err == nil {
		t.Error("a name of two words was accepted")
	}
}

// FuzzReadTSV: any bytes are problems on lines that there are, or a taxonomy that is written as the table that it reads from.
func FuzzReadTSV(f *testing.F) {
	f.Add([]byte("class\trelation\tcanonical\nanimal\troot\t\ndog\tchild\tanimal\ncoco@2017:dog\texact\tdog\n"))
	f.Add([]byte("class\trelation\tcanonical\na\tchild\tb\nb\tchild\ta\nd@1:x\tignore\n"))
	f.Add([]byte("\ufeffclass\trelation\tcanonical\r\n#\r\nd@1:a:b\tbroader\tc\td"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tax, err := ReadTSV(bytes.NewReader(b))
		var problems Problems
		if errors.As(err, &problems) {
			lines := bytes.Count(b, []byte("\n")) + 1
			for _, p := range problems {
				if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Column > 4 {
					t.Fatalf("%+v in a table of %d lines", p, lines)
				}
			}
		}
		if err != nil {
			return
		}
		if _, err := Build(tax); err != nil {
			t.Fatal(err)
		}
		var table bytes.Buffer
		if err := WriteTSV(&table, tax); err != nil {
			t.Fatal(err)
		}
		again, err := ReadTSV(bytes.NewReader(table.Bytes()))
		if err != nil || !reflect.DeepEqual(tax, again) {
			t.Fatalf("%v, got %+v, want %+v", err, again, tax)
		}
	})
}

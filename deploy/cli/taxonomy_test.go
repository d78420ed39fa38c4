package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTaxonomyWithoutASystem runs what needs none: the one that comes along, tables and plans from files.
func TestTaxonomyWithoutASystem(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) (string, error) {
		t.Helper()
		var out bytes.Buffer
		root := newRoot("test")
		root.SetOut(&out)
		root.SetArgs(append([]string{"taxonomy"}, args...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	coco, err := run("show", "coco", "--tsv")
	if err != nil {
		t.Fatal(err)
	}
	mine := write("mine.tsv", coco+"raccoon\tchild\tanimal\nraccoon@1:raccoon\texact\traccoon\n")
	bad := write("bad.tsv", "class\trelation\tcanonical\ndog\tchild\tanimal\n")
	names := write("names", "dog\nship\n")
	for _, c := range []struct {
		args string
		want string // of what is printed, or of the error
	}{
		{"show " + mine, "mine@"},
		{"check " + mine, "92 classes, 161 mappings of coco@2017, coco@darknet, raccoon@1"},
		{"check " + bad, "line 2, column 3: class \"dog\": its parent \"animal\" is no class of this taxonomy"},
		{"check " + mine + " --labels coco@2017=" + names, "coco@2017:ship is not mapped"},
		{"check " + mine + " --labels " + names, "want dataset@version=FILE"},
		{"plan --dataset raccoon --taxonomy " + mine + " --model m@1=coco@2017:" + names, "animal, to be refined"},
		{"plan --dataset raccoon --classes lynx --taxonomy " + mine + " --model m@1=coco@2017:" + names, `class "lynx" is neither one of raccoon@1 nor a canonical one`},
		{"plan --dataset raccoon --taxonomy coco --model m@1:" + names, "want name@version=dataset@version:FILE"},
		{"plan --dataset raccoon --taxonomy coco --data " + dir, "no system runs on"},
		{"plan --taxonomy coco", "--dataset is required"},
		{"apply " + mine, "--name is required"},
		{"apply " + mine + " --name coco", "choose another name"},
		{"apply " + bad + " --name x", "line 2, column 3"},
	} {
		out, err := run(strings.Fields(c.args)...)
		if err != nil {
			out = err.Error()
		}
		if !strings.Contains(out, c.want) {
			t.Errorf("taxonomy %s: %s\nwant %s", c.args, out, c.want)
		}
	}
}

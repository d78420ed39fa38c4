package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"gleaner/schemas"
)

// MaxFile bounds a file of rules.
const MaxFile = 128 << 10

// maxNesting bounds open brackets, and the indentation of a line; rules need a few.
const maxNesting = 100

// Read decodes a file of rules strictly and compiles them. Errors have the [line:column] of the file. The file is one YAML
// document without anchors, aliases and tags, at most MaxFile bytes.
func Read(data []byte) (*Set, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%d bytes: rules have at most %d", len(data), MaxFile)
	}
	if err := shallow(data); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, plain(err)
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		var v unshared
		ast.Walk(&v, doc.Body)
		if v.found != nil {
			return nil, positioned(v.found, "anchors, aliases, merge keys and tags are not read: write the value out")
		}
	}
	var r schemas.DatasetRules
	decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := decoder.Decode(&r); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: it needs at least dataset: NAME")
	} else if err != nil {
		return nil, plain(err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("a second document follows the first (after ---): write a file for each dataset")
	}
	s, err := Compile(r)
	if err != nil {
		return nil, locate(file, err)
	}
	return s, nil
}

// shallow refuses what is nested so deeply that the parser takes the stack, or minutes: brackets, and dashes after one another.
func shallow(data []byte) error {
	open := 0
	for n, line := range bytes.Split(data, []byte("\n")) {
		marks := len(line) - len(bytes.TrimLeft(line, " -\t?:"))
		for _, b := range line {
			switch b {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
			if open > maxNesting || marks > maxNesting {
				return fmt.Errorf("[%d:1] this is nested too deeply", n+1)
			}
		}
	}
	return nil
}

// unshared finds the first node that stands for another one, or for a type that rules have no use for.
type unshared struct{ found ast.Node }

func (v *unshared) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		v.found = n
	}
	if v.found != nil {
		return nil
	}
	return v
}

// plain is an error of the YAML library with the position that it names and the line that it is about, cut where it is long.
func plain(err error) error {
	const most = 200
	lines := strings.Split(strings.TrimSpace(yaml.FormatError(err, false, true)), "\n")
	for i, line := range lines {
		if r := []rune(line); len(r) > most {
			lines[i] = string(r[:most]) + " …"
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

func positioned(n ast.Node, message string) error {
	at := n.GetToken().Position
	return fmt.Errorf("[%d:%d] %s", at.Line, at.Column, message)
}

// locate puts the place in the file before each of the errors that Compile joined.
func locate(file *ast.File, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var out []error
	for _, err := range joined.Unwrap() {
		var field *fieldError
		if errors.As(err, &field) {
			if n := find(file, field.path); n != nil {
				err = positioned(n, field.Error())
			}
		}
		out = append(out, err)
	}
	return errors.Join(out...)
}

// find returns the node of a path, or of the nearest one above that is there.
func find(file *ast.File, path string) ast.Node {
	for path != "$" && path != "" {
		if p, err := yaml.PathString(path); err == nil {
			if n, err := p.FilterFile(file); err == nil && n != nil {
				return n
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return nil
}

// Package query holds ready queries for analysts, a file of SQL each. A file begins with a comment that says what it answers,
// then one for each of its parameters, which are ClickHouse's: -- NAME: what it is [DEFAULT].
package query

import (
	"embed"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed *.sql
var files embed.FS

// Query is one that is ready.
type Query struct {
	Name   string  `json:"name"`
	About  string  `json:"about"` // one sentence for people
	Params []Param `json:"params,omitempty"`
	SQL    string  `json:"sql"`
}

// Param is a parameter of a query.
type Param struct {
	Name    string `json:"name"`
	About   string `json:"about"`
	Default string `json:"default,omitempty"` // empty: it must be given
}

// All lists the queries by name.
func All() ([]Query, error) {
	names, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var out []Query
	for _, f := range names {
		text, err := files.ReadFile(f.Name())
		if err != nil {
			return nil, err
		}
		q, err := parse(strings.TrimSuffix(f.Name(), path.Ext(f.Name())), string(text))
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// Find returns the query of that name.
func Find(name string) (Query, error) {
	all, err := All()
	if err != nil {
		return Query{}, err
	}
	var names []string
	for _, q := range all {
		if q.Name == name {
			return q, nil
		}
		names = append(names, q.Name)
	}
	return Query{}, fmt.Errorf("query %q: there are %s", name, strings.Join(names, ", "))
}

var (
	paramLine = regexp.MustCompile(`^(\w+): (.*?)(?: \[(.+)\])?$`)
	paramUsed = regexp.MustCompile(`\{(\w+):\s*\w+\}`)
)

func parse(name, text string) (Query, error) {
	q := Query{Name: name}
	for line := range strings.Lines(text) {
		comment, ok := strings.CutPrefix(line, "-- ")
		comment = strings.TrimSpace(comment)
		m := paramLine.FindStringSubmatch(comment)
		switch {
		case !ok || q.SQL != "":
			q.SQL += line
		case q.About == "":
			q.About = comment
		case m == nil:
			return q, fmt.Errorf("query %s: %q: want NAME: what it is [DEFAULT]", name, comment)
		default:
			q.Params = append(q.Params, Param{m[1], m[2], m[3]})
		}
	}
	used := map[string]bool{}
	for _, m := range paramUsed.FindAllStringSubmatch(q.SQL, -1) {
		used[m[1]] = true
	}
	for _, p := range q.Params {
		if !used[p.Name] {
			return q, fmt.Errorf("query %s: parameter %s is not used", name, p.Name)
		}
		delete(used, p.Name)
	}
	if len(used) > 0 || q.About == "" {
		return q, fmt.Errorf("query %s: it must say what it answers and name its parameters, also %v", name, slices.Sorted(maps.Keys(used)))
	}
	return q, nil
}

// Bind completes given values of parameters with the defaults.
func (q Query) Bind(given map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range q.Params {
		v, ok := given[p.Name]
		if !ok {
			v = p.Default
		}
		if v == "" {
			return nil, fmt.Errorf("query %s: parameter %s is missing: %s", q.Name, p.Name, p.About)
		}
		out[p.Name] = v
	}
	for name := range given {
		if _, ok := out[name]; !ok {
			return nil, fmt.Errorf("query %s: it has no parameter %s, but %s", q.Name, name, strings.Join(slices.Sorted(maps.Keys(out)), ", "))
		}
	}
	return out, nil
}

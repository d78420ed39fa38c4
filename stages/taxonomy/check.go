package taxonomy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gleaner/schemas"
)

// Problem is one thing that is wrong with a taxonomy.
type Problem struct {
	Line, Column int // of the table, from 1; 0 where the taxonomy was not read from one
	What         string
}

func (p Problem) Error() string {
	switch {
	case p.Line == 0:
		return p.What
	case p.Column == 0:
		return fmt.Sprintf("line %d: %s", p.Line, p.What)
	}
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.What)
}

// Problems are all that is wrong with a taxonomy, in the order of their lines as far as these are known.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// positions are the lines that nodes and mappings were read from; empty where there are none.
type positions struct{ nodes, mappings []int }

// check finds what keeps a taxonomy from being used. Names are ambiguous where they differ by no more than case, spaces,
// hyphens and underscores: canonical ones always, those of a label space when they are mapped differently.
func check(t schemas.Taxonomy, at positions) Problems {
	var found Problems
	report := func(lines []int, row, column int, format string, args ...any) {
		p := Problem{What: fmt.Sprintf(format, args...)}
		if lines != nil {
			p.Line, p.Column = lines[row], column
		}
		found = append(found, p)
	}
	nodes, folded := map[string]int{}, map[string]int{}
	for i, n := range t.Nodes {
		if why := badName(n.Name); why != "" {
			report(at.nodes, i, 1, "class %q: %s", n.Name, why)
			continue
		}
		if _, twice := nodes[n.Name]; twice {
			report(at.nodes, i, 1, "class %q is there twice", n.Name)
			continue
		}
		nodes[n.Name] = i
		if other, ok := folded[fold(n.Name)]; ok {
			report(at.nodes, i, 1, "class %q is hard to tell from %q", n.Name, t.Nodes[other].Name)
			continue
		}
		folded[fold(n.Name)] = i
	}
	for i, n := range t.Nodes {
		if _, ok := nodes[n.Parent]; n.Parent != "" && !ok {
			report(at.nodes, i, 3, "class %q: its parent %q is no class of this taxonomy%s", n.Name, n.Parent, meant(t, folded, n.Parent))
		}
	}
	for _, ring := range cycles(t.Nodes, nodes) {
		name := t.Nodes[ring[0]].Name
		way := name
		for _, i := range append(ring[1:], ring[0]) {
			way += " under " + t.Nodes[i].Name
		}
		report(at.nodes, ring[0], 3, "class %q is its own ancestor: %s", name, way)
	}
	keys, variants := map[string]bool{}, map[string]int{}
	for i, m := range t.Mappings {
		switch name, version, ok := strings.Cut(m.Dataset, "@"); {
		case !ok || badName(name) != "" || badName(version) != "" || strings.ContainsAny(m.Dataset, ": ") || strings.Contains(version, "@"):
			report(at.mappings, i, 1, "label space %q of class %q: want dataset@version, without spaces or colons", m.Dataset, m.Class)
		case badName(m.Class) != "":
			report(at.mappings, i, 1, "class %q of %s: %s", m.Class, m.Dataset, badName(m.Class))
		case keys[m.Key()]:
			report(at.mappings, i, 1, "%s is mapped twice", m.Key())
			continue
		}
		keys[m.Key()] = true
		variant := m.Dataset + ":" + fold(m.Class)
		if other, ok := variants[variant]; !ok {
			variants[variant] = i
		} else if o := t.Mappings[other]; o.Canonical != m.Canonical || o.Relation != m.Relation {
			report(at.mappings, i, 1, "%s is hard to tell from %s, which is mapped differently", m.Key(), o.Key())
		}
		switch _, known := nodes[m.Canonical]; m.Relation {
		case schemas.RelationExact, schemas.RelationNarrower, schemas.RelationBroader:
			if !known {
				report(at.mappings, i, 3, "%s: %q is no class of this taxonomy%s", m.Key(), m.Canonical, meant(t, folded, m.Canonical))
			}
		case schemas.RelationIgnore:
			if m.Canonical != "" {
				report(at.mappings, i, 3, "%s is ignored, so it has no canonical class: leave %q out", m.Key(), m.Canonical)
			}
		default:
			report(at.mappings, i, 2, "%s: relation %q: want exact, narrower, broader or ignore", m.Key(), m.Relation)
		}
	}
	return found
}

// cycles finds the rings of nodes that are their own ancestors, each from its first node in the taxonomy's order.
func cycles(nodes []schemas.TaxonomyNode, index map[string]int) (rings [][]int) {
	walk := make([]int, len(nodes)) // the node from which each was first come by, plus one
	for start := range nodes {
		at, ok := start, true
		for ok && walk[at] == 0 {
			walk[at] = start + 1
			at, ok = index[nodes[at].Parent]
		}
		if !ok || walk[at] != start+1 {
			continue
		}
		ring := []int{at}
		for next := index[nodes[at].Parent]; next != at; next = index[nodes[next].Parent] {
			ring = append(ring, next)
		}
		first := slices.Index(ring, slices.Min(ring))
		rings = append(rings, slices.Concat(ring[first:], ring[:first]))
	}
	return rings
}

// meant suggests the class that is spelled almost the same.
func meant(t schemas.Taxonomy, folded map[string]int, name string) string {
	if i, ok := folded[fold(name)]; ok && name != "" {
		return fmt.Sprintf("; %q is", t.Nodes[i].Name)
	}
	return ""
}

const maxName = 200 // bytes

// badName says what is wrong with the name of a class, or nothing.
func badName(name string) string {
	switch {
	case name == "":
		return "the name is empty"
	case len(name) > maxName:
		return fmt.Sprintf("the name is longer than %d bytes", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "the name holds what is no printable text"
	case name != strings.TrimSpace(name):
		return "the name begins or ends with a space"
	case name[0] == '#':
		return "a name may not begin with #"
	}
	return ""
}

// fold makes equal what differs by case, spaces, hyphens and underscores only.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, name)
}

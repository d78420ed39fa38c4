package stages

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gleaner/schemas"
)

// Formats are the names that Render knows.
func Formats() []string { return []string{"text", "mermaid", "json"} }

// Render draws the flow: "text" for a terminal, "mermaid" for a README (GitHub draws it), "json" for machines.
func Render(flow []Step, format string) (string, error) {
	switch format {
	case "text":
		return renderText(flow), nil
	case "mermaid":
		return renderMermaid(flow), nil
	case "json":
		out, err := json.MarshalIndent(flow, "", "  ")
		return string(out) + "\n", err
	}
	return "", fmt.Errorf("flow: unknown format %q, want one of %s", format, strings.Join(Formats(), ", "))
}

// short is a topic's name for people: "raw" of "gleaner.raw.v1".
func short(t schemas.Topic) string {
	s := strings.TrimPrefix(string(t), "gleaner.")
	if i := strings.LastIndex(s, ".v"); i > 0 {
		s = s[:i]
	}
	return s
}

// renderText draws one row a step, its inputs on the left and its outputs on the right, one topic a line.
func renderText(flow []Step) string {
	width := func(f func(Step) []string) int {
		w := 0
		for _, s := range flow {
			for _, cell := range f(s) {
				w = max(w, utf8.RuneCountInString(cell))
			}
		}
		return w
	}
	ins := func(s Step) []string { return shorts(s.In) }
	names := func(s Step) []string { return []string{title(s)} }
	outs := func(s Step) []string {
		list := shorts(s.Out)
		if s.Store != "" {
			list = append(list, s.Store)
		}
		return list
	}
	wIn, wName, wOut := width(ins), width(names), width(outs)
	var b strings.Builder
	for _, s := range flow {
		in, out := ins(s), outs(s)
		for line := range max(len(in), len(out), 1) {
			cells := [3]string{at(in, line), "", at(out, line)}
			if line == 0 {
				cells[1] = title(s)
			}
			about := ""
			if line == 0 {
				about = s.About
			}
			text := pad(cells[0], wIn, true) + " " + joint(line, len(in), "─►", "─┬►", "─┤ ", "─┘ ") + " " +
				pad(cells[1], wName, false) + " " + joint(line, len(out), "─►", "┬─►", "├─►", "└─►") + " " +
				pad(cells[2], wOut, false) + "  " + about
			b.WriteString(strings.TrimRight(text, " ") + "\n")
		}
	}
	b.WriteString("\nCAPITALS run here; what they cannot handle goes to " + short(schemas.Dead) + ".\n")
	return b.String()
}

// joint picks the piece of arrow for one line of a side with n topics; all pieces are three cells wide.
func joint(line, n int, single, first, middle, last string) string {
	piece := ""
	switch {
	case line >= n:
	case n == 1:
		piece = "─" + single
	case line == 0:
		piece = first
	case line == n-1:
		piece = last
	default:
		piece = middle
	}
	return pad(piece, 3, false)
}

func title(s Step) string {
	if s.External {
		return s.Name
	}
	return strings.ToUpper(s.Name)
}

func shorts(topics []schemas.Topic) []string {
	out := make([]string, len(topics))
	for i, t := range topics {
		out[i] = short(t)
	}
	return out
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func pad(s string, width int, right bool) string {
	fill := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
	if right {
		return fill + s
	}
	return s + fill
}

// renderMermaid draws an arrow for every topic between the step that writes it and each that reads it. Steps that read
// most of the topics only to store them get thin arrows without names.
func renderMermaid(flow []Step) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	stores := map[string]bool{}
	for _, s := range flow {
		if s.External {
			fmt.Fprintf(&b, "  %s([%s])\n", s.Name, s.Name)
		} else {
			fmt.Fprintf(&b, "  %s[%s]\n", s.Name, s.Name)
		}
		if s.Store != "" && !stores[s.Store] {
			stores[s.Store] = true
			fmt.Fprintf(&b, "  %s[(%s)]\n", s.Store, s.Store)
		}
	}
	for _, from := range flow {
		for _, t := range from.Out {
			for _, to := range flow {
				if slices.Contains(to.In, t) && !onlyStores(to) {
					fmt.Fprintf(&b, "  %s -->|%s| %s\n", from.Name, short(t), to.Name)
				}
			}
			if !read(flow, t) {
				fmt.Fprintf(&b, "  %s -->|%s| topic_%s[[%s]]\n", from.Name, short(t), short(t), short(t))
			}
		}
		if from.Store != "" {
			fmt.Fprintf(&b, "  %s --> %s\n", from.Name, from.Store)
		}
	}
	for _, to := range flow {
		if !onlyStores(to) {
			continue
		}
		var writers []string
		for _, from := range flow {
			if slices.ContainsFunc(from.Out, func(t schemas.Topic) bool { return slices.Contains(to.In, t) }) {
				writers = append(writers, from.Name)
			}
		}
		fmt.Fprintf(&b, "  %s -.-> %s\n", strings.Join(writers, " & "), to.Name)
	}
	return b.String()
}

func onlyStores(s Step) bool { return s.Store != "" && len(s.Out) == 0 }

func read(flow []Step, t schemas.Topic) bool {
	return slices.ContainsFunc(flow, func(s Step) bool { return slices.Contains(s.In, t) })
}

// TopicTable is the table of topics in Markdown, for the documentation.
func TopicTable(specs []schemas.TopicSpec) string {
	var b strings.Builder
	b.WriteString("| topic | key | value | partitions | kept | largest message |\n|---|---|---|--:|---|--:|\n")
	for _, s := range specs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %s | %s |\n", s.Name, s.Key, s.Value, s.Partitions, kept(s), schemas.ByteSize(s.MaxMessageBytes))
	}
	return b.String()
}

func kept(s schemas.TopicSpec) string {
	switch {
	case s.Cleanup == schemas.Compact:
		return "the last of each key"
	case s.Retention == schemas.Forever:
		return "forever"
	}
	return fmt.Sprintf("%d days", s.Retention/(24*time.Hour))
}

// Package dataset makes immutable versions of datasets and compares them. It is pure: deploy/wire reads the labels and
// keeps the result.
package dataset

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"gleaner/schemas"
)

// ErrEmpty says that a dataset has no labels, so that there is nothing to make a version of.
var ErrEmpty = errors.New("the dataset has no labels yet")

// Build makes a version of the labels, which must come in the order of sample ids, the best of each sample once. members
// gets the member list, one JSON object a line; the version's id is the digest of that list and of the split rule, so the
// same members, labels and rule give the same version. At and Members.Key are the caller's to fill in. Memory does not
// grow with the dataset.
func Build(name string, rule schemas.SplitRule, labels iter.Seq2[schemas.Label, error], members io.Writer) (schemas.DatasetVersion, error) {
	v := schemas.DatasetVersion{Dataset: name, Rule: rule, Splits: map[string]int{}, Classes: map[string]int{}}
	if err := rule.Validate(); err != nil {
		return v, err
	}
	digest := sha256.New()
	head, err := schemas.CanonicalJSON(rule)
	if err != nil {
		return v, err
	}
	digest.Write(append(head, '\n'))
	var size int64
	for l, err := range labels {
		if err != nil {
			return v, fmt.Errorf("dataset %s: read labels: %w", name, err)
		}
		objects, err := objectsDigest(l.Objects)
		if err != nil {
			return v, fmt.Errorf("dataset %s: sample %s: %w", name, l.SampleID, err)
		}
		line, err := schemas.CanonicalJSON(schemas.Member{
			SampleID: l.SampleID, UniqueID: l.UniqueID, Image: l.Image.SHA256, Group: l.Group, Split: rule.Of(l.Group),
			Rank: l.Rank, Revision: l.Revision, Objects: len(l.Objects), Labels: objects, Slices: l.Slices,
		})
		if err != nil {
			return v, fmt.Errorf("dataset %s: sample %s: %w", name, l.SampleID, err)
		}
		line = append(line, '\n')
		digest.Write(line)
		if _, err := members.Write(line); err != nil {
			return v, fmt.Errorf("dataset %s: write members: %w", name, err)
		}
		size += int64(len(line))
		v.Count++
		v.Splits[string(rule.Of(l.Group))]++
		for _, o := range l.Objects {
			v.Classes[o.Class]++
		}
	}
	if v.Count == 0 {
		return v, fmt.Errorf("dataset %s: %w", name, ErrEmpty)
	}
	digest.Sum(v.SHA256[:0])
	v.Version = v.SHA256.String()[:12]
	v.ID = name + "@" + v.Version
	v.Members.Size = size
	return v, nil
}

// objectsDigest identifies a set of labels whatever their order and ids.
func objectsDigest(objects []schemas.Object) (schemas.Hash, error) {
	lines := make([][]byte, len(objects))
	for i, o := range objects {
		what := []any{o.Class, o.Box}
		if len(o.Attributes) > 0 {
			what = append(what, o.Attributes)
		}
		line, err := json.Marshal(what)
		if err != nil {
			return schemas.Hash{}, err
		}
		lines[i] = line
	}
	slices.SortFunc(lines, bytes.Compare)
	return sha256.Sum256(bytes.Join(lines, []byte{'\n'})), nil
}

// Diff says what changed from one version to another.
type Diff struct {
	From      string         `json:"from"`
	To        string         `json:"to"`
	Added     []string       `json:"added"` // sample ids, as are the next three
	Removed   []string       `json:"removed"`
	Relabeled []string       `json:"relabeled"` // other objects
	Moved     []string       `json:"moved"`     // another split: the rule changed
	Classes   map[string]int `json:"classes"`   // objects more (or fewer, negative), for the classes that changed
}

// Compare merges two member lists, each in the order of sample ids. Memory grows with the differences alone.
func Compare(from, to schemas.DatasetVersion, a, b io.Reader) (Diff, error) {
	d := Diff{From: from.ID, To: to.ID, Added: []string{}, Removed: []string{}, Relabeled: []string{}, Moved: []string{}, Classes: map[string]int{}}
	for class, n := range to.Classes {
		if more := n - from.Classes[class]; more != 0 {
			d.Classes[class] = more
		}
	}
	for class, n := range from.Classes {
		if _, ok := to.Classes[class]; !ok {
			d.Classes[class] = -n
		}
	}
	left, right := newReader(from.ID, a), newReader(to.ID, b)
	l, lok := left.next()
	r, rok := right.next()
	for lok || rok {
		var order int
		switch {
		case !lok:
			order = 1
		case !rok:
			order = -1
		default:
			order = slices.Compare(l.SampleID[:], r.SampleID[:])
		}
		switch {
		case order < 0:
			d.Removed = append(d.Removed, l.SampleID.String())
		case order > 0:
			d.Added = append(d.Added, r.SampleID.String())
		default:
			if l.Labels != r.Labels {
				d.Relabeled = append(d.Relabeled, l.SampleID.String())
			}
			if l.Split != r.Split {
				d.Moved = append(d.Moved, l.SampleID.String())
			}
		}
		if order <= 0 {
			l, lok = left.next()
		}
		if order >= 0 {
			r, rok = right.next()
		}
	}
	return d, errors.Join(left.err, right.err)
}

// Members yields a version's member list, in the order of sample ids.
func Members(v schemas.DatasetVersion, members io.Reader) iter.Seq2[schemas.Member, error] {
	return func(yield func(schemas.Member, error) bool) {
		list := newReader(v.ID, members)
		for m, more := list.next(); more; m, more = list.next() {
			if !yield(m, nil) {
				return
			}
		}
		if list.err != nil {
			yield(schemas.Member{}, list.err)
		}
	}
}

// Of yields those of the labels that a version has, as it has them: labels that came, changed or went since it was made are
// passed over, so that a run which names the version saw nothing else. Both must come in the order of sample ids; memory does
// not grow with them.
func Of(v schemas.DatasetVersion, members io.Reader, labels iter.Seq2[schemas.Label, error]) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		list := newReader(v.ID, members)
		m, more := list.next()
		for l, err := range labels {
			if err != nil {
				yield(l, err)
				return
			}
			for more && slices.Compare(m.SampleID[:], l.SampleID[:]) < 0 {
				m, more = list.next()
			}
			if !more {
				break
			}
			objects, err := objectsDigest(l.Objects)
			if err != nil {
				yield(l, fmt.Errorf("dataset version %s: sample %s: %w", v.ID, l.SampleID, err))
				return
			}
			same := m.SampleID == l.SampleID && m.Labels == objects && m.Group == l.Group && m.Rank == l.Rank && m.Revision == l.Revision
			if same && !yield(l, nil) {
				return
			}
		}
		if list.err != nil {
			yield(schemas.Label{}, list.err)
		}
	}
}

// reader decodes a member list line by line and keeps its first error.
type reader struct {
	id    string
	lines *bufio.Scanner
	n     int
	err   error
}

func newReader(id string, r io.Reader) *reader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	return &reader{id: id, lines: lines}
}

func (r *reader) next() (schemas.Member, bool) {
	var m schemas.Member
	if r.err != nil || !r.lines.Scan() {
		if r.err == nil && r.lines.Err() != nil {
			r.err = fmt.Errorf("members of %s: %w", r.id, r.lines.Err())
		}
		return m, false
	}
	r.n++
	if err := json.Unmarshal(r.lines.Bytes(), &m); err != nil {
		r.err = fmt.Errorf("members of %s: line %d: %w", r.id, r.n, err)
		return m, false
	}
	return m, true
}

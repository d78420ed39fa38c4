package dataset

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func seq(labels []schemas.Label) iter.Seq2[schemas.Label, error] {
	return func(yield func(schemas.Label, error) bool) {
		for _, l := range labels {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func labels(n int) []schemas.Label {
	out := make([]schemas.Label, n)
	for i := range out {
		id := schemas.SampleID{byte(i >> 8), byte(i)}
		out[i] = schemas.Label{SampleID: id, Group: id, Rank: schemas.RankHuman, Objects: []schemas.Object{
			{ID: "o1", Class: "cat", Box: geometry.Box{X2: float32(i + 1), Y2: 2}},
			{ID: "o2", Class: "dog", Box: geometry.Box{X2: 3, Y2: 4}},
		}}
	}
	return out
}

func build(t *testing.T, l []schemas.Label, rule schemas.SplitRule) (schemas.DatasetVersion, []byte) {
	t.Helper()
	var members bytes.Buffer
	v, err := Build("pets", rule, seq(l), &members)
	if err != nil {
		t.Fatal(err)
	}
	return v, members.Bytes()
}

func TestVersionsAreTheirContent(t *testing.T) {
	a, _ := build(t, labels(50), schemas.DefaultSplitRule())
	again, _ := build(t, labels(50), schemas.DefaultSplitRule())
	if a.ID != again.ID || a.Count != 50 || a.Classes["cat"] != 50 || !strings.HasPrefix(a.ID, "pets@") {
		t.Errorf("got %+v and %+v", a, again)
	}
	changed := labels(50)
	changed[7].Objects[0].Box.X2++
	if b, _ := build(t, changed, schemas.DefaultSplitRule()); b.ID == a.ID {
		t.Error("a moved box gives the same version")
	}
	changed = labels(50)
	changed[7].Objects[0].Attributes = map[string]string{"color": "red"}
	if b, _ := build(t, changed, schemas.DefaultSplitRule()); b.ID == a.ID {
		t.Error("another attribute gives the same version")
	}
	reordered := labels(50)
	for i := range reordered {
		slices.Reverse(reordered[i].Objects)
	}
	if b, _ := build(t, reordered, schemas.DefaultSplitRule()); b.ID != a.ID {
		t.Error("the order of the objects changes the version")
	}
	if b, _ := build(t, labels(50), schemas.SplitRule{Salt: "other", Val: 0.1, Test: 0.1}); b.ID == a.ID {
		t.Error("another split rule gives the same version")
	}
}

func TestTwinsNeverStraddle(t *testing.T) {
	l := labels(400)
	for i := range l {
		l[i].Group = schemas.SampleID{9, byte(i / 4)} // families of four
	}
	_, members := build(t, l, schemas.SplitRule{Salt: "s", Val: 0.3, Test: 0.3})
	split := map[schemas.SampleID]schemas.Split{}
	r := newReader("x", bytes.NewReader(members))
	seen := map[schemas.Split]int{}
	for {
		m, ok := r.next()
		if !ok {
			break
		}
		if was, known := split[m.Group]; known && was != m.Split {
			t.Fatalf("group %s is in %s and in %s", m.Group, was, m.Split)
		}
		split[m.Group] = m.Split
		seen[m.Split]++
	}
	if r.err != nil || len(seen) != 3 {
		t.Errorf("splits %v, %v", seen, r.err)
	}
}

func TestCompare(t *testing.T) {
	before := labels(20)
	after := slices.Delete(labels(22), 3, 4)
	after[5].Objects = after[5].Objects[:1]
	a, am := build(t, before, schemas.DefaultSplitRule())
	b, bm := build(t, after, schemas.DefaultSplitRule())
	d, err := Compare(a, b, bytes.NewReader(am), bytes.NewReader(bm))
	if err != nil {
		t.Fatal(err)
	}
	id := func(i int) string { return labels(30)[i].SampleID.String() }
	if !slices.Equal(d.Added, []string{id(20), id(21)}) || !slices.Equal(d.Removed, []string{id(3)}) ||
		!slices.Equal(d.Relabeled, []string{id(6)}) || len(d.Moved) != 0 || d.Classes["dog"] != 0 || d.Classes["cat"] != 1 {
		t.Errorf("got %+v", d)
	}
	if same, err := Compare(a, a, bytes.NewReader(am), bytes.NewReader(am)); err != nil || len(same.Added)+len(same.Removed)+len(same.Relabeled)+len(same.Classes) != 0 {
		t.Errorf("a version differs from itself: %+v, %v", same, err)
	}
	if _, err := Compare(a, b, strings.NewReader("{}\nnonsense\n"), bytes.NewReader(bm)); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a broken member list: %v", err)
	}
}

// A run that names a version sees that version, though people go on labeling.
func TestOf(t *testing.T) {
	v, members := build(t, labels(20), schemas.DefaultSplitRule())
	now := slices.Delete(labels(25), 3, 4) // 3 is erased, 20 to 24 are new
	now[0].Objects[0].Class = "bear"
	now[1].Revision++
	now[2].Group = schemas.SampleID{9}
	collect := func(members string, labels iter.Seq2[schemas.Label, error]) (ids []byte, err error) {
		for l, e := range Of(v, strings.NewReader(members), labels) {
			if e != nil {
				return ids, e
			}
			ids = append(ids, l.SampleID[1])
		}
		return ids, nil
	}
	got, err := collect(string(members), seq(now))
	var want []byte
	for i := 4; i < 20; i++ {
		want = append(want, byte(i))
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("samples %v, %v, want %v", got, err, want)
	}
	if got, err := collect(string(members), seq(labels(20))); err != nil || len(got) != 20 {
		t.Errorf("%d labels of the version itself, %v", len(got), err)
	}
	if _, err := collect("nonsense\n", seq(now)); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a broken member list: %v", err)
	}
	away := errors.New("database away")
	if _, err := collect(string(members), func(yield func(schemas.Label, error) bool) { yield(schemas.Label{}, away) }); !errors.Is(err, away) {
		t.Errorf("labels that fail: %v", err)
	}
}

func TestEmptyDataset(t *testing.T) {
	if _, err := Build("pets", schemas.DefaultSplitRule(), seq(nil), &bytes.Buffer{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("got %v, want ErrEmpty", err)
	}
}

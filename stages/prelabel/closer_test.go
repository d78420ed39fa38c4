package prelabel

import (
	"context"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/pixels"
	"gleaner/stages/prelabel/fuse"
)

// lopsided is redSquare, surer of the left edge than of the right one.
type lopsided struct{ redSquare }

func (l lopsided) DetectDense(ctx context.Context, img *pixels.Image, low float32, d Dense) ([]schemas.Object, schemas.Candidates, error) {
	found, c, err := l.redSquare.DetectDense(ctx, img, low, d)
	for i := range c.Cells {
		c.Cells[i].Sides.P = []byte{200, 55, 9, 8, 100, 155, 7, 6}
	}
	return found, c, err
}

func (lopsided) Model() schemas.Model { return schemas.Model{ID: "red@1", Classes: []string{"red"}} }

func labelsAt(boxes ...geometry.Box) (out []schemas.Object) {
	for _, b := range boxes {
		out = append(out, schemas.Object{Class: "red", Box: b})
	}
	return out
}

// withThing is a black image with a red thing.
func withThing() (*pixels.Image, geometry.Box) {
	img := &pixels.Image{W: 800, H: 600, Pix: make([]uint8, 3*800*600)}
	thing := geometry.Box{X1: 300, Y1: 200, X2: 340, Y2: 230}
	for y := int(thing.Y1); y < int(thing.Y2); y++ {
		for x := int(thing.X1); x < int(thing.X2); x++ {
			img.Pix[3*(y*img.W+x)] = 255
		}
	}
	return img, thing
}

// TestCloser: a label is looked at in two squares, each as it is and mirrored, and what is seen comes back to its place; a square that is
// the whole image is not looked at once more, what a label has nothing to do with is left out, and labels that hardly differ share a look.
func TestCloser(t *testing.T) {
	img, thing := withThing()
	box := func(x1, y1, x2, y2 float32) geometry.Box { return geometry.Box{X1: x1, Y1: y1, X2: x2, Y2: y2} }
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		labels []schemas.Object
		cells  int
		unseen bool // there is nothing to look at
	}{
		"right":                              {labelsAt(thing), 4, false},
		"loose":                              {labelsAt(box(290, 190, 350, 240)), 4, false},
		"cut by the nearer square":           {labelsAt(box(322, 210, 342, 225)), 2, false},
		"beside it":                          {labelsAt(box(345, 200, 385, 230)), 0, false},
		"twice":                              {labelsAt(thing, thing, box(300, 200, 340.5, 230)), 4, false},
		"the whole image, where it is small": {labelsAt(box(0, 0, 800, 600)), 0, false},
		"outside":                            {labelsAt(box(900, 0, 950, 50), box(-20, 0, 0, 9), box(nan, 0, nan, 9)), 0, true},
		"none":                               {nil, 0, true},
	} {
		watching, features := watch(t.Context())
		got, err := atLabels.see(watching, lopsided{}, img, c.labels, Dense{Floor: 0.01, Max: 10})
		if err != nil {
			t.Fatal(err)
		}
		mirrored := 0
		for _, cell := range got.Cells {
			s := cell.Sides
			if s.P[0] == 100 {
				mirrored++
				if s.X != thing.X2 || string(s.P) != string([]byte{100, 155, 9, 8, 200, 55, 7, 6}) {
					t.Errorf("%s: mirrored: %+v", name, s)
				}
			} else if s.X != thing.X1 {
				t.Errorf("%s: %+v", name, s)
			}
			if cell.Box != thing || s.Y != thing.Y1 {
				t.Errorf("%s: %v, %+v", name, cell.Box, s)
			}
		}
		if len(got.Cells) != c.cells || mirrored != c.cells/2 {
			t.Errorf("%s: %d cells, %d of them mirrored, want %d", name, len(got.Cells), mirrored, c.cells)
		}
		want := schemas.Candidates{Model: "red@1", Look: schemas.LookCloser, Floor: 0.01, Classes: []string{"red"}, Cells: got.Cells}
		if c.unseen {
			want = schemas.Candidates{}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if features.cols != 0 {
			t.Errorf("%s: features are of a part", name)
		}
	}
	small := pixels.Crop(img, box(290, 190, 350, 240))
	if got, err := atLabels.see(t.Context(), lopsided{}, small, labelsAt(box(10, 10, 50, 40)), Dense{Floor: 0.01, Max: 10}); err != nil || len(got.Cells) != 1 || got.Cells[0].Sides.P[0] != 100 {
		t.Errorf("an image that is hardly larger than its label: %+v, %v", got, err)
	}
	if got, err := atLabels.see(t.Context(), lopsided{}, img, labelsAt(thing), Dense{}); err != nil || got.Model != "" {
		t.Errorf("no cells are kept: %+v, %v", got, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := atLabels.see(stopped, lopsided{}, img, labelsAt(thing), Dense{Floor: 0.01, Max: 10}); err == nil {
		t.Error("no error of a look")
	}
}

// TestUnlabeled: the surest things that no label covers, each once by its model, few, and of each class those of the first model that knows it.
func TestUnlabeled(t *testing.T) {
	at := func(model, class string, score, x float32) schemas.Object {
		return schemas.Object{Class: class, Box: geometry.Box{X1: x, X2: x + 10, Y2: 10}, Score: score, Source: model}
	}
	models := []fuse.Model{{ID: "m@1", Classes: []string{"red"}}, {ID: "n@1", Classes: []string{"red", "blue"}}}
	found := [][]schemas.Object{
		{at("m@1", "red", 0.9, 0), at("m@1", "red", 0.8, 102), at("m@1", "red", 0.7, 201), at("m@1", "red", 0.3, 200)},
		{at("n@1", "red", 0.95, 300), at("n@1", "blue", 0.75, 400), at("n@1", "blue", 0.6, 202)},
	}
	var got []float32
	for _, o := range Unlabeled(models, found, labelsAt(geometry.Box{X1: 100, X2: 110, Y2: 10})) {
		got = append(got, o.Score)
	}
	if want := []float32{0.9, 0.75, 0.7, 0.6}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for i := range 20 {
		found[0] = append(found[0], at("m@1", "red", 0.5, 500+100*float32(i)))
	}
	if all := Unlabeled(models, found, nil); len(all) != maxUnlabeled {
		t.Errorf("%d things are looked at", len(all))
	}
	if len(Unlabeled(nil, nil, nil)) > 0 {
		t.Error("something of nothing")
	}
}

// TestCloserAtThings: what has no label is looked at in one square, as it is and mirrored, by the model that found it, and it says at what.
func TestCloserAtThings(t *testing.T) {
	img, thing := withThing()
	elsewhere := geometry.Box{X1: 600, Y1: 400, X2: 640, Y2: 430}
	things := []schemas.Object{{Box: thing, Source: "red@1"}, {Box: elsewhere, Source: "red@1"}, {Box: thing, Source: "other@1"}}
	d := Dense{Floor: 0.01, Max: 10}
	got, err := Closer(t.Context(), lopsided{}, img, labelsAt(thing), things, d)
	if err != nil || len(got) != 2 || got[0].Look != schemas.LookCloser || len(got[0].Cells) != 4 || len(got[0].At) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if u := got[1]; u.Look != schemas.LookUnlabeled || len(u.Cells) != 2 || u.Cells[0].Box != thing || !slices.Equal(u.At, []geometry.Box{thing, elsewhere}) {
		t.Errorf("%+v", u)
	}
	if got, err = Closer(t.Context(), lopsided{}, img, nil, things[1:], d); err != nil || len(got) != 1 || len(got[0].Cells) != 0 || !slices.Equal(got[0].At, []geometry.Box{elsewhere}) {
		t.Errorf("a thing that does not show from nearby: %+v, %v", got, err)
	}
	if got, err = Closer(t.Context(), lopsided{}, img, nil, things[2:], d); err != nil || len(got) > 0 {
		t.Errorf("another model's: %+v, %v", got, err)
	}
	if got, err = Closer(t.Context(), lopsided{}, img, labelsAt(thing), things, Dense{}); err != nil || len(got) > 0 {
		t.Errorf("no cells are kept: %+v, %v", got, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, labels := range [][]schemas.Object{nil, labelsAt(thing)} {
		if _, err := Closer(stopped, lopsided{}, img, labels, things, d); err == nil {
			t.Error("no error of a look")
		}
	}
}

func (crowd) Model() schemas.Model { return schemas.Model{ID: "crowd@1"} }

// TestCloserKeepsTheBest: the cells of however many labels fit into a record, and of each that is looked at some are kept.
func TestCloserKeepsTheBest(t *testing.T) {
	img := &pixels.Image{W: 4000, H: 4000, Pix: make([]uint8, 3*4000*4000)}
	for _, n := range []int{1, 30, 200, 3000} {
		var labels []schemas.Object
		for i := range n {
			x, y := float32(i%60)*60, float32(i/60)*60
			labels = append(labels, labelsAt(geometry.Box{X1: x, Y1: y, X2: x + 40, Y2: y + 40})...)
		}
		sees := &everywhere{}
		got, err := atLabels.see(t.Context(), sees, img, labels, Dense{Floor: 0.01, Max: 300})
		if err != nil {
			t.Fatal(err)
		}
		looked := min(n, maxSquares/len(atLabels.zooms))
		if most := min(n*len(atLabels.zooms)*atLabels.keep, maxCloser); len(got.Cells) > most || len(got.Cells) < most/8 || sees.runs > 2*maxSquares {
			t.Errorf("%d labels: %d cells, want at most %d; %d runs", n, len(got.Cells), most, sees.runs)
		}
		for _, l := range labels[:looked] {
			if !slices.ContainsFunc(got.Cells, func(c schemas.Candidate) bool { return c.Box.IoU(l.Box) >= explains }) {
				t.Fatalf("%d labels: none of the cells is at %v", n, l.Box)
			}
		}
	}
}

// TestTelling: of two labels in one square the one that a model is less sure of has its cells, too; what is left out is told by the floor, and no
// memory is shared with it.
func TestTelling(t *testing.T) {
	sure, weak, none := geometry.Box{X2: 40, Y2: 40}, geometry.Box{X1: 60, X2: 100, Y2: 40}, geometry.Box{X1: 200, X2: 240, Y2: 40}
	var cells []schemas.Candidate
	slab := make([]schemas.ClassScore, 40)
	for k := range 40 {
		c := schemas.Candidate{Box: sure, Score: 0.9, Scores: slab[k : k+1]}
		if k%2 == 1 {
			c.Box, c.Score = weak, 0.3
		}
		cells = append(cells, c, schemas.Candidate{Box: none, Score: 1})
	}
	got, floor := telling(cells, []geometry.Box{sure, weak}, 5)
	count := map[geometry.Box]int{}
	for _, c := range got {
		count[c.Box]++
		if cap(c.Scores) > 8 {
			t.Fatal("a cell holds the memory of all")
		}
	}
	if diff := gocmp.Diff(map[geometry.Box]int{sure: 5, weak: 5}, count); diff != "" || floor != 0.9 {
		t.Errorf("floor %g, -want +got\n%s", floor, diff)
	}
}

// everywhere sees something in the middle of what it is shown, as many times as it is asked for and worse each time.
type everywhere struct {
	crowd
	runs int
}

func (e *everywhere) DetectDense(_ context.Context, img *pixels.Image, _ float32, d Dense) ([]schemas.Object, schemas.Candidates, error) {
	e.runs++
	c := schemas.Candidates{Floor: d.Floor}
	for k := range d.Max {
		x, y := float32(img.W)/2, float32(img.H)/2
		c.Cells = append(c.Cells, schemas.Candidate{Box: geometry.Box{X1: x - 20, Y1: y - 20, X2: x + 20, Y2: y + 20}, Score: 1 / float32(k+1)})
	}
	return nil, c, nil
}

// TestSquare: squares lie within the image and hold the label, as far as they can.
func TestSquare(t *testing.T) {
	for _, size := range [][2]int{{640, 480}, {1, 1}, {7, 1000}, {5000, 33}} {
		w, h := float32(size[0]), float32(size[1])
		for _, b := range []geometry.Box{{X2: w, Y2: h}, {X2: 1, Y2: 1}, {X1: w - 0.5, Y1: h - 0.5, X2: w, Y2: h}, {X1: w / 3, Y1: h / 4, X2: w / 2, Y2: h / 2}} {
			for _, zoom := range atLabels.zooms {
				got := square(b, zoom, size[0], size[1])
				if got != got.Clip(size[0], size[1]) || got.Empty() || got.Intersect(b) != b {
					t.Errorf("%v, zoom %g: %v in %v", b, zoom, got, size)
				}
			}
		}
	}
}

// TestCloserAtPeoplesLabels: what a machine has labeled is not looked at from nearby, and classifiers look at whole images.
func TestCloserAtPeoplesLabels(t *testing.T) {
	for _, c := range []struct {
		rank schemas.Rank
		on   bool
		task schemas.ModelTask
		want bool
	}{
		{schemas.RankHuman, true, schemas.TaskDetect, true},
		{schemas.RankHuman, false, schemas.TaskDetect, false},
		{schemas.RankHuman, true, schemas.TaskClassify, false},
		{schemas.RankAutomatic, true, schemas.TaskDetect, false},
	} {
		cfg := DefaultConfig()
		cfg.Closer = c.on
		img := &pixels.Image{W: 80, H: 80, Pix: make([]uint8, 3*80*80)}
		for i := range img.Pix {
			img.Pix[i] = 1
		}
		cache := pixels.NewCache(1<<20, func(context.Context, string) ([]byte, error) { return nil, context.Canceled })
		cache.Put(t.Context(), schemas.Hash{1}, img)
		p, err := New(cfg, Deps{Models: Fixed([]Detector{tasked{task: c.task}}), Images: cache})
		if err != nil {
			t.Fatal(err)
		}
		s := schemas.Sample{Rank: c.rank, Image: schemas.ImageRef{SHA256: schemas.Hash{1}, W: 80, H: 80}, Objects: labelsAt(geometry.Box{X2: 80, Y2: 80})}
		out, err := p.Process(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(out[0].Candidates, func(o schemas.Candidates) bool { return o.Look == schemas.LookCloser }); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// finder is a model that finds red things, under a name and as one of a kind.
type finder struct {
	lopsided
	id   string
	task schemas.ModelTask
}

func (f finder) DetectDense(ctx context.Context, img *pixels.Image, low float32, d Dense) ([]schemas.Object, schemas.Candidates, error) {
	found, c, err := f.lopsided.DetectDense(ctx, img, low, d)
	for i := range found {
		found[i].Source = f.id
	}
	for i := range c.Cells {
		c.Cells[i].Scores = []schemas.ClassScore{{Score: c.Cells[i].Score}}
	}
	c.Model, c.Classes = f.id, []string{"red"}
	return found, c, err
}

func (f finder) Model() schemas.Model {
	return schemas.Model{ID: f.id, Task: f.task, Classes: []string{"red"}}
}

// french is a dataset with class names of its own.
type french struct{ Classes }

func (french) Translate(_ string, _ schemas.Model, found []schemas.Object) (objects []schemas.Object, classes []string) {
	objects = slices.Clone(found)
	for i := range objects {
		objects[i].Class = "rouge"
	}
	return objects, []string{"rouge"}
}

func (french) Path(_, class string) []string { return []string{class} }

// without are rules that do not want a class.
type without string

func (w without) Keep(_ context.Context, _ *schemas.Sample, objects []schemas.Object) ([]schemas.Object, error) {
	return slices.DeleteFunc(slices.Clone(objects), func(o schemas.Object) bool { return o.Class == string(w) }), nil
}

// TestPrelabelLooksCloser: the step looks at a thing without a label that the dataset wants by the first detector that knows it alone, and says so in the
// dataset's classes.
func TestPrelabelLooksCloser(t *testing.T) {
	img, thing := withThing()
	cache := pixels.NewCache(1<<21, func(context.Context, string) ([]byte, error) { return nil, context.Canceled })
	cache.Put(t.Context(), schemas.Hash{1}, img)
	cfg := DefaultConfig()
	cfg.Closer = true
	models := []Detector{finder{id: "tags@1", task: schemas.TaskClassify}, finder{id: "red@1"}, finder{id: "other@1"}}
	looked := func(rules Rules) (looks []schemas.Candidates) {
		p, err := New(cfg, Deps{Models: Fixed(models), Images: cache, Classes: french{}, Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		s := schemas.Sample{Rank: schemas.RankHuman, Image: schemas.ImageRef{SHA256: schemas.Hash{1}, W: 800, H: 600}, Objects: labelsAt(geometry.Box{X2: 50, Y2: 50})}
		out, err := p.Process(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range out[0].Candidates {
			if c.Look == schemas.LookUnlabeled {
				looks = append(looks, c)
			}
		}
		return looks
	}
	if looks := looked(without("rouge")); len(looks) > 0 {
		t.Errorf("it looks at what the dataset does not want: %+v", looks)
	}
	looks := looked(without("vert"))
	if len(looks) != 1 || looks[0].Model != "red@1" || !slices.Equal(looks[0].Classes, []string{"rouge"}) || !slices.Equal(looks[0].At, []geometry.Box{thing}) || len(looks[0].Cells) != 2 {
		t.Errorf("%+v", looks)
	}
}

type tasked struct {
	lopsided
	task schemas.ModelTask
}

func (d tasked) Model() schemas.Model {
	m := d.lopsided.Model()
	m.Task = d.task
	return m
}

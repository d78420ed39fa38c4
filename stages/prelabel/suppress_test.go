package prelabel

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"gleaner/schemas"
	"gleaner/schemas/geometry"
)

func same(a, b schemas.Object) bool { return reflect.DeepEqual(a, b) }

// thinned checks what suppression promises: kept ones of a class do not overlap, each dropped one overlaps a better kept
// one, and doing it again changes nothing.
func thinned(t *testing.T, objects []schemas.Object, iou float64) {
	t.Helper()
	kept := Suppress(objects, iou, len(objects))
	for i, a := range kept {
		for _, b := range kept[:i] {
			if a.Class == b.Class && a.Box.IoU(b.Box) > iou {
				t.Errorf("%+v and %+v were both kept", a, b)
			}
		}
	}
	for _, o := range objects {
		if !slices.ContainsFunc(kept, func(k schemas.Object) bool {
			return same(k, o) || k.Class == o.Class && k.Score >= o.Score && k.Box.IoU(o.Box) > iou
		}) {
			t.Errorf("%+v was dropped for nothing", o)
		}
	}
	if again := Suppress(kept, iou, len(kept)); !slices.EqualFunc(again, kept, same) {
		t.Errorf("twice is not once: %d, %d", len(again), len(kept))
	}
	if limit := len(kept) / 2; !slices.EqualFunc(Suppress(objects, iou, limit), kept[:limit], same) {
		t.Errorf("the limit does not keep the best %d", limit)
	}
}

func TestSuppress(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		objects := make([]schemas.Object, r.IntN(120))
		for i := range objects {
			x, y := 50*r.Float32(), 50*r.Float32()
			objects[i] = schemas.Object{
				Class: []string{"cat", "dog"}[r.IntN(2)], Score: float32(r.IntN(20)) / 20,
				Box: geometry.Box{X1: x, Y1: y, X2: x + 1 + 30*r.Float32(), Y2: y + 1 + 30*r.Float32()},
			}
		}
		sortByScore(objects)
		shuffled := slices.Clone(objects)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if sortByScore(shuffled); !slices.EqualFunc(shuffled, objects, same) {
			t.Errorf("seed %d: the order depends on the order given", seed)
		}
		thinned(t, objects, 0.5)
	}
}

package decide

import (
	"context"
	"maps"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"gleaner/schemas"
)

// classKey names the state of a class.
type classKey struct{ decision, class string }

// pool gathers one class of a run for one decision.
type pool struct {
	top     candidates
	objects int
	bytes   uint64
	last    schemas.SampleID // whose image was counted last
}

func (p *pool) add(row *schemas.Scored, by float64) {
	p.objects++
	if row.SampleID != p.last { // rows of one image follow one another
		p.bytes += row.Bytes
		p.last = row.SampleID
	}
	p.top.push(candidate{after: schemas.DecisionState{SampleID: row.SampleID, ObjectID: row.ObjectID, Score: by}})
}

// picks names the picks of the class, ordered by name.
func (p *pool) picks() []string {
	names := make([]string, len(p.top.heap))
	for i, c := range p.top.heap {
		names[i] = c.after.SampleID.String()
		if c.after.ObjectID != "" {
			names[i] += "/" + c.after.ObjectID
		}
	}
	slices.Sort(names)
	return names
}

// jaccard is the share of the union of two ordered lists that both have; 0 where either is empty.
func jaccard(a, b []string) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	both := 0
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); ok {
			both++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// distill decides about the classes that the run has shown, after that many epochs; others stay as they are.
func (e *evaluation) distill(ctx context.Context, epochs uint32) error {
	for i, d := range e.Set.classes {
		for _, class := range slices.Sorted(maps.Keys(e.pools[i])) {
			p, key := e.pools[i][class], classKey{d.Name, class}
			before, known := e.classes[key]
			delete(e.classes, key)
			if !known {
				before = schemas.DecisionState{Dataset: e.dataset, Decision: d.Name, Action: d.Action, Class: class, Weight: 1}
			}
			top := p.picks()
			figures := map[string]float64{
				"objects": float64(p.objects), "epochs": float64(epochs), "replay_bytes": float64(p.bytes), "stability": jaccard(top, before.Top),
			}
			after, counts, err := e.next(ctx, d, before, func(name string) ref.Val {
				switch name {
				case "dataset":
					return types.String(e.dataset)
				case "class":
					return types.String(class)
				}
				if v, ok := figures[name]; ok {
					return types.Double(v)
				}
				return nil
			}, epochs)
			if err != nil {
				return err
			}
			if counts {
				after.Top, after.Score = top, figures["stability"]
				err = e.verdict(d, before, after, figures)
			} else if before.Active {
				err = e.out(Verdict{State: before, Change: Stays, Evidence: figures})
			}
			if err != nil {
				return err
			}
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(e.classes), func(a, b classKey) int {
		return slices.Compare([]string{a.decision, a.class}, []string{b.decision, b.class})
	}) {
		if s := e.classes[key]; s.Active {
			if err := e.out(Verdict{State: s, Change: Stays}); err != nil {
				return err
			}
		}
	}
	return nil
}

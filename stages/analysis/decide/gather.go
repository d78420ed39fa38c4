package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gleaner/schemas"
)

// Evaluated says what an evaluation was of.
type Evaluated struct {
	Run   schemas.Run // its id, dataset, and what else is known of it
	Rules string      // id of the rules
	At    time.Time   // when it was evaluated; of a run that has finished, when it did
	// Again is for a process that does not know whether those before it were heard: what entered in the course of the run is said once
	// more. Readers fold it, by the run, the sample and Pick.Since, or by the trigger's id.
	Again bool
}

// Gathering makes of verdicts what the world is told. It holds about 200 bytes for each object that an action is in force on.
type Gathering struct {
	of       Evaluated
	seen     uint32
	picks    map[schemas.DecisionAction][]schemas.Pick
	triggers []schemas.Trigger
}

// Gather begins with no picks for each of the set's actions: a selection that has become empty is told too, but of reviews.
func (s *Set) Gather(of Evaluated) *Gathering {
	g := &Gathering{of: of, picks: map[schemas.DecisionAction][]schemas.Pick{}}
	for _, d := range s.objects {
		g.picks[d.Action] = nil
	}
	return g
}

// Add takes the verdicts of one evaluation in turn.
func (g *Gathering) Add(v Verdict) {
	s := &v.State
	if s.RunID == g.of.Run.RunID {
		g.seen = max(g.seen, s.Seen)
	}
	news := v.Change == Enters || g.of.Again && v.Change == Stays && s.SinceRun == g.of.Run.RunID
	switch {
	case s.Action == schemas.ActionDistill:
		if news {
			g.triggers = append(g.triggers, g.trigger(v))
		}
		return
	case v.Change == Leaves:
		if _, ok := g.picks[s.Action]; !ok {
			g.picks[s.Action] = nil // the rules no longer have the action
		}
		return
	case !s.Active || s.Action == schemas.ActionReview && !news:
		return
	}
	g.picks[s.Action] = append(g.picks[s.Action], schemas.Pick{SampleID: s.SampleID, ObjectID: s.ObjectID, Score: s.Score, Weight: s.Weight, Reason: s.Reason, Since: s.SinceAt})
}

// Drop takes out what was gathered of some samples.
func (g *Gathering) Drop(samples map[schemas.SampleID]bool) {
	for action, picks := range g.picks {
		g.picks[action] = slices.DeleteFunc(picks, func(p schemas.Pick) bool { return samples[p.SampleID] })
	}
}

func (g *Gathering) trigger(v Verdict) schemas.Trigger {
	s, run := &v.State, &g.of.Run
	evidence := maps.Clone(v.Evidence)
	if evidence == nil {
		evidence = map[string]float64{}
	}
	evidence["top"] = float64(len(s.Top))
	return schemas.Trigger{
		ID:      strings.Join([]string{run.Dataset, string(s.Action), s.Decision, s.Class, run.RunID, fmt.Sprint(s.SinceSeen)}, "/"),
		Dataset: run.Dataset, DatasetVersion: run.DatasetVersion, Kind: string(s.Action), Class: s.Class, Reason: s.Reason, Evidence: evidence, At: g.of.At,
	}
}

// Selections are one for each action on objects, in order of their names: all objects that it is in force on, whatever run brought
// them there, but of reviews those that entered now. Several decisions with one action and object are one pick, with the largest
// score and weight, since the latest came into force. Nothing may be added afterwards.
func (g *Gathering) Selections() []schemas.Selection {
	var out []schemas.Selection
	for _, action := range slices.Sorted(maps.Keys(g.picks)) {
		picks := merge(g.picks[action])
		if len(picks) == 0 && action == schemas.ActionReview {
			continue
		}
		run := &g.of.Run
		out = append(out, schemas.Selection{
			ID:      schemas.SelectionID(picks, run.Dataset, string(action), run.RunID, fmt.Sprint(g.seen)),
			Dataset: run.Dataset, DatasetVersion: run.DatasetVersion, Kind: string(action), Method: "rules " + g.of.Rules, RunID: run.RunID, Seed: run.Seed,
			At: g.of.At, AsOf: run.Started, Picks: picks,
		})
	}
	return out
}

// Triggers are those of the classes whose distillation is asked for.
func (g *Gathering) Triggers() []schemas.Trigger { return g.triggers }

// merge makes one pick of those of one object, and orders them by score, the highest first.
func merge(picks []schemas.Pick) []schemas.Pick {
	byObject := func(a, b schemas.Pick) int { return order(a.SampleID, a.ObjectID, b.SampleID, b.ObjectID) }
	slices.SortStableFunc(picks, byObject)
	kept := picks[:0]
	for _, p := range picks {
		if n := len(kept); n > 0 && byObject(kept[n-1], p) == 0 {
			k := &kept[n-1]
			k.Score, k.Weight, k.Reason = max(k.Score, p.Score), max(k.Weight, p.Weight), k.Reason+"; "+p.Reason
			if p.Since.After(k.Since) {
				k.Since = p.Since
			}
			continue
		}
		kept = append(kept, p)
	}
	slices.SortStableFunc(kept, func(a, b schemas.Pick) int { return cmp.Compare(b.Score, a.Score) })
	return kept
}

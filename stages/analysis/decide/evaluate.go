package decide

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"cel.dev/cel-go/common/types/ref"

	"gleaner/schemas"
	"gleaner/stages/rules/expression"
)

// Change is what an evaluation did to one decision about one object or class.
type Change string

// The changes.
const (
	Enters Change = "enters" // the action is in force from now on
	Stays  Change = "stays"  // it remains in force
	Leaves Change = "leaves" // it is no longer in force
	Waits  Change = "waits"  // it is not in force: for want of evaluations in a row, or of room below the limit
)

// Verdict is the outcome for one object, or class, that a decision holds or is about to.
type Verdict struct {
	Change   Change                `json:"change"`
	State    schemas.DecisionState `json:"state"`              // as it is now; its times are those of before
	Changed  bool                  `json:"-"`                  // the state is another than before, and is to be stored
	Evidence map[string]float64    `json:"evidence,omitempty"` // of a class: what the decision rests on
}

// Summary counts an evaluation.
type Summary struct {
	Objects int              `json:"objects"`          // that the run has presented
	Faults  map[string]Fault `json:"faults,omitempty"` // by decision: what could not be evaluated, whose state is as it was
}

// Fault counts the objects and classes that a decision could not be evaluated on.
type Fault struct {
	Count int    `json:"count"`
	First string `json:"first"` // why, of the first
}

// evaluation is one run of Evaluate.
type evaluation struct {
	*Set
	run        string
	out        func(Verdict) error
	held       map[string]int         // by decision: how many count against its limit
	candidates map[string]*candidates // by decision: those that would enter
	pools      []map[string]*pool     // by decision that distills, and class
	classes    map[classKey]schemas.DecisionState
	known      map[string]*decision
	summary    Summary
}

// Evaluate applies the decisions to what a run has shown so far. scores and states, which are those of the dataset, come in the order
// of (sample id, object id). out gets, in that order but for those that enter below a limit and for classes, which come last, every
// state that is in force or has changed; states of objects that the run has not presented stay. It holds a decision's limit of objects
// and its classes' picks in memory. An expression that cannot be evaluated leaves a state as it was and is counted. It
// fails with ctx, with the sequences, and with out.
func (s *Set) Evaluate(ctx context.Context, run string, scores iter.Seq2[schemas.Scored, error], states iter.Seq2[schemas.DecisionState, error], out func(Verdict) error) (Summary, error) {
	e := &evaluation{
		Set: s, run: run, out: out, held: map[string]int{}, candidates: map[string]*candidates{},
		pools: make([]map[string]*pool, len(s.classes)), classes: map[classKey]schemas.DecisionState{}, known: map[string]*decision{},
	}
	for _, d := range s.objects {
		e.known[d.Name] = d
		e.candidates[d.Name] = &candidates{limit: d.Limit}
	}
	for i, d := range s.classes {
		e.known[d.Name] = d
		e.pools[i] = map[string]*pool{}
	}
	next, stop := iter.Pull2(states)
	defer stop()
	state, err, more := next()
	var last schemas.Scored
	epochs := uint32(0)
	for row, failed := range scores {
		if failed != nil {
			return e.summary, failed
		}
		if e.summary.Objects > 0 && order(last.SampleID, last.ObjectID, row.SampleID, row.ObjectID) >= 0 {
			return e.summary, fmt.Errorf("decide: scores are not in the order of sample and object at %s %s", row.SampleID, row.ObjectID)
		}
		last = row
		e.summary.Objects++
		epochs = max(epochs, row.Epochs)
		var before []schemas.DecisionState
		for ; more && err == nil; state, err, more = next() {
			c := order(state.SampleID, state.ObjectID, row.SampleID, row.ObjectID)
			if c > 0 {
				break
			}
			if c == 0 {
				before = append(before, state)
			} else if err := e.absent(state); err != nil {
				return e.summary, err
			}
		}
		if more && err != nil {
			return e.summary, err
		}
		if err := e.object(ctx, &row, before); err != nil {
			return e.summary, err
		}
	}
	for ; more; state, err, more = next() {
		if err != nil {
			return e.summary, err
		}
		if err := e.absent(state); err != nil {
			return e.summary, err
		}
	}
	if err := e.admit(); err != nil {
		return e.summary, err
	}
	return e.summary, e.distill(ctx, epochs)
}

// order compares two objects as the sequences do.
func order(a schemas.SampleID, x string, b schemas.SampleID, y string) int {
	return cmp.Or(slices.Compare(a[:], b[:]), cmp.Compare(x, y))
}

// absent goes over the state of a class, or of an object that the run has not presented.
func (e *evaluation) absent(s schemas.DecisionState) error {
	switch d := e.known[s.Decision]; {
	case d == nil || d.Action != s.Action:
		return e.lift(s)
	case s.Action == schemas.ActionDistill:
		e.classes[classKey{s.Decision, s.Class}] = s
		return nil
	case s.Active:
		e.count(d, s)
		return e.out(Verdict{State: s, Change: Stays})
	}
	return nil
}

// lift ends what a decision held that the rules no longer have.
func (e *evaluation) lift(s schemas.DecisionState) error {
	if !s.Active && s.Streak == 0 {
		return nil
	}
	was := s.Active
	s.Active, s.Streak, s.Reason = false, 0, "the rules no longer say so"
	if !was {
		return e.out(Verdict{State: s, Change: Waits, Changed: true})
	}
	return e.out(Verdict{State: s, Change: Leaves, Changed: true})
}

// count counts an active state against the limit of its decision.
func (e *evaluation) count(d *decision, s schemas.DecisionState) {
	if d.Action != schemas.ActionReview || s.SinceRun == e.run {
		e.held[d.Name]++
	}
}

func (e *evaluation) object(ctx context.Context, row *schemas.Scored, states []schemas.DecisionState) error {
	value := e.env.ofObject(row)
	for _, s := range states {
		if d := e.known[s.Decision]; d == nil || d.Action != s.Action {
			if err := e.lift(s); err != nil {
				return err
			}
		}
	}
	for i, d := range e.Set.classes {
		if row.Class == "" {
			break
		}
		by, why, err := number(ctx, d.by, value)
		if err != nil {
			return err
		}
		if why != "" {
			e.fault(d, why)
			continue
		}
		p := e.pools[i][row.Class]
		if p == nil {
			p = &pool{top: candidates{limit: d.Top}}
			e.pools[i][row.Class] = p
		}
		p.add(row, by)
	}
	for _, d := range e.objects {
		before := schemas.DecisionState{Dataset: e.dataset, Decision: d.Name, Action: d.Action, SampleID: row.SampleID, ObjectID: row.ObjectID, Weight: 1}
		for _, s := range states {
			if s.Decision == d.Name && s.Action == d.Action {
				before = s
			}
		}
		after, counts, err := e.next(ctx, d, before, value, row.Seen)
		switch {
		case err != nil:
			return err
		case !counts:
			if before.Active {
				e.count(d, before)
				err = e.out(Verdict{State: before, Change: Stays})
			}
		case after.Active && !before.Active && d.Limit > 0:
			if pushed, ok := e.candidates[d.Name].push(candidate{after, before}); ok {
				err = e.wait(pushed)
			}
		default:
			err = e.verdict(d, before, after, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxOthers is how many runs beside the last one a state remembers: so many more may take turns without a presentation that counts twice.
const maxOthers = 15

// seenIn is what a run had shown at its last evaluation that counted; 0: it has had none.
func seenIn(s *schemas.DecisionState, run string) uint32 {
	if s.RunID == run {
		return s.Seen
	}
	for _, o := range s.Others {
		if o.RunID == run {
			return o.Seen
		}
	}
	return 0
}

// counted is the state with what a run has shown at an evaluation that counts.
func counted(s schemas.DecisionState, run string, seen uint32) schemas.DecisionState {
	if s.RunID != run && s.RunID != "" {
		others := []schemas.RunSeen{{RunID: s.RunID, Seen: s.Seen}}
		for _, o := range s.Others {
			if o.RunID != run && len(others) < maxOthers {
				others = append(others, o)
			}
		}
		s.Others = others
	}
	s.RunID, s.Seen = run, seen
	return s
}

// next is the state after an evaluation; counts is false where it is as before, since the object was not presented since or an
// expression cannot be evaluated. The error is the context's.
func (e *evaluation) next(ctx context.Context, d *decision, before schemas.DecisionState, value func(string) ref.Val, seen uint32) (after schemas.DecisionState, counts bool, err error) {
	if seen <= seenIn(&before, e.run) {
		return before, false, nil
	}
	vars := &variables{value: value}
	condition := d.when
	if before.Active && d.until != nil {
		condition = d.until
	}
	yes, _, why, err := condition.Eval(ctx, vars)
	if err != nil {
		return before, false, err
	}
	if before.Active && d.until == nil {
		yes = !yes
	}
	after = counted(before, e.run, seen)
	if after.Streak++; !yes {
		after.Streak = 0
	}
	if changes := yes && int(after.Streak) >= d.Persist; changes {
		after.Active, after.Streak, after.SinceRun, after.SinceSeen = !before.Active, 0, e.run, seen
		after.Reason = d.reason(vars.because())
	}
	if why == "" && after.Active && d.Action != schemas.ActionDistill {
		if after.Score, why, err = number(ctx, d.by, value); err == nil && why == "" {
			after.Weight, why, err = number(ctx, d.factor, value)
		}
		if why == "" && !(after.Weight > 0 && after.Weight <= maxFactor) {
			why = fmt.Sprintf("factor is %g: want more than 0 and at most %d", after.Weight, maxFactor)
		}
	}
	if why != "" {
		e.fault(d, why)
		return before, false, err
	}
	return after, true, err
}

// reason says why in one sentence.
func (d *decision) reason(because string) string {
	if d.Message == "" {
		return fmt.Sprintf("%s: %s", d.Name, because)
	}
	return fmt.Sprintf("%s (%s)", d.Message, because)
}

// number evaluates an expression that may be left out, which counts as 1.
func number(ctx context.Context, x *expression.Expression[float64], value func(string) ref.Val) (v float64, why string, err error) {
	if x == nil {
		return 1, "", nil
	}
	v, _, why, err = x.Eval(ctx, &variables{value: value})
	if why == "" && v != v {
		why = "it is not a number, as what it reads is unknown"
	}
	return v, why, err
}

func (e *evaluation) fault(d *decision, why string) {
	if e.summary.Faults == nil {
		e.summary.Faults = map[string]Fault{}
	}
	f := e.summary.Faults[d.Name]
	if f.Count++; f.Count == 1 {
		f.First = why
	}
	e.summary.Faults[d.Name] = f
}

// verdict hands out what an evaluation that counted made of a state.
func (e *evaluation) verdict(d *decision, before, after schemas.DecisionState, evidence map[string]float64) error {
	v := Verdict{State: after, Changed: true, Evidence: evidence}
	switch {
	case after.Active && before.Active:
		v.Change = Stays
	case after.Active:
		v.Change = Enters
	case before.Active:
		v.Change = Leaves
	default:
		if v.Change = Waits; after.Streak == 0 && before.Streak == 0 && after.Top == nil {
			return nil // nothing is known of it, then as now
		}
	}
	if after.Active {
		e.count(d, after)
	}
	return e.out(v)
}

// wait puts off what would enter if there were room: it needs one more evaluation.
func (e *evaluation) wait(c candidate) error {
	d := e.known[c.after.Decision]
	s := counted(c.before, e.run, c.after.Seen)
	s.Streak, s.Score = uint32(d.Persist-1), c.after.Score
	return e.out(Verdict{State: s, Change: Waits, Changed: s.Streak > 0 || c.before.Streak > 0})
}

// admit lets the best candidates of each decision in for which there is room.
func (e *evaluation) admit() error {
	for _, d := range e.objects {
		for _, c := range e.candidates[d.Name].best() {
			var err error
			if e.held[d.Name] < d.Limit {
				err = e.verdict(d, c.before, c.after, nil)
			} else {
				err = e.wait(c)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

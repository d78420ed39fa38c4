package humanlabel

// State is what the log amounts to. All changes of a task go through change, which keeps the order of claims, the leases, the
// counts and the digest in step with it.

import (
	"container/heap"
	"sort"
	"time"

	"gleaner/schemas"
)

// State is the fold of a log up to an offset. It is not safe for concurrent use. Memory: some 700 bytes a task,
// with the remembered id of the command that opened it (BenchmarkClaim).
type State struct {
	genesis  string
	fold     int
	now      int64 // fold time, nanoseconds since 1970
	offset   int64 // of the last record folded, -1 before the first
	last     schemas.Hash
	seq      uint64 // the next place in the order of opening
	tasks    map[schemas.SampleID]*task
	queues   map[string]*queue
	leases   ranking // claimed tasks, the first to end first
	seen     memory
	erased   map[schemas.SampleID]struct{}
	verdicts [len(verdicts)]uint64
	digest   digest            // over tasks and erased samples
	names    map[string]string // one copy of each queue, dataset and holder
}

// verdicts gives each verdict its place in counts and snapshots: only ever append.
var verdicts = [...]schemas.Verdict{
	schemas.Applied, schemas.Stale, schemas.NotFound, schemas.Empty, schemas.Refused, schemas.Expired, schemas.Unknown,
}

// states gives each task state its place in counts and snapshots: only ever append.
var states = [...]schemas.TaskState{schemas.TaskOpen, schemas.TaskClaimed, schemas.TaskSubmitted, schemas.TaskCanceled}

const (
	open = iota
	claimed
	submitted
	canceled
)

// task is a schemas.Task in the fold's own form: times in nanoseconds, shared strings, places in the order.
type task struct {
	next *task // another kind of work on the same sample

	sample                                        schemas.SampleID
	kind, dataset, unique, queue, reason, holder  string
	body, draft, result                           schemas.BlobRef // no key: none
	priority                                      float64
	version, round                                uint64
	state                                         uint8
	created, changed, opened, claimed, lease, got int64  // got: the length of the lease that was granted, nanoseconds
	seq                                           uint64 // in the order of opening: breaks ties

	rank float64 // priority with its aging, derived
	pos  int     // in the ranking that holds it
}

// queue holds the open tasks of one name in the order in which they are claimed.
type queue struct {
	open   ranking
	counts [len(states)]int
}

// NewState is the state of an empty log.
func NewState() *State {
	return &State{
		fold: schemas.DeskFold, offset: -1,
		tasks: map[schemas.SampleID]*task{}, queues: map[string]*queue{},
		leases: ranking{before: endsBefore}, seen: newMemory(),
		erased: map[schemas.SampleID]struct{}{}, names: map[string]string{},
	}
}

// change is the only way to alter a task.
func (s *State) change(t *task, how func()) {
	s.digest.sub(t.sum())
	s.unindex(t)
	how()
	t.changed = s.now
	s.index(t)
	s.digest.add(t.sum())
}

// add brings a new task in.
func (s *State) add(t *task) {
	t.next = s.tasks[t.sample]
	s.tasks[t.sample] = t
	s.index(t)
	s.digest.add(t.sum())
}

// forget takes a sample's tasks out.
func (s *State) forget(id schemas.SampleID) {
	for t := s.tasks[id]; t != nil; t = t.next {
		s.digest.sub(t.sum())
		s.unindex(t)
	}
	delete(s.tasks, id)
}

func (s *State) index(t *task) {
	q := s.queues[t.queue]
	if q == nil {
		q = &queue{open: ranking{before: claimedBefore}}
		s.queues[t.queue] = q
	}
	q.counts[t.state]++
	switch t.state {
	case open:
		t.rank = rank(t.priority, t.opened)
		heap.Push(&q.open, t)
	case claimed:
		heap.Push(&s.leases, t)
	}
}

func (s *State) unindex(t *task) {
	q := s.queues[t.queue]
	q.counts[t.state]--
	switch t.state {
	case open:
		heap.Remove(&q.open, t.pos)
	case claimed:
		heap.Remove(&s.leases, t.pos)
	}
}

// find returns the task of that id, or nil.
func (s *State) find(id string) *task {
	const digits = 2 * len(schemas.SampleID{})
	if len(id) < digits+2 || id[digits] != '-' {
		return nil
	}
	sample, err := schemas.ParseSampleID(id[:digits])
	if err != nil {
		return nil
	}
	return s.lookup(sample, id[digits+1:])
}

func (s *State) lookup(sample schemas.SampleID, kind string) *task {
	t := s.tasks[sample]
	for t != nil && t.kind != kind {
		t = t.next
	}
	return t
}

// name returns the one copy that the state keeps of a string that recurs.
func (s *State) name(n string) string {
	if kept, ok := s.names[n]; ok {
		return kept
	}
	s.names[n] = n
	return n
}

// view is the task as others see it.
func (t *task) view() *schemas.Task {
	v := &schemas.Task{
		ID: schemas.TaskID(t.sample, t.kind), SampleID: t.sample, Dataset: t.dataset, UniqueID: t.unique, Task: t.kind,
		Queue: t.queue, Priority: t.priority, Reason: t.reason, State: states[t.state], Version: t.version, Round: t.round,
		Body: t.body, Holder: t.holder, Created: at(t.created), Changed: at(t.changed),
	}
	if t.draft.Key != "" {
		draft := t.draft
		v.Draft = &draft
	}
	if t.result.Key != "" {
		result := t.result
		v.Result = &result
	}
	if t.state == claimed {
		v.Lease = at(t.lease)
	}
	return v
}

func at(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }

// Task returns a task by its id.
func (s *State) Task(id string) (schemas.Task, bool) {
	t := s.find(id)
	if t == nil {
		return schemas.Task{}, false
	}
	return *t.view(), true
}

// Tasks lists the tasks that match: open ones in the order in which they will be claimed, in time that grows with their
// number only; claimed ones by the end of their lease; any others by a scan of the whole state, latest change first.
func (s *State) Tasks(f schemas.TaskFilter) []schemas.Task {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	var found []*task
	before := func(a, b *task) bool {
		if a.changed != b.changed {
			return a.changed > b.changed
		}
		return a.seq > b.seq
	}
	switch f.State {
	case schemas.TaskOpen:
		before = claimedBefore
		for name, q := range s.queues {
			if f.Queue == "" || f.Queue == name {
				found = append(found, q.open.first(f.Limit)...)
			}
		}
	case schemas.TaskClaimed:
		before = endsBefore
		for _, t := range s.leases.items {
			if f.Queue == "" || f.Queue == t.queue {
				found = append(found, t)
			}
		}
	default:
		for _, t := range s.tasks {
			for ; t != nil; t = t.next {
				if (f.Queue != "" && f.Queue != t.queue) || (f.State != "" && f.State != states[t.state]) {
					continue
				}
				if found = append(found, t); len(found) == 2*f.Limit {
					sort.Slice(found, func(i, j int) bool { return before(found[i], found[j]) })
					found = found[:f.Limit]
				}
			}
		}
	}
	sort.Slice(found, func(i, j int) bool { return before(found[i], found[j]) })
	out := make([]schemas.Task, 0, min(len(found), f.Limit))
	for _, t := range found[:min(len(found), f.Limit)] {
		out = append(out, *t.view())
	}
	return out
}

// Counts returns the number of tasks of each queue by state, by name of the queue.
func (s *State) Counts() []schemas.QueueCount {
	out := make([]schemas.QueueCount, 0, len(s.queues))
	for name, q := range s.queues {
		c := q.counts
		out = append(out, schemas.QueueCount{
			Queue: name, Open: c[open], Claimed: c[claimed], Submitted: c[submitted], Canceled: c[canceled],
		})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Queue < out[j].Queue })
	return out
}

// Outcome returns what was decided about a command, with its task as it is now, for as long as the state remembers it.
func (s *State) Outcome(commandID string) (schemas.Outcome, bool) {
	d, ok := s.seen.find(keyOf(commandID))
	if !ok {
		return schemas.Outcome{}, false
	}
	o := schemas.Outcome{CommandID: commandID, Verdict: verdicts[d.verdict], Reason: d.reason, Offset: d.offset}
	if t := s.lookup(d.sample, d.kind); t != nil {
		o.Task = t.view()
	}
	return o, true
}

// Status is where a fold stands.
type Status struct {
	Genesis  string                     `json:"genesis"`
	Fold     int                        `json:"fold"`
	Offset   int64                      `json:"offset"` // of the last record folded, -1 before the first
	Now      time.Time                  `json:"now"`    // fold time
	Hash     schemas.Hash               `json:"hash"`
	Verdicts map[schemas.Verdict]uint64 `json:"verdicts"` // records folded, by what was decided
}

// Status says where the fold stands.
func (s *State) Status() Status {
	st := Status{
		Genesis: s.genesis, Fold: s.fold, Offset: s.offset, Now: at(s.now), Hash: s.Hash(), Verdicts: map[schemas.Verdict]uint64{},
	}
	for i, v := range verdicts {
		st.Verdicts[v] = s.verdicts[i]
	}
	return st
}

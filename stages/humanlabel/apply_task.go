package humanlabel

// What the commands about tasks do.

import (
	"time"

	"gleaner/schemas"
)

func (s *State) create(_ string, b schemas.CreateBody) schemas.Outcome {
	if b.Queue == "" {
		b.Queue = b.Dataset
	}
	switch {
	case b.SampleID == schemas.SampleID{}:
		return verdict(schemas.Unknown, "a task needs a sample")
	case b.Dataset == "" || b.Task == "" || b.Body.Key == "":
		return verdict(schemas.Unknown, "a task needs a dataset, a kind of work and a body")
	case max(len(b.Dataset), len(b.UniqueID), len(b.Task), len(b.Queue), len(b.Body.Key)) > maxName || len(b.Reason) > maxReason:
		return verdict(schemas.Unknown, "a field of the task is too long")
	}
	if _, gone := s.erased[b.SampleID]; gone {
		return verdict(schemas.Refused, "the sample was erased")
	}
	t := s.lookup(b.SampleID, b.Task)
	if t == nil {
		t = &task{
			sample: b.SampleID, kind: s.name(b.Task), dataset: s.name(b.Dataset), unique: b.UniqueID, queue: s.name(b.Queue),
			reason: b.Reason, body: b.Body, priority: b.Priority, version: 1, round: 1, state: open,
			created: s.now, changed: s.now, opened: s.now, seq: s.next(),
		}
		s.add(t)
		return done(t)
	}
	switch {
	case t.state == open || t.state == claimed:
		if b.Priority > t.priority {
			s.change(t, func() { t.priority, t.reason = b.Priority, b.Reason })
		}
		return done(t)
	case !b.Reopen:
		return about(t, schemas.Refused, "the task is closed, and the command does not reopen it")
	case b.Revision != 0 && t.version > b.Revision:
		return about(t, schemas.Stale, "the label that is doubted is no longer current")
	}
	s.change(t, func() {
		t.state, t.queue, t.reason, t.body, t.priority = open, s.name(b.Queue), b.Reason, b.Body, b.Priority
		t.draft, t.opened, t.seq = schemas.BlobRef{}, s.now, s.next()
		t.round++
		t.version++
	})
	return done(t)
}

func (s *State) next() uint64 { s.seq++; return s.seq }

func (s *State) claim(actor string, b schemas.ClaimBody) schemas.Outcome {
	length := b.Lease
	if length == 0 {
		length = DefaultLease
	}
	length = min(max(length, MinLease), MaxLease)
	var t *task
	if b.TaskID == "" {
		if t = s.front(b.Queue); t == nil {
			return verdict(schemas.Empty, "no task is open")
		}
	} else if t = s.find(b.TaskID); t == nil {
		return missing()
	}
	switch {
	case t.state == claimed && t.holder == actor: // in a new window, say
		s.change(t, func() { s.lend(t, length) })
		return done(t)
	case t.state != open:
		return about(t, schemas.Refused, notOpen[t.state])
	}
	s.change(t, func() {
		t.state, t.holder, t.claimed = claimed, s.name(actor), s.now
		s.lend(t, length)
		t.version++
	})
	return done(t)
}

// notOpen says why a task cannot be claimed, by its state.
var notOpen = [len(states)]string{
	claimed: "another person holds the task", submitted: "the task is submitted already", canceled: "the task is canceled",
}

func (s *State) lend(t *task, length time.Duration) {
	t.got, t.lease = int64(length), s.now+int64(length)
}

// front is the task to claim next: of one queue, or of all.
func (s *State) front(name string) *task {
	if name != "" {
		if q := s.queues[name]; q != nil && len(q.open.items) > 0 {
			return q.open.items[0]
		}
		return nil
	}
	var best *task
	for _, q := range s.queues {
		if len(q.open.items) > 0 && (best == nil || claimedBefore(q.open.items[0], best)) {
			best = q.open.items[0]
		}
	}
	return best
}

// expire opens the tasks whose lease has ended. Their drafts stay.
func (s *State) expire() {
	for len(s.leases.items) > 0 && s.leases.items[0].lease <= s.now {
		t := s.leases.items[0]
		s.change(t, func() { t.state, t.holder = open, "" })
	}
}

// renew needs no version: it is about who holds the task, not about what is in it.
func (s *State) renew(actor string, b schemas.TaskBody) schemas.Outcome {
	t := s.find(b.TaskID)
	if t == nil {
		return missing()
	}
	if o, ok := held(t, actor); !ok {
		return o
	}
	s.change(t, func() { s.lend(t, time.Duration(t.got)) })
	return done(t)
}

func (s *State) release(actor string, b schemas.TaskBody) schemas.Outcome {
	t := s.find(b.TaskID)
	if t == nil {
		return missing()
	}
	if o, ok := current(t, b.Version); !ok && b.Version != 0 {
		return o
	}
	if o, ok := held(t, actor); !ok {
		return o
	}
	s.change(t, func() { t.state, t.holder = open, "" })
	return done(t)
}

func (s *State) draft(actor string, b schemas.DraftBody) schemas.Outcome {
	return s.save(actor, b.TaskID, b.Version, b.Draft, func(t *task) { t.draft = b.Draft })
}

func (s *State) submit(actor string, b schemas.SubmitBody) schemas.Outcome {
	return s.save(actor, b.TaskID, b.Version, b.Annotation, func(t *task) {
		t.state, t.result, t.draft, t.holder = submitted, b.Annotation, schemas.BlobRef{}, ""
	})
}

// save takes a person's work on the version that is current; else the answer names the work, so that it is not lost.
func (s *State) save(actor, id string, version uint64, work schemas.BlobRef, how func(*task)) schemas.Outcome {
	if work.Key == "" || len(work.Key) > maxName || work.Size < 0 {
		return verdict(schemas.Unknown, "the work to save is not in the blob store")
	}
	t := s.find(id)
	if t == nil {
		o := missing()
		o.Kept = &work
		return o
	}
	o, ok := current(t, version)
	if ok {
		o, ok = held(t, actor)
	}
	if !ok {
		o.Kept = &work
		return o
	}
	s.change(t, func() {
		how(t)
		t.version++
	})
	return done(t)
}

func (s *State) reprioritize(_ string, b schemas.ReprioritizeBody) schemas.Outcome {
	t := s.find(b.TaskID)
	switch {
	case t == nil:
		return missing()
	case t.state != open && t.state != claimed:
		return about(t, schemas.Refused, notOpen[t.state])
	case len(b.Reason) > maxReason:
		return verdict(schemas.Unknown, "the reason is too long")
	}
	s.change(t, func() {
		t.priority = b.Priority
		if b.Reason != "" {
			t.reason = b.Reason
		}
	})
	return done(t)
}

func (s *State) cancel(_ string, b schemas.TaskBody) schemas.Outcome {
	t := s.find(b.TaskID)
	if t == nil {
		return missing()
	}
	if o, ok := current(t, b.Version); !ok && b.Version != 0 {
		return o
	}
	if t.state != open && t.state != claimed {
		return about(t, schemas.Refused, notOpen[t.state])
	}
	s.change(t, func() {
		t.state, t.holder = canceled, ""
		if b.Reason != "" && len(b.Reason) <= maxReason {
			t.reason = b.Reason
		}
		t.version++
	})
	return done(t)
}

func (s *State) erase(_ string, b schemas.EraseBody) schemas.Outcome {
	if (b.SampleID == schemas.SampleID{}) {
		return verdict(schemas.Unknown, "nothing is named to erase")
	}
	s.forget(b.SampleID)
	if _, gone := s.erased[b.SampleID]; !gone {
		s.erased[b.SampleID] = struct{}{}
		s.digest.add(erasedSum(b.SampleID))
	}
	return verdict(schemas.Applied, "")
}

func missing() schemas.Outcome { return verdict(schemas.NotFound, "there is no such task") }

func done(t *task) schemas.Outcome { return about(t, schemas.Applied, "") }

func about(t *task, v schemas.Verdict, reason string) schemas.Outcome {
	o := verdict(v, reason)
	o.Task = t.view()
	return o
}

func current(t *task, version uint64) (schemas.Outcome, bool) {
	if t.version == version {
		return schemas.Outcome{}, true
	}
	return about(t, schemas.Stale, "a newer version of the task is current"), false
}

func held(t *task, actor string) (schemas.Outcome, bool) {
	switch {
	case t.state == claimed && t.holder == actor:
		return schemas.Outcome{}, true
	case t.state == open:
		return about(t, schemas.Refused, "the claim has ended: claim the task again"), false
	}
	return about(t, schemas.Refused, notOpen[t.state]), false
}

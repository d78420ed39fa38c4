package humanlabel

// Snapshots: the whole state at one offset as bytes, with its hash, so that a long log need not be folded from its start.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"gleaner/schemas"
)

// snapshotMagic begins every snapshot; its number changes with the encoding, not with the fold.
const snapshotMagic = "gleaner desk snapshot 1\n"

// Encode writes the state: the magic, the head (genesis, fold version, offset, digest of the last record, …), the state's hash, then
// erased samples, tasks and remembered commands, each counted. Integers are variable-length, strings and digests length-prefixed or fixed.
func (s *State) Encode() []byte {
	e := encoder{buf: make([]byte, 0, 1024+400*len(s.tasks)+80*len(s.seen.order))}
	e.buf = append(e.buf, snapshotMagic...)
	e.head(s)
	hash := s.Hash()
	e.buf = append(e.buf, hash[:]...)
	e.uint(uint64(len(s.erased)))
	for id := range s.erased {
		e.buf = append(e.buf, id[:]...)
	}
	n := 0
	for _, q := range s.queues {
		for _, c := range q.counts {
			n += c
		}
	}
	e.uint(uint64(n))
	for _, t := range s.tasks {
		for ; t != nil; t = t.next {
			e.task(t)
		}
	}
	e.uint(uint64(len(s.seen.order)))
	for _, d := range s.seen.order {
		e.decided(d)
	}
	return e.buf
}

// Decode reads what Encode wrote and refuses bytes whose content does not give the hash they carry, or a fold version that
// this code does not know (ErrFoldVersion).
func Decode(data []byte) (*State, error) {
	rest, ok := bytes.CutPrefix(data, []byte(snapshotMagic))
	if !ok {
		return nil, errors.New("desk snapshot: not one, or of another encoding")
	}
	s := NewState()
	d := decoder{rest: rest, state: s}
	d.head()
	if d.err == nil && !foldable(s.fold) {
		return nil, fmt.Errorf("desk snapshot: fold version %d: %w", s.fold, ErrFoldVersion)
	}
	var hash schemas.Hash
	d.fixed(hash[:])
	for range d.count(len(schemas.SampleID{})) {
		var id schemas.SampleID
		d.fixed(id[:])
		s.erased[id] = struct{}{}
		s.digest.add(erasedSum(id))
	}
	for range d.count(minTask) {
		t := d.task()
		if d.err == nil && s.lookup(t.sample, t.kind) != nil {
			d.fail("a task is there twice")
		}
		if d.err != nil {
			break
		}
		s.add(t)
	}
	for range d.count(minDecided) {
		if s.seen.remember(d.decided()); d.err != nil {
			break
		}
	}
	switch {
	case d.err != nil:
		return nil, fmt.Errorf("desk snapshot: byte %d: %w", len(data)-len(d.rest), d.err)
	case len(d.rest) > 0:
		return nil, fmt.Errorf("desk snapshot: %d bytes too many", len(d.rest))
	case len(s.seen.byKey) != len(s.seen.order):
		return nil, errors.New("desk snapshot: a command is there twice")
	case s.Hash() != hash:
		return nil, errors.New("desk snapshot: its content does not give the hash that it carries")
	}
	return s, nil
}

type encoder struct{ buf []byte }

func (e *encoder) byte(b byte)     { e.buf = append(e.buf, b) }
func (e *encoder) uint(v uint64)   { e.buf = binary.AppendUvarint(e.buf, v) }
func (e *encoder) int(v int64)     { e.buf = binary.AppendVarint(e.buf, v) }
func (e *encoder) string(v string) { e.uint(uint64(len(v))); e.buf = append(e.buf, v...) }
func (e *encoder) blob(v schemas.BlobRef) {
	e.string(v.Key)
	e.int(v.Size)
}

func (e *encoder) head(s *State) {
	e.string(s.genesis)
	e.uint(uint64(s.fold))
	e.int(s.offset)
	e.buf = append(e.buf, s.last[:]...)
	e.int(s.now)
	e.uint(s.seq)
	e.uint(s.seen.first)
	e.int(s.seen.floor)
	for _, n := range s.verdicts {
		e.uint(n)
	}
}

func (e *encoder) task(t *task) {
	e.buf = append(e.buf, t.sample[:]...)
	for _, v := range [...]string{t.kind, t.dataset, t.unique, t.queue, t.reason, t.holder} {
		e.string(v)
	}
	e.blob(t.body)
	e.blob(t.draft)
	e.blob(t.result)
	e.uint(math.Float64bits(t.priority))
	e.uint(t.version)
	e.uint(t.round)
	e.byte(t.state)
	for _, v := range [...]int64{t.created, t.changed, t.opened, t.claimed, t.lease, t.got} {
		e.int(v)
	}
	e.uint(t.seq)
}

func (e *encoder) decided(d decided) {
	e.buf = append(e.buf, d.key[:]...)
	e.int(d.at)
	e.int(d.offset)
	e.buf = append(e.buf, d.sample[:]...)
	e.string(d.kind)
	e.byte(d.verdict)
	e.string(d.reason)
}

// The fewest bytes that a task or a command takes: what bounds a count that lies.
const (
	minTask    = 16 + 6 + 3*2 + 1 + 2 + 1 + 6 + 1
	minDecided = 16 + 2 + 16 + 1 + 1 + 1
)

// decoder reads what encoder writes; after the first error it yields zeros.
type decoder struct {
	rest  []byte
	state *State
	err   error
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = errors.New(why)
	}
}

func (d *decoder) fixed(into []byte) {
	if d.err != nil || len(d.rest) < len(into) {
		d.fail("cut short")
		return
	}
	d.rest = d.rest[copy(into, d.rest):]
}

func (d *decoder) byte() byte {
	var b [1]byte
	d.fixed(b[:])
	return b[0]
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.err != nil || n <= 0 {
		d.fail("no integer")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	if d.err != nil || n <= 0 {
		d.fail("no integer")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads a number of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.rest)/size) {
		d.fail("counts more than it holds")
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	b := make([]byte, d.count(1))
	d.fixed(b)
	return string(b)
}

func (d *decoder) name() string { return d.state.name(d.string()) }

func (d *decoder) blob() schemas.BlobRef { return schemas.BlobRef{Key: d.string(), Size: d.int()} }

func (d *decoder) head() {
	s := d.state
	s.genesis = d.string()
	s.fold = int(d.uint())
	s.offset = d.int()
	d.fixed(s.last[:])
	s.now = d.int()
	s.seq = d.uint()
	s.seen.first = d.uint()
	s.seen.floor = d.int()
	for i := range s.verdicts {
		s.verdicts[i] = d.uint()
	}
}

func (d *decoder) task() *task {
	t := &task{}
	d.fixed(t.sample[:])
	t.kind, t.dataset, t.unique, t.queue, t.reason, t.holder = d.name(), d.name(), d.string(), d.name(), d.string(), d.name()
	t.body, t.draft, t.result = d.blob(), d.blob(), d.blob()
	t.priority = math.Float64frombits(d.uint())
	t.version, t.round = d.uint(), d.uint()
	if t.state = d.byte(); int(t.state) >= len(states) {
		d.fail("a task is in no known state")
	}
	for _, v := range [...]*int64{&t.created, &t.changed, &t.opened, &t.claimed, &t.lease, &t.got} {
		*v = d.int()
	}
	t.seq = d.uint()
	return t
}

func (d *decoder) decided() decided {
	var c decided
	d.fixed(c.key[:])
	c.at, c.offset = d.int(), d.int()
	d.fixed(c.sample[:])
	c.kind, c.verdict = d.name(), d.byte()
	if int(c.verdict) >= len(verdicts) {
		d.fail("a command has no known verdict")
	}
	c.reason = d.name()
	return c
}

package humanlabel

// What the fold remembers of past commands, so that a copy of one never applies twice.

import (
	"crypto/sha256"
	"time"

	"gleaner/schemas"
)

// Part of fold version 1: changing either is a new version.
const (
	rememberFor  = int64(24 * time.Hour) // of fold time
	rememberMost = 1 << 20               // commands
)

// commandKey stands for a command id: the first 16 bytes of its SHA-256.
type commandKey [16]byte

func keyOf(id string) (k commandKey) {
	sum := sha256.Sum256([]byte(id))
	copy(k[:], sum[:])
	return k
}

// decided is what is remembered of one command.
type decided struct {
	key     commandKey
	at      int64 // fold time when it was decided
	offset  int64
	sample  schemas.SampleID // of its task
	kind    string           // of its task; empty: none
	verdict uint8
	reason  string
}

// memory is a first-in first-out queue of decided commands, found by id. Fold time never goes back, so the oldest are in front.
type memory struct {
	byKey map[commandKey]uint64 // place in order, counted from the first command ever
	order []decided             // order[i] has place first+i
	first uint64
	floor int64 // fold time of the youngest one that was forgotten
	sum   digest
	most  int // commands to remember
}

func newMemory() memory { return memory{byKey: map[commandKey]uint64{}, most: rememberMost} }

func (m *memory) find(k commandKey) (decided, bool) {
	place, ok := m.byKey[k]
	if !ok {
		return decided{}, false
	}
	return m.order[place-m.first], true
}

func (m *memory) remember(d decided) {
	place := m.first + uint64(len(m.order))
	m.byKey[d.key] = place
	m.order = append(m.order, d)
	m.sum.add(d.sum(place))
}

// forget drops what is too old at the given fold time, or too much.
func (m *memory) forget(now int64) {
	for len(m.order) > 0 && (m.order[0].at+rememberFor < now || len(m.order) >= m.most) {
		d := m.order[0]
		m.sum.sub(d.sum(m.first))
		delete(m.byKey, d.key)
		m.floor = d.at
		m.order[0] = decided{}
		m.order = m.order[1:] // append moves the rest to a new array once this one is used up
		m.first++
	}
}

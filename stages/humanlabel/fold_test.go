package humanlabel

// Fuzzing of the fold and of its snapshots, and what a large queue costs.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gleaner/schemas"
)

// records makes a log out of any bytes: each four give one record, mostly commands that have something to decide.
func records(data []byte) [][]byte {
	log := [][]byte{encode(schemas.CommandGenesis, "desk", "genesis", time.Unix(1.7e9, 0), schemas.GenesisBody{Genesis: "g", Fold: 1})}
	clock := time.Unix(1.7e9, 0).UTC()
	for ; len(data) >= 4; data = data[4:] {
		kind, who, what, n := data[0], data[1], data[2], uint64(data[3])
		sample := schemas.SampleID{0: what%16 + 1}
		task := schemas.TaskID(sample, "detect")
		actor := string(rune('a' + who%4))
		ref := schemas.BlobRef{Key: fmt.Sprintf("bodies/%d", n), Size: int64(n)}
		id := fmt.Sprintf("%d-%d-%d-%d", kind, who, what, n) // a pattern that comes again is a copy
		clock = clock.Add(time.Duration(who>>2) * time.Minute / 4)
		at := clock.Add(-time.Duration(what>>4) * time.Second)
		var body any
		var name schemas.CommandKind
		switch kind % 12 {
		case 0, 1:
			name, body = schemas.CommandCreate, schemas.CreateBody{
				SampleID: sample, Dataset: "street", Task: "detect", Queue: string(rune('q' + n%3)), Priority: float64(n) / 16,
				Body: ref, Reopen: n%2 == 0, Revision: n % 8,
			}
		case 2, 3:
			name, body = schemas.CommandClaim, schemas.ClaimBody{Lease: time.Duration(n) * time.Minute}
		case 4:
			name, body = schemas.CommandClaim, schemas.ClaimBody{TaskID: task}
		case 5:
			name, body = schemas.CommandDraft, schemas.DraftBody{TaskID: task, Version: n % 8, Draft: ref}
		case 6:
			name, body = schemas.CommandSubmit, schemas.SubmitBody{TaskID: task, Version: n % 8, Annotation: ref}
		case 7:
			name, body = []schemas.CommandKind{schemas.CommandRenew, schemas.CommandRelease, schemas.CommandCancel, "review"}[n%4],
				schemas.TaskBody{TaskID: task, Version: n % 8}
		case 8:
			name, body = schemas.CommandReprioritize, schemas.ReprioritizeBody{TaskID: task, Priority: float64(n) / 16}
		case 9:
			if name, body = schemas.CommandErase, (schemas.EraseBody{SampleID: sample}); n < 200 {
				name, body = schemas.CommandTick, nil
			}
		case 10:
			clock = clock.Add(time.Duration(n) * time.Hour)
			name = schemas.CommandTick
		case 11:
			log = append(log, data) // not a command at all
			continue
		}
		log = append(log, encode(name, actor, id, at, body))
	}
	return log
}

func encode(kind schemas.CommandKind, actor, id string, at time.Time, body any) []byte {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	value, err := json.Marshal(schemas.Command{
		ID: id, Actor: actor, At: at, NotAfter: at.Add(time.Minute), Kind: kind, Body: raw,
	})
	if err != nil {
		panic(err)
	}
	return value
}

// FuzzFold folds a log twice, the second time through a snapshot somewhere on the way: outcomes and hashes must be the same,
// and everything that the state keeps in step must be.
func FuzzFold(f *testing.F) {
	f.Add(uint16(3), []byte{0, 0, 1, 0, 2, 1, 0, 5, 5, 1, 1, 2, 6, 1, 1, 3, 0, 0, 1, 4, 4, 2, 1, 0, 10, 0, 0, 1, 3, 3, 0, 2})
	f.Add(uint16(7), bytes.Repeat([]byte{0, 9, 3, 8, 2, 17, 0, 1, 4, 33, 5, 250, 9, 1, 3, 255, 10, 0, 0, 30, 11, 1, 2, 3}, 4))
	f.Fuzz(func(t *testing.T, cut uint16, data []byte) {
		log := records(data)
		first, second := NewState(), NewState()
		for i, value := range log {
			if i == int(cut)%len(log) {
				restored, err := Decode(second.Encode())
				if err != nil {
					t.Fatal(err)
				}
				second = restored
			}
			a, errA := first.Fold(int64(i), value)
			b, errB := second.Fold(int64(i), value)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Fatalf("record %d %s: the outcomes differ:\n%s", i, value, diff)
			}
			if first.Hash() != second.Hash() {
				t.Fatalf("record %d %s: the hashes differ", i, value)
			}
		}
		verify(t, first)
		verify(t, second)
	})
}

// FuzzRecord folds bytes that nobody made on purpose.
func FuzzRecord(f *testing.F) {
	f.Add(encode(schemas.CommandCreate, "route", "1", time.Unix(1.7e9, 0), schemas.CreateBody{SampleID: schemas.SampleID{1}, Dataset: "d", Task: "t"}))
	f.Add([]byte(`{"id":"1","actor":"a","at":"2026-01-01T00:00:00Z","kind":"claim","body":{"lease":-9223372036854775808}}`))
	f.Add([]byte(`{"id":"1","actor":"a","at":"2026-01-01T00:00:00Z","kind":"create","body":{"priority":1e308,"task":"-"}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		s := NewState()
		for i, v := range append(records([]byte{0, 0, 1, 0}), value, value) {
			if _, err := s.Fold(int64(i), v); err != nil {
				return // an upgrade: the fold stops
			}
		}
		verify(t, s)
	})
}

// FuzzDecode reads snapshots that may be damaged: an error, or a state that holds together.
func FuzzDecode(f *testing.F) {
	s := NewState()
	for i, value := range records(bytes.Repeat([]byte{0, 9, 3, 8, 2, 17, 0, 1, 5, 1, 3, 2, 9, 1, 7, 255}, 4)) {
		if _, err := s.Fold(int64(i), value); err != nil {
			f.Fatal(err)
		}
	}
	whole := s.Encode()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(append(append([]byte{}, whole...), 0))
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(s.Encode())
		if err != nil || again.Hash() != s.Hash() {
			t.Fatalf("what was decoded does not survive: %v", err)
		}
	})
}

// Every bit of a snapshot counts.
func TestDamagedSnapshot(t *testing.T) {
	s := NewState()
	for i, value := range records([]byte{0, 0, 1, 0, 2, 1, 0, 5, 5, 1, 1, 2, 9, 0, 8, 255}) {
		if _, err := s.Fold(int64(i), value); err != nil {
			t.Fatal(err)
		}
	}
	whole := s.Encode()
	for i := range whole {
		for bit := range 8 {
			damaged := append([]byte{}, whole...)
			damaged[i] ^= 1 << bit
			if got, err := Decode(damaged); err == nil {
				t.Fatalf("byte %d bit %d: not noticed, state %+v", i, bit, got.Status())
			}
		}
	}
	for n := range whole {
		if _, err := Decode(whole[:n]); err == nil {
			t.Fatalf("cut to %d bytes: not noticed", n)
		}
	}
}

// The memory of command ids has a limit; past it, an old copy is refused rather than applied again.
func TestMemoryIsBounded(t *testing.T) {
	s := NewState()
	s.seen.most = 2000
	start := time.Unix(1.7e9, 0).UTC()
	command := func(i int) schemas.Command {
		return schemas.Command{
			ID: fmt.Sprint("claim-", i), Actor: "a", At: start.Add(time.Duration(i) * time.Millisecond),
			Kind: schemas.CommandClaim, Body: []byte(`{}`),
		}
	}
	Apply(s, schemas.Command{ID: "g", Actor: "d", At: start, Kind: schemas.CommandGenesis, Body: []byte(`{"genesis":"g","fold":1}`)})
	for i := 1; i <= s.seen.most+1000; i++ {
		Apply(s, command(i))
	}
	if n := len(s.seen.order); n > s.seen.most {
		t.Fatalf("%d commands remembered, at most %d", n, s.seen.most)
	}
	if o := Apply(s, command(500)); o.Verdict != schemas.Expired {
		t.Fatalf("a copy of a forgotten command: %v (%s)", o.Verdict, o.Reason)
	}
	if o := Apply(s, command(2500)); o.Verdict != schemas.Empty {
		t.Fatalf("a copy of a remembered command: %v (%s)", o.Verdict, o.Reason)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// bigState opens n tasks as route does.
func bigState(tb testing.TB, n int) *State {
	s := NewState()
	start := time.Unix(1.7e9, 0).UTC()
	Apply(s, schemas.Command{ID: "g", Actor: "d", At: start, Kind: schemas.CommandGenesis, Body: []byte(`{"genesis":"g","fold":1}`)})
	for i := range n {
		var id schemas.SampleID
		binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		body, err := json.Marshal(schemas.CreateBody{
			SampleID: id, Dataset: "street", UniqueID: fmt.Sprintf("camera-7/%08d.jpg", i), Task: "detect", Queue: "street",
			Priority: float64(i%1000) / 1000, Reason: "missing: a person that no label covers, and 2 more findings",
			Body: schemas.BlobRef{Key: schemas.BodyKey(schemas.Hash(append(id[:], id[:]...))), Size: 4096},
		})
		if err != nil {
			tb.Fatal(err)
		}
		Apply(s, schemas.Command{ID: "route-" + id.String(), Actor: "route", At: start, Kind: schemas.CommandCreate, Body: body})
	}
	return s
}

// BenchmarkClaim claims from queues of a thousand to a million tasks: ns/op grows with the logarithm, B/task is what a task and
// the id of the command that opened it take.
func BenchmarkClaim(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before := heapInUse()
			s := bigState(b, n)
			size := float64(heapInUse()-before) / float64(n)
			now := at(s.now)
			i := 0
			for b.Loop() {
				i++
				id := fmt.Sprint(i)
				now = now.Add(time.Millisecond)
				o := Apply(s, schemas.Command{ID: id, Actor: "alice", At: now, Kind: schemas.CommandClaim, Body: []byte(`{"lease":1000000000}`)})
				if o.Verdict != schemas.Applied && n > 1000 { // the small queue may be empty until a lease ends
					b.Fatal(o)
				}
			}
			b.ReportMetric(size, "B/task")
		})
	}
}

// BenchmarkSnapshot encodes and decodes the state of a million tasks.
func BenchmarkSnapshot(b *testing.B) {
	s := bigState(b, 1_000_000)
	data := s.Encode()
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			s.Encode()
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package humanlabel

// The fold: what one command does to the state. Pure, so that every instance decides alike; apply_task.go has the commands
// about tasks.

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"gleaner/schemas"
)

// Bounds of fold version 1: changing one is a new version.
const (
	MinLease     = time.Second
	DefaultLease = 15 * time.Minute
	MaxLease     = 8 * time.Hour

	maxName   = schemas.MaxName // bytes of an id, an actor, a queue, a blob key
	maxReason = 4000            // bytes of a sentence for people
)

// foldable reports whether this code knows the fold version.
func foldable(version int) bool { return version == 1 }

// ErrFoldVersion says that the log has moved to a fold version that this binary does not know: it must stop serving.
var ErrFoldVersion = fmt.Errorf("the desk's log asks for a newer fold version: run a newer gleaner")

// Fold applies the record at an offset, which must be the next one. An undecodable record is a counted no-op. The error wraps
// ErrFoldVersion when this record, or one before, moved the log to an unknown version; the state must not be used further then.
func (s *State) Fold(offset int64, value []byte) (schemas.Outcome, error) {
	if !foldable(s.fold) {
		return schemas.Outcome{}, fmt.Errorf("desk: offset %d: fold version %d: %w", offset, s.fold, ErrFoldVersion)
	}
	s.offset, s.last = offset, sha256.Sum256(value)
	var c schemas.Command
	if err := json.Unmarshal(value, &c); err != nil {
		s.count(schemas.Unknown)
		return schemas.Outcome{Verdict: schemas.Unknown, Reason: "undecodable: " + err.Error(), Offset: offset}, nil
	}
	o := Apply(s, c)
	if !foldable(s.fold) {
		return o, fmt.Errorf("desk: offset %d: fold version %d: %w", offset, s.fold, ErrFoldVersion)
	}
	return o, nil
}

// Apply decides one command and changes the state accordingly. It is deterministic: the same commands in the same order give
// the same outcomes and the same Hash, on every machine.
func Apply(s *State, c schemas.Command) schemas.Outcome {
	o, repeated := s.decide(c)
	o.CommandID = c.ID
	if !repeated {
		o.Offset = s.offset
	}
	s.count(o.Verdict)
	return o
}

func (s *State) count(v schemas.Verdict) {
	for i := range verdicts {
		if verdicts[i] == v {
			s.verdicts[i]++
		}
	}
}

// decide applies the rules that all commands share, in an order that matters: what is malformed or for another log touches
// nothing; then time moves, leases end, and old ids are forgotten; only then is the command looked at.
func (s *State) decide(c schemas.Command) (o schemas.Outcome, repeated bool) {
	if !foldable(s.fold) {
		return verdict(schemas.Unknown, "the fold version is not known"), false
	}
	if wrong := malformed(c); wrong != "" {
		return verdict(schemas.Unknown, wrong), false
	}
	if c.Genesis != "" && c.Genesis != s.genesis {
		return verdict(schemas.Refused, "meant for another log"), false
	}
	s.now = max(s.now, c.At.UnixNano())
	s.expire()
	s.seen.forget(s.now)
	if c.Kind == schemas.CommandTick {
		return verdict(schemas.Applied, ""), false
	}
	if o, ok := s.Outcome(c.ID); ok {
		return o, true
	}
	o = s.act(c)
	d := decided{key: keyOf(c.ID), at: s.now, offset: s.offset, reason: o.Reason}
	for i := range verdicts {
		if verdicts[i] == o.Verdict {
			d.verdict = uint8(i)
		}
	}
	if o.Task != nil {
		d.sample, d.kind = o.Task.SampleID, s.name(o.Task.Task)
	}
	s.seen.remember(d)
	return o, false
}

// act decides a command that is new.
func (s *State) act(c schemas.Command) schemas.Outcome {
	switch {
	case c.At.UnixNano() <= s.seen.floor:
		return verdict(schemas.Expired, "made too long ago to tell whether it was applied already")
	case !c.NotAfter.IsZero() && c.NotAfter.Before(at(s.now)):
		return verdict(schemas.Expired, "it came after its not_after")
	}
	if s.genesis == "" {
		switch c.Kind {
		case schemas.CommandGenesis, schemas.CommandCreate, schemas.CommandErase:
		default:
			return verdict(schemas.Refused, "the log has no genesis yet")
		}
	}
	switch c.Kind {
	case schemas.CommandGenesis:
		return with(c, s.begin)
	case schemas.CommandUpgrade:
		return with(c, s.upgrade)
	case schemas.CommandCreate:
		return with(c, s.create)
	case schemas.CommandClaim:
		return with(c, s.claim)
	case schemas.CommandRenew:
		return with(c, s.renew)
	case schemas.CommandRelease:
		return with(c, s.release)
	case schemas.CommandDraft:
		return with(c, s.draft)
	case schemas.CommandSubmit:
		return with(c, s.submit)
	case schemas.CommandReprioritize:
		return with(c, s.reprioritize)
	case schemas.CommandCancel:
		return with(c, s.cancel)
	case schemas.CommandErase:
		return with(c, s.erase)
	}
	return verdict(schemas.Unknown, "this fold does not know such a command")
}

// with decodes a command's body for the rule of its kind.
func with[B any](c schemas.Command, rule func(actor string, body B) schemas.Outcome) schemas.Outcome {
	var body B
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return verdict(schemas.Unknown, "the body is not one of a "+string(c.Kind))
	}
	return rule(c.Actor, body)
}

func verdict(v schemas.Verdict, reason string) schemas.Outcome {
	return schemas.Outcome{Verdict: v, Reason: reason}
}

// malformed says what is wrong with a command's envelope, or nothing.
func malformed(c schemas.Command) string {
	switch {
	case c.ID == "" && c.Kind != schemas.CommandTick:
		return "the command has no id"
	case len(c.ID) > maxName:
		return "the command's id is too long"
	case c.Actor == "" && c.Kind != schemas.CommandTick:
		return "the command has no actor"
	case len(c.Actor) > maxName:
		return "the actor's name is too long"
	case c.At.Year() < 2000 || c.At.Year() > 2200: // beyond, nanoseconds overflow
		return "the command's time is missing or out of range"
	}
	return ""
}

func (s *State) begin(_ string, b schemas.GenesisBody) schemas.Outcome {
	switch {
	case s.genesis != "":
		return verdict(schemas.Refused, "the log has its genesis already")
	case b.Genesis == "" || len(b.Genesis) > maxName:
		return verdict(schemas.Unknown, "the genesis has no id, or one that is too long")
	case b.Fold < 1:
		return verdict(schemas.Unknown, "the genesis has no fold version")
	}
	s.genesis, s.fold = b.Genesis, b.Fold
	return verdict(schemas.Applied, "")
}

func (s *State) upgrade(_ string, b schemas.UpgradeBody) schemas.Outcome {
	if b.Fold <= s.fold {
		return verdict(schemas.Refused, "the fold version only goes up")
	}
	s.fold = b.Fold
	return verdict(schemas.Applied, "")
}

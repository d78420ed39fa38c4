package main

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"gleaner/schemas"
	"gleaner/stages/route/guarantee"
)

// policy is a way of accepting images.
type policy interface {
	Decide(id schemas.SampleID, confidence float64) guarantee.Decision
	Add(a schemas.Audit)
	Unread(n int)
	Threshold() (confidence float64, accepting bool)
	Withdrawals() []guarantee.Withdrawal
}

// outcome is what became of one stream.
type outcome struct {
	violated bool // what is accepted in the end
	exposed  bool // what was accepted at the time, before any of it was recalled
	oracle   int  // images that the oracle accepts
	agreed   int  // of these, accepted in the end
	accepted int  // in the end
	audits   int  // images that people saw although they lay above the threshold
	recalled int
	ended    int // withdrawals
	first    int // image that was the first to be accepted; that many as there are: none was
}

// taken is one image that was accepted.
type taken struct {
	at                      int
	wrong, oracle, recalled bool
}

// simulate lets a policy see n images; what a person makes of one is known delay images later, or at random between none and twice as
// many. Audits are added in the order in which images were drawn, as the flow does: those after one that is still to come wait.
func simulate(p policy, d drift, n, delay int, random bool, target float64, seed uint64) outcome {
	var (
		rng     = rand.New(rand.NewPCG(seed, 1))
		o       = outcome{first: n}
		all     []taken
		waiting []schemas.Audit
		unread  int // of waiting, drawn while others were accepted
		id      schemas.SampleID
	)
	at := func(t int) time.Time { return time.Unix(int64(t), 0) }
	for t := range n {
		for len(waiting) > 0 && !waiting[0].At.After(at(t)) {
			p.Add(waiting[0])
			if waiting[0].Probability < 1 {
				unread--
			}
			waiting = waiting[1:]
		}
		p.Unread(unread)
		if w := p.Withdrawals(); len(w) > o.ended {
			o.ended = len(w)
			for i := len(all) - 1; i >= 0 && !at(all[i].at).Before(w[len(w)-1].Recall); i-- {
				if !all[i].recalled {
					all[i].recalled = true
					o.recalled++
				}
			}
		}
		im := d.draw(t, n, 1-target, rng)
		if im.oracle {
			o.oracle++
		}
		binary.BigEndian.PutUint64(id[:], rng.Uint64())
		decision := p.Decide(id, im.confidence)
		if decision.Accept {
			all = append(all, taken{at: t, wrong: im.wrong, oracle: im.oracle})
			o.first = min(o.first, t)
		}
		if decision.Probability > 0 {
			if threshold, ok := p.Threshold(); ok && im.confidence >= threshold {
				o.audits++
			}
			late := delay
			if random {
				late = rng.IntN(2*delay + 1)
			}
			if decision.Probability < 1 {
				unread++
			}
			waiting = append(waiting, schemas.Audit{
				SampleID: id, Confidence: im.confidence, Probability: decision.Probability, Wrong: im.wrong, Routed: at(t), At: at(t + 1 + late),
			})
		}
	}
	o.exposed = violates(all, target)
	var kept []taken
	for _, a := range all {
		if !a.recalled {
			kept = append(kept, a)
			if a.oracle {
				o.agreed++
			}
		}
	}
	o.accepted = len(kept)
	o.violated = violates(kept, target)
	return o
}

// violates reports whether a window of accepted images has more errors than the target allows.
func violates(images []taken, target float64) bool {
	const rounding = 1e-9
	wrong := 0
	for i, a := range images {
		if a.wrong {
			wrong++
		}
		if i >= guarantee.Window && images[i-guarantee.Window].wrong {
			wrong--
		}
		if i >= guarantee.Window-1 && float64(wrong) > guarantee.Window*(1-target)+rounding {
			return true
		}
	}
	return false
}

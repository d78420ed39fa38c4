// Package guarantee decides which images of a dataset need no person, such that the share of those with an error stays below what
// the dataset allows.
//
// A random sample of the images goes to people even so, who do not know. What they make of them are audits. The threshold on
// the confidence from which images are accepted is the loosest that the audits speak for, by evidence that may be looked at after
// every one of them (Evidence). Before there is one, people see everything, and everything they see is an audit. While images are
// accepted, a share of all is audited, of those below the threshold too: a threshold that is to be lowered needs audits that
// were all drawn with one probability, and then none has to be weighed.
//
// Audits of what is accepted are watched (monitor). When they look suspicious, acceptance pauses: people see everything again, so
// evidence comes as fast as images do. When suspicion is confirmed, acceptance is withdrawn and a new period begins, in which nothing
// counts that was before; what was accepted since the change may have come is to be recalled (Withdrawal). Else it goes on.
//
// What is promised: between two withdrawals, as long as nothing changes, the probability is at most Alpha that a threshold is
// ever certified from which more images are wrong than allowed. A test that seems hopeless is begun anew, with less of Alpha. What
// happens between a change and its discovery is limited by the recall and not by this bound; deploy/bench/accept measures it.
package guarantee

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"gleaner/schemas"
)

// Alpha is the probability with which a threshold may be certified that should not be.
const Alpha = .05

// Window is how many accepted images in a row are to reach the target.
const Window = schemas.AcceptanceWindow

// Config is what a dataset wants.
type Config struct {
	Target float64 // share of accepted images without an error, [.5,.995]
	Audit  float64 // share of images that people check whatever their confidence, [.01,1]
	// Provisional is the confidence from which images are accepted while there is no evidence yet for or against it, (0,1]; 0: none are.
	// When a test proves hopeless, all of them are recalled.
	Provisional float64
}

// usualAudit keeps audits below a tenth of what would be accepted, pauses included.
const usualAudit = .075

// DefaultAudit is the audited share where the dataset says none: for a target above .96 it takes more to watch it.
func DefaultAudit(target float64) float64 { return max(usualAudit, schemas.LeastAudit(target)) }

// Validate refuses shares out of range.
func (c Config) Validate() error {
	switch {
	case !(c.Target >= .5 && c.Target <= .995):
		return fmt.Errorf("target quality %g: must lie between .5 and .995", c.Target)
	case !(c.Audit >= .01 && c.Audit <= 1):
		return fmt.Errorf("audited share %g: must lie between .01 and 1", c.Audit)
	case !(c.Provisional >= 0 && c.Provisional <= 1):
		return fmt.Errorf("provisional threshold %g: must lie in [0,1]", c.Provisional)
	}
	return nil
}

// Guarantee is the state of one dataset: a fold over its audits. It is not safe for concurrent use.
type Guarantee struct {
	cfg         Config
	steady      float64
	tests       sequence
	watch       monitor
	tries       int       // periods without a threshold since the last withdrawal
	began       time.Time // of the period; zero: with the first image
	accepting   bool      // there is a threshold
	accepted    bool      // there has been one in this period
	threshold   float64   // the last one
	paused      bool
	unread      int
	audits      Evidence // of all periods
	withdrawals []Withdrawal
}

// Withdrawal is the end of a period in which images were accepted.
type Withdrawal struct {
	At     time.Time `json:"at"`     // of the audit that confirmed the suspicion
	Recall time.Time `json:"recall"` // what was routed since and accepted may be worse than the target
}

// New returns a guarantee without audits.
func New(cfg Config) (*Guarantee, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("guarantee: %w", err)
	}
	g := &Guarantee{cfg: cfg, steady: Steady(1-cfg.Target, Window)}
	g.begin(time.Time{})
	return g, nil
}

// begin begins a period; all tries that there may be together have Alpha.
func (g *Guarantee) begin(at time.Time) {
	g.began, g.accepting, g.accepted, g.paused = at, false, false, false
	g.tests = newSequence(1-g.cfg.Target, g.steady, Alpha/float64((g.tries+1)*(g.tries+2)))
	g.watch = newMonitor(.4*g.steady, 1-g.cfg.Target, g.perWindow())
}

// Order sorts audits as they are to be folded: by when the images were routed, so that any order in which people answer gives one
// state.
func Order(audits []schemas.Audit) {
	slices.SortFunc(audits, func(a, b schemas.Audit) int {
		return cmp.Or(a.Routed.Compare(b.Routed), slices.Compare(a.SampleID[:], b.SampleID[:]))
	})
}

// Add takes in one audit; they have to come in the order of Order. Those of images that were routed before the period began say
// nothing about it.
func (g *Guarantee) Add(a schemas.Audit) {
	g.audits.Add(a.Wrong)
	if a.Routed.Before(g.began) {
		return
	}
	g.tests.add(a.Confidence, a.Wrong)
	if g.tests.ended() {
		if g.unproven() {
			g.withdrawals = append(g.withdrawals, Withdrawal{At: a.At, Recall: time.Unix(0, 0).UTC()})
		}
		g.tries++
		g.begin(a.At)
		return
	}
	if g.accepted && a.Confidence >= g.threshold {
		g.watch.add(a.Wrong, a.Routed)
		switch suspicion := g.watch.suspicion(); {
		case suspicion >= withdrawAt:
			g.withdrawals = append(g.withdrawals, Withdrawal{At: a.At, Recall: g.watch.since})
			g.tries = 0
			g.begin(a.At)
			return
		case suspicion >= pauseAt:
			g.paused = true
		case suspicion <= resumeAt:
			g.paused = false
		}
	}
	var i int
	if i, g.accepting = g.tests.certified(); g.accepting {
		g.accepted, g.threshold = true, g.tests.thresholds[i]
	}
}

// Unread says how many images were drawn while others were accepted, and have audits that were not added yet. When they are more
// than a window's, nothing is known of what is accepted, and people see everything.
func (g *Guarantee) Unread(n int) { g.unread = n }

func (g *Guarantee) blind() bool { return g.unread > g.perWindow() }

// perWindow is how many audits there are in a window of images.
func (g *Guarantee) perWindow() int { return int(math.Ceil(Window * g.cfg.Audit)) }

// Threshold is the confidence from which images are good enough, and whether there is one; it stands while acceptance pauses.
func (g *Guarantee) Threshold() (float64, bool) { return g.threshold, g.accepting }

// Paused reports whether nothing is accepted although there is a threshold.
func (g *Guarantee) Paused() bool { return g.paused || g.blind() }

// Withdrawals lists the ends of periods in which images were accepted, the oldest first.
func (g *Guarantee) Withdrawals() []Withdrawal { return g.withdrawals }

// unproven reports whether images are accepted by the provisional threshold.
func (g *Guarantee) unproven() bool {
	return g.cfg.Provisional > 0 && g.tries == 0 && !g.accepted && len(g.withdrawals) == 0
}

// Decision says what becomes of an image.
type Decision struct {
	Accept      bool
	Probability float64 // with which images were drawn for audits when this one was; 0: it was not drawn
}

// Decide says what becomes of an image of a confidence, [0,1]. It depends on the state and the id alone.
func (g *Guarantee) Decide(id schemas.SampleID, confidence float64) Decision {
	threshold := g.threshold
	switch {
	case g.blind():
		return Decision{Probability: 1}
	case g.unproven():
		threshold = g.cfg.Provisional
	case !g.accepting || g.paused:
		return Decision{Probability: 1}
	}
	if draw(id) < g.cfg.Audit {
		return Decision{Probability: g.cfg.Audit}
	}
	return Decision{Accept: confidence >= threshold}
}

// draw is a number in [0,1) that looks random and follows from the id: the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014) over an id that is a digest already.
func draw(id schemas.SampleID) float64 {
	x := binary.BigEndian.Uint64(id[:8]) ^ binary.BigEndian.Uint64(id[8:]) ^ 0x6175646974732f31
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

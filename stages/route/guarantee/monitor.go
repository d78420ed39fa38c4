package guarantee

import (
	"math"
	"slices"
	"time"
)

// Suspicions at which acceptance pauses, goes on, and is withdrawn.
const (
	pauseAt    = 3
	resumeAt   = 1.5
	withdrawAt = 100
)

// monitor watches the audits of what is accepted for more errors than before: a CUSUM e-detector (Shin, Ramdas and Rinaldo,
// "E-detectors: a nonparametric framework for sequential change detection", 2024). Each part bets on one rate against a healthy
// one, and begins anew with 1 whenever it has less. Suspicion is their mean: as long as the rate is healthy, it takes at least A
// audits on average until suspicion is A.
type monitor struct {
	parts  [3]part
	slack  int
	recent []time.Time // when the slack newest audits were routed, in the order in which they came
	since  time.Time   // what is suspected has begun no earlier: slack audits before the slowest part last had nothing
}

// part is one component of a monitor.
type part struct {
	right, wrong float64 // what an audit adds to log
	log          float64 // of what it has
}

// newMonitor watches for rates of the limit and above. It takes a change to have come up to slack audits, 1 at the least, before
// the first that looks like it.
func newMonitor(healthy, limit float64, slack int) monitor {
	m := monitor{slack: slack}
	for i, times := range [...]float64{1, 3, 8} {
		rate := min(times*limit, .5)
		m.parts[i] = part{right: math.Log((1 - rate) / (1 - healthy)), wrong: math.Log(rate / healthy)}
	}
	return m
}

// add takes in the audit of an image that was routed at a time.
func (m *monitor) add(wrong bool, routed time.Time) {
	if len(m.recent) == m.slack {
		m.recent = append(m.recent[:0], m.recent[1:]...)
	}
	m.recent = append(m.recent, routed)
	if m.parts[0].log <= 0 {
		m.since = slices.MinFunc(m.recent, time.Time.Compare)
	}
	for i := range m.parts {
		p := &m.parts[i]
		if p.log = max(p.log, 0); wrong {
			p.log += p.wrong
		} else {
			p.log += p.right
		}
	}
}

// suspicion is 1 at the least.
func (m *monitor) suspicion() float64 {
	sum := 0.0
	for _, p := range m.parts {
		sum += math.Exp(max(p.log, 0))
	}
	return sum / float64(len(m.parts))
}

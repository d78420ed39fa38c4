package runner

import (
	"sync"
	"time"

	"gleaner/schemas"
)

// Stats is what a step did since it was made, and how it stands. Records are inputs unless said otherwise.
type Stats struct {
	Step     string `json:"step"`
	In       uint64 `json:"in"`       // acknowledged
	Out      uint64 `json:"out"`      // records written, but rejects and dead letters
	Rejected uint64 `json:"rejected"` // records written to schemas.Rejects
	Dead     uint64 `json:"dead"`     // dead letters
	Filtered uint64 `json:"filtered"` // acknowledged without outputs, on purpose
	Passed   uint64 `json:"passed"`   // replayed records meant for another step; not in In
	Retries  uint64 `json:"retries"`  // of handling and of writing

	InFlight      int              `json:"in_flight"`       // records
	InFlightBytes schemas.ByteSize `json:"in_flight_bytes"` // inputs and outputs

	Rate      float64       `json:"rate"`       // acknowledged a second, over the last ten seconds
	P50       time.Duration `json:"p50_ns"`     // from taken up to outputs durable
	P95       time.Duration `json:"p95_ns"`     //
	AgeP50    time.Duration `json:"age_p50_ns"` // from written by the step before to outputs durable here
	AgeP95    time.Duration `json:"age_p95_ns"` //
	Lag       int64         `json:"lag"`        // records not read yet, as last measured
	LagAge    time.Duration `json:"lag_age_ns"` // age of the oldest of them
	Alarm     bool          `json:"alarm"`      // the oldest is past half of its topic's retention: it will be lost
	LastError string        `json:"last_error"` // of a retry or a dead letter
	ErrorAt   time.Time     `json:"error_at"`   // zero: none yet
	Since     time.Time     `json:"since"`      // when the step was made
}

// recorder gathers a step's figures. All methods may be called concurrently.
type recorder struct {
	budget *budget

	mu       sync.Mutex
	stats    Stats
	latency  histogram
	age      histogram
	rate     meter
	lastRead map[schemas.Topic]time.Time // when the record read last was written
}

func newRecorder(step string, b *budget) *recorder {
	return &recorder{
		budget:   b,
		stats:    Stats{Step: step, Since: time.Now()},
		lastRead: map[schemas.Topic]time.Time{},
	}
}

func (r *recorder) seen(rec schemas.Record) {
	r.mu.Lock()
	r.lastRead[rec.Topic] = rec.Time
	r.mu.Unlock()
}

func (r *recorder) passed() {
	r.mu.Lock()
	r.stats.Passed++
	r.mu.Unlock()
}

func (r *recorder) finished(u *unit, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := uint64(len(u.jobs))
	r.stats.In += n
	r.stats.Out += uint64(u.out)
	r.stats.Rejected += uint64(u.rejects)
	switch u.outcome {
	case filtered:
		r.stats.Filtered += n
	case dead:
		r.stats.Dead += n
	}
	r.rate.add(now, n)
	for i := range u.jobs {
		r.latency.observe(now.Sub(u.jobs[i].began))
		if t := u.jobs[i].rec.Time; !t.IsZero() {
			r.age.observe(now.Sub(t))
		}
	}
}

func (r *recorder) retried(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Retries++
	r.stats.LastError, r.stats.ErrorAt = err.Error(), time.Now()
}

func (r *recorder) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.LastError, r.stats.ErrorAt = err.Error(), time.Now()
}

func (r *recorder) lagging(records int64, age time.Duration, alarm bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Lag, r.stats.LagAge, r.stats.Alarm = records, age, alarm
}

func (r *recorder) snapshot(now time.Time) Stats {
	records, bytes := r.budget.held()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.InFlight, s.InFlightBytes = records, schemas.ByteSize(bytes)
	s.Rate = r.rate.perSecond(now, s.Since)
	s.P50, s.P95 = r.latency.quantile(0.5), r.latency.quantile(0.95)
	s.AgeP50, s.AgeP95 = r.age.quantile(0.5), r.age.quantile(0.95)
	return s
}

// meter counts events of the last ten seconds, second by second.
type meter struct {
	slots [meterSeconds]struct {
		second int64
		n      uint64
	}
}

const meterSeconds = 10

func (m *meter) add(now time.Time, n uint64) {
	s := now.Unix()
	slot := &m.slots[s%meterSeconds]
	if slot.second != s {
		slot.second, slot.n = s, 0
	}
	slot.n += n
}

// perSecond is the mean rate over the last ten seconds, or since the beginning when that is later.
func (m *meter) perSecond(now, since time.Time) float64 {
	s, n := now.Unix(), uint64(0)
	for _, slot := range m.slots {
		if slot.second > s-meterSeconds && slot.second <= s {
			n += slot.n
		}
	}
	window := float64(meterSeconds-1) + float64(now.Nanosecond())/1e9
	return float64(n) / max(min(window, now.Sub(since).Seconds()), 1e-3)
}

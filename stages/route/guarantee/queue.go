package guarantee

import (
	"time"

	"gleaner/schemas"
)

// An audit that is still to come counts as an error when more than patience of those that were drawn after it have been answered, the
// latest more than grace after it was routed: people had it before them, and passed it over.
const (
	patience = 50
	grace    = time.Hour
)

// queue lets audits through in the order of Order, and holds back what was drawn after one that is still to come. Else the answers
// that come first would speak for those that come late or never, and what is answered soon is what there is nothing to mend in.
type queue struct {
	held     []schemas.Audit // the first of them is still to come
	answered int             // of held
	latest   time.Time       // submission that was seen
	missing  int             // audits still to come that were let through as errors
}

// push takes in an audit, and returns those that may be folded now.
func (q *queue) push(a schemas.Audit) (ready []schemas.Audit) {
	q.held = append(q.held, a)
	if a.Answered() {
		q.answered++
		if a.At.After(q.latest) {
			q.latest = a.At
		}
	}
	for len(q.held) > 0 {
		first := q.held[0]
		switch {
		case first.Answered():
			q.answered--
		case q.answered > patience && q.latest.Sub(first.Routed) > grace:
			q.missing++
			first.Wrong, first.At = true, q.latest
		default:
			return ready
		}
		q.held, ready = q.held[1:], append(ready, first)
	}
	return ready
}

// outstanding is how many audits are still to come.
func (q *queue) outstanding() int { return q.missing + len(q.held) - q.answered }

// unread is how many audits of images that were drawn while others were accepted have not been let through.
func (q *queue) unread() (n int) {
	for _, a := range q.held {
		if a.Probability < 1 {
			n++
		}
	}
	return n
}

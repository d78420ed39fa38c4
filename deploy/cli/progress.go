package cli

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar on standard error. Where that is no terminal it is silent until it ends, and then leaves one line.
type progress struct {
	bar   *progressbar.ProgressBar // nil: no terminal
	what  string
	total int64 // -1: not known
	began time.Time

	mu    sync.Mutex
	done  int64
	ended bool
}

// bar starts a progress bar; total -1 shows a count without an end.
func bar(total int64, what string) *progress {
	p := &progress{what: what, total: total, began: time.Now()}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.bar = progressbar.NewOptions64(
			total, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
			progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetSpinnerChangeInterval(0), // of one without an end, which would else be drawn for as long as the process lives
		)
	}
	return p
}

// Set moves the bar to n.
func (p *progress) Set(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(int64(n))
}

// Add moves the bar on by n.
func (p *progress) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(p.done + int64(n))
}

func (p *progress) set(n int64) {
	p.done = n
	if p.bar != nil && !p.ended {
		_ = p.bar.Set64(n) // it fails on numbers past the total only
	}
}

// Say prints a line above the bar.
func (p *progress) Say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil && !p.ended {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(os.Stderr, line)
}

// End leaves the bar where it stands and starts a new line. It may be called twice.
func (p *progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	switch {
	case p.bar != nil:
		_ = p.bar.Exit()
		fmt.Fprintln(os.Stderr)
	case p.total >= 0:
		fmt.Fprintf(os.Stderr, "%s: %d of %d in %.1f s\n", p.what, p.done, p.total, time.Since(p.began).Seconds())
	default:
		fmt.Fprintf(os.Stderr, "%s: %d in %.1f s\n", p.what, p.done, time.Since(p.began).Seconds())
	}
}

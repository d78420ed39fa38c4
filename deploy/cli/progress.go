package cli

import (
	"fmt"
	"io"
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
		p.bar = drawn(total, what, os.Stderr)
	}
	return p
}

// drawn is a bar whose time runs from now on, and not from when it is first set.
func drawn(total int64, what string, w io.Writer) *progressbar.ProgressBar {
	b := progressbar.NewOptions64(
		total, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(shownEvery),
		progressbar.OptionSetSpinnerChangeInterval(0), // of one without an end, which would else be drawn for as long as the process lives
	)
	b.StartWithoutRender()
	return b
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
	if p.bar != nil && !p.ended && time.Since(p.began) >= shownEvery { // before that, there is no rate to speak of
		_ = p.bar.Set64(n) // it fails on numbers past the total only
	}
}

// shownEvery is how long a bar stays as it is.
const shownEvery = 100 * time.Millisecond

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
		_ = p.bar.Set64(p.done)
		_ = p.bar.Exit()
		fmt.Fprintln(os.Stderr)
	case p.total >= 0:
		fmt.Fprintf(os.Stderr, "%s: %d of %d in %.1f s\n", p.what, p.done, p.total, time.Since(p.began).Seconds())
	default:
		fmt.Fprintf(os.Stderr, "%s: %d in %.1f s\n", p.what, p.done, time.Since(p.began).Seconds())
	}
}

package cli

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar returns a progress bar on standard error; where that is no terminal, it stays silent until it ends with one line.
// total -1 shows a count without an end.
func bar(total int64, what string) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionOnCompletion(func() { _, _ = os.Stderr.WriteString("\n") }),
	}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		options = append(options, progressbar.OptionThrottle(time.Hour))
	}
	return progressbar.NewOptions64(total, options...)
}

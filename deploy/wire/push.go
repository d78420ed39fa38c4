package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gleaner/schemas"
)

// PushFile is one image file on its way to the raw topic.
type PushFile struct {
	Path     string
	UniqueID string
}

// PushOptions say what goes along with the images.
type PushOptions struct {
	Dataset string
	Task    string            // empty: the default
	Slices  map[string]string // values of every image of this push
	Again   bool              // also what the journal has as pushed
}

// PushResult counts files.
type PushResult struct {
	Pushed  int          `json:"pushed"`
	Skipped int          `json:"skipped"` // pushed before, by the journal
	Failed  []PushFailed `json:"failed"`  // were left out: trying again would not help
	Bytes   int64        `json:"bytes"`
}

// PushFailed is a file that cannot be pushed: unreadable, or larger than the topic takes.
type PushFailed struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

// A write carries at most so many files and about so many bytes.
const (
	pushFiles = 64
	pushBytes = 8 << 20
)

// Push writes the files to the raw topic. A journal in the data folder remembers what is durable on which cluster, so that
// an interrupted push resumes; pushing a file twice is harmless all the same, since it is the same sample. A file that
// cannot be pushed stops no other: the result names it. progress is called with every file that is done and may be nil.
func (c *Connections) Push(ctx context.Context, files []PushFile, o PushOptions, progress func(n int)) (PushResult, error) {
	if err := schemas.CheckDataset(o.Dataset); err != nil {
		return PushResult{}, fmt.Errorf("push: %w", err)
	}
	cluster, err := c.Kafka.ClusterID(ctx)
	if err != nil {
		return PushResult{}, fmt.Errorf("push: %w", err)
	}
	journal, err := openJournal(filepath.Join(c.Config.DataDir, "state", "pushed"))
	if err != nil {
		return PushResult{}, fmt.Errorf("push: journal: %w", err)
	}
	defer journal.close()
	sink := c.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	if progress == nil {
		progress = func(int) {}
	}
	p := pushing{journal: journal, write: sink.Write, progress: progress, result: PushResult{Failed: []PushFailed{}}}
	headers := []schemas.Header{{Key: schemas.HeaderDataset, Value: []byte(o.Dataset)}}
	if o.Task != "" {
		headers = append(headers, schemas.Header{Key: schemas.HeaderTask, Value: []byte(o.Task)})
	}
	for k, v := range o.Slices {
		headers = append(headers, schemas.Header{Key: schemas.HeaderSlice + k, Value: []byte(v)})
	}
	raw, _ := schemas.Raw.Spec()
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			p.fail(f.Path, err)
			continue
		}
		mark := strings.Join([]string{cluster, o.Dataset, f.UniqueID, fmt.Sprint(info.Size()), fmt.Sprint(info.ModTime().UnixNano())}, "\t")
		if journal.has(mark) && !o.Again {
			p.result.Skipped++
			progress(1)
			continue
		}
		if info.Size() > int64(raw.MaxMessageBytes) { // not read: it may be larger than memory
			p.fail(f.Path, fmt.Errorf("%w: %d bytes, the limit is %d", schemas.ErrTooLarge, info.Size(), raw.MaxMessageBytes))
			continue
		}
		data, err := os.ReadFile(f.Path)
		if err != nil {
			p.fail(f.Path, err)
			continue
		}
		p.add(f.Path, mark, schemas.Record{
			Topic: schemas.Raw, Key: []byte(f.UniqueID), Value: data,
			Headers: append(headers[:len(headers):len(headers)], schemas.Header{Key: schemas.HeaderUniqueID, Value: []byte(f.UniqueID)}),
		})
		if len(p.batch) >= pushFiles || p.size >= pushBytes {
			if err := p.flush(ctx); err != nil {
				return p.result, err
			}
		}
	}
	err = p.flush(ctx)
	return p.result, err
}

// pushing is a push under way: the batch that the next write takes, with each record's file and line of the journal.
type pushing struct {
	journal  *journal
	write    func(context.Context, []schemas.Record) error
	progress func(n int)
	result   PushResult

	batch        []schemas.Record
	paths, marks []string
	size         int
}

func (p *pushing) add(path, mark string, r schemas.Record) {
	p.batch, p.paths, p.marks = append(p.batch, r), append(p.paths, path), append(p.marks, mark)
	p.size += len(r.Value)
}

func (p *pushing) fail(path string, err error) {
	p.result.Failed = append(p.result.Failed, PushFailed{path, err.Error()})
	p.progress(1)
}

// flush writes the batch and notes what is durable, even when not all of it is.
func (p *pushing) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	err := p.write(ctx, p.batch)
	var partly *schemas.WriteError
	if err != nil && !errors.As(err, &partly) {
		return fmt.Errorf("push: %w", err)
	}
	var durable []string
	var fatal error
	for i, r := range p.batch {
		var failed error
		if partly != nil {
			failed = partly.Failed[i]
		}
		switch {
		case failed == nil:
			durable = append(durable, p.marks[i])
			p.result.Bytes += int64(len(r.Value))
		case errors.Is(failed, schemas.ErrTooLarge):
			p.fail(p.paths[i], failed)
		default:
			fatal = fmt.Errorf("push: %s: %w", p.paths[i], failed)
		}
	}
	p.result.Pushed += len(durable)
	p.progress(len(durable))
	p.batch, p.paths, p.marks, p.size = p.batch[:0], p.paths[:0], p.marks[:0], 0
	if err := p.journal.add(durable); err != nil {
		return errors.Join(fatal, fmt.Errorf("push: journal: %w", err))
	}
	return fatal
}

// journal is an append-only file of lines with a set of them in memory, about 100 bytes a line.
type journal struct {
	f     *os.File
	lines map[string]bool
}

func openJournal(path string) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	j := &journal{lines: map[string]bool{}}
	old, err := os.Open(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		defer old.Close()
		for s := bufio.NewScanner(old); s.Scan(); {
			j.lines[s.Text()] = true
		}
	}
	j.f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return j, err
}

func (j *journal) has(line string) bool { return j.lines[line] }

func (j *journal) add(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	_, err := j.f.WriteString(strings.Join(lines, "\n") + "\n")
	for _, l := range lines {
		j.lines[l] = true
	}
	return err
}

func (j *journal) close() error { return j.f.Close() }

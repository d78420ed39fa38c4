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
	Pushed  int   `json:"pushed"`
	Skipped int   `json:"skipped"` // pushed before, by the journal
	Bytes   int64 `json:"bytes"`
}

// A write carries at most so many files and about so many bytes.
const (
	pushFiles = 64
	pushBytes = 8 << 20
)

// Push writes the files to the raw topic. A journal in the data folder remembers what is durable, so that an interrupted
// push resumes; pushing a file twice is harmless all the same, since it is the same sample. progress is called with every
// file that is done and may be nil.
func (c *Connections) Push(ctx context.Context, files []PushFile, o PushOptions, progress func(n int)) (PushResult, error) {
	var result PushResult
	if o.Dataset == "" {
		return result, errors.New("push: name a dataset")
	}
	journal, err := openJournal(filepath.Join(c.Config.DataDir, "state", "pushed"))
	if err != nil {
		return result, fmt.Errorf("push: journal: %w", err)
	}
	defer journal.close()
	sink := c.Kafka.Sink()
	defer sink.Close(context.WithoutCancel(ctx))
	if progress == nil {
		progress = func(int) {}
	}

	var batch []schemas.Record
	var marks []string
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := sink.Write(ctx, batch); err != nil {
			return fmt.Errorf("push: %w", err)
		}
		if err := journal.add(marks); err != nil {
			return fmt.Errorf("push: journal: %w", err)
		}
		result.Pushed += len(batch)
		result.Bytes += int64(size)
		progress(len(batch))
		batch, marks, size = batch[:0], marks[:0], 0
		return nil
	}
	headers := []schemas.Header{{Key: schemas.HeaderDataset, Value: []byte(o.Dataset)}}
	if o.Task != "" {
		headers = append(headers, schemas.Header{Key: schemas.HeaderTask, Value: []byte(o.Task)})
	}
	for k, v := range o.Slices {
		headers = append(headers, schemas.Header{Key: schemas.HeaderSlice + k, Value: []byte(v)})
	}
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			return result, fmt.Errorf("push: %w", err)
		}
		mark := strings.Join([]string{o.Dataset, f.UniqueID, fmt.Sprint(info.Size()), fmt.Sprint(info.ModTime().UnixNano())}, "\t")
		if journal.has(mark) && !o.Again {
			result.Skipped++
			progress(1)
			continue
		}
		data, err := os.ReadFile(f.Path)
		if err != nil {
			return result, fmt.Errorf("push: %w", err)
		}
		batch = append(batch, schemas.Record{
			Topic: schemas.Raw, Key: []byte(f.UniqueID), Value: data,
			Headers: append(headers[:len(headers):len(headers)], schemas.Header{Key: schemas.HeaderUniqueID, Value: []byte(f.UniqueID)}),
		})
		marks = append(marks, mark)
		size += len(data)
		if len(batch) >= pushFiles || size >= pushBytes {
			if err := flush(); err != nil {
				return result, err
			}
		}
	}
	return result, flush()
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
	_, err := j.f.WriteString(strings.Join(lines, "\n") + "\n")
	for _, l := range lines {
		j.lines[l] = true
	}
	return err
}

func (j *journal) close() error { return j.f.Close() }

package engine

// What the embedded Kafka needs before it opens a log that was not closed: after a kill -9 it reads every partition whole
// into memory, all at once, to learn where each ends. A snapshot that fits the files on disk spares it that: it then
// reads one segment of each partition at a time. recoverLog writes those snapshots from the batches' headers alone.

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// snapshot is the engine's own file on a partition, version 1.
type snapshot struct {
	Version          int       `json:"version"`
	HighWatermark    int64     `json:"high_watermark"`
	LastStableOffset int64     `json:"last_stable_offset"`
	LogStartOffset   int64     `json:"log_start_offset"`
	Epoch            int32     `json:"epoch"`
	MaxTimestamp     int64     `json:"max_timestamp"`
	CreatedAt        time.Time `json:"created_at"`
	Segments         []segment `json:"segments"`
}

type segment struct {
	BaseOffset int64 `json:"base_offset"`
	Size       int64 `json:"size"`
	MinEpoch   int32 `json:"min_epoch,omitempty"`
	MaxEpoch   int32 `json:"max_epoch,omitempty"`
}

// recoverLog prepares every partition below dir that was not closed. It cuts a batch that was being written.
func recoverLog(dir string) error {
	partitions, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := recoverPartition(filepath.Join(dir, "partitions", p.Name())); err != nil {
			return fmt.Errorf("recover %s: %w", p.Name(), err)
		}
	}
	return nil
}

func recoverPartition(dir string) error {
	segments, err := findSegments(dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	path := filepath.Join(dir, "snapshot.json")
	var old snapshot
	switch b, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if json.Unmarshal(b, &old) != nil || old.Version != 1 {
			old = snapshot{} // the engine disregards it too
		}
	}
	if slices.EqualFunc(old.Segments, segments, func(a, b segment) bool { return a.BaseOffset == b.BaseOffset && a.Size == b.Size }) {
		return nil
	}
	snap := snapshot{Version: 1, CreatedAt: time.Now()}
	first := int64(-1)
	for i := range segments {
		s := &segments[i]
		empty := true
		end, err := readSegment(filepath.Join(dir, fmt.Sprintf("%d.dat", s.BaseOffset)), s.Size, func(h batchHeader) {
			if first < 0 {
				first = h.base
				snap.CreatedAt = time.UnixMilli(h.timestamp)
			}
			snap.HighWatermark = h.base + int64(h.lastDelta) + 1
			snap.MaxTimestamp = max(snap.MaxTimestamp, h.timestamp)
			snap.Epoch = h.epoch
			if empty {
				s.MinEpoch, s.MaxEpoch, empty = h.epoch, h.epoch, false
			}
			s.MinEpoch, s.MaxEpoch = min(s.MinEpoch, h.epoch), max(s.MaxEpoch, h.epoch)
		})
		if errors.Is(err, errTransaction) {
			return nil // which of them were aborted only the engine can tell
		}
		if err != nil {
			return err
		}
		if end == s.Size {
			continue
		}
		// Only the file that was being written can end within a batch.
		if i < len(segments)-1 {
			return fmt.Errorf("%d.dat is damaged at byte %d of %d: restore it from a copy, or remove the partition's folder to do without its records", s.BaseOffset, end, s.Size)
		}
		if err := os.Truncate(filepath.Join(dir, fmt.Sprintf("%d.dat", s.BaseOffset)), end); err != nil {
			return err
		}
		s.Size = end
	}
	if first < 0 {
		return nil
	}
	snap.LastStableOffset = snap.HighWatermark
	snap.LogStartOffset = min(max(first, old.LogStartOffset), snap.HighWatermark)
	snap.Segments = segments
	b, err := json.Marshal(snap)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", b, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// findSegments returns the log files of a partition in order of their offsets, with their sizes on disk.
func findSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".dat")
		base, err := strconv.ParseInt(name, 10, 64)
		if !ok || err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, segment{BaseOffset: base, Size: info.Size()})
	}
	slices.SortFunc(out, func(a, b segment) int { return cmp.Compare(a.BaseOffset, b.BaseOffset) })
	return out, nil
}

// batchHeader is what of a record batch (format v2) tells where a log ends.
type batchHeader struct {
	base      int64
	epoch     int32
	lastDelta int32
	timestamp int64 // largest, in milliseconds
}

const batchHeaderBytes = 43 // up to and with the largest timestamp

var errTransaction = errors.New("the batch belongs to a transaction")

// readSegment calls fn with the header of each whole batch of a file of the given size, and returns where the last ends.
func readSegment(path string, size int64, fn func(batchHeader)) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var b [batchHeaderBytes]byte
	pos := int64(0)
	for pos+batchHeaderBytes <= size {
		if _, err := f.ReadAt(b[:], pos); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		next := pos + 12 + int64(int32(binary.BigEndian.Uint32(b[8:])))
		if next < pos+batchHeaderBytes || next > size {
			break
		}
		if attributes := binary.BigEndian.Uint16(b[21:]); attributes&0x30 != 0 {
			return 0, errTransaction
		}
		fn(batchHeader{
			base:      int64(binary.BigEndian.Uint64(b[0:])),
			epoch:     int32(binary.BigEndian.Uint32(b[12:])),
			lastDelta: int32(binary.BigEndian.Uint32(b[23:])),
			timestamp: int64(binary.BigEndian.Uint64(b[35:])),
		})
		pos = next
	}
	return pos, nil
}

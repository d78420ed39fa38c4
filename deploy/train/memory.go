package train

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"

	"gleaner/connectors/onnx"
	"gleaner/trainers/classify"
)

// Free is about how many bytes this process can still take: of the machine's memory, and of what its control groups (cgroup v2) leave.
// It is math.MaxInt64 where the system tells neither.
func Free() int64 { return freeIn(os.DirFS("/")) }

func freeIn(root fs.FS) int64 {
	free := int64(math.MaxInt64)
	if kib, ok := entry(root, "proc/meminfo", "MemAvailable:"); ok {
		free = kib << 10
	}
	group, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return free
	}
	for line := range strings.Lines(string(group)) {
		below, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for at := path.Join("sys/fs/cgroup", below); ok && strings.HasPrefix(at, "sys/fs/cgroup"); at = path.Dir(at) {
			most, limited := entry(root, path.Join(at, "memory.max"), "")
			used, known := entry(root, path.Join(at, "memory.current"), "")
			if limited && known {
				old, _ := entry(root, path.Join(at, "memory.stat"), "inactive_file") // the kernel gives up both, as MemAvailable counts on
				recent, _ := entry(root, path.Join(at, "memory.stat"), "active_file")
				free = min(free, max(most-used+old+recent, 0))
			}
		}
	}
	return free
}

// entry is the number in a file of the kernel that follows a key at the beginning of a line, or, without a key, is all that there is.
func entry(root fs.FS, file, key string) (int64, bool) {
	data, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if key != "" && (len(fields) < 2 || fields[0] != key) || len(fields) == 0 {
			continue
		}
		if key != "" {
			fields = fields[1:]
		}
		n, err := strconv.ParseInt(fields[0], 10, 64)
		return n, err == nil // a limit may be "max"
	}
	return 0, false
}

// Room is the memory that images may take while they are gathered; nil is any. It may be used by several goroutines at once.
type Room struct {
	free  int64 // bytes
	side  int   // of the images, in pixels
	taken atomic.Int64
}

// Take takes the memory of one more image, twice: it is copied as soon as its place among the others is known.
func (r *Room) Take() error {
	if r == nil {
		return nil
	}
	if fit := r.free / (2 * 3 * int64(r.side) * int64(r.side)); r.taken.Add(1) > fit {
		return fmt.Errorf("%d images of %d pixels a side take the %s of memory that are free, and there are more: train on fewer, or with a smaller --side, of which half takes a quarter", fit, r.side, gib(r.free))
	}
	return nil
}

// known is what is known of the images of a training.
type known struct {
	side    int // pixels
	classes int // two at least
	images  int // 0: not known
}

// Fit refuses a training that takes more than the free bytes even without its images and with two classes alone, and says which flags
// would make it fit. What it leaves is for the images, of so many pixels a side.
func Fit(rt *onnx.Runtime, cfg classify.Config, side int, free int64) (*Room, error) {
	need, err := fit(rt, cfg, known{side: side, classes: 2}, free)
	return &Room{free: free - need, side: side}, err
}

// FitData refuses a training of images as Fit does, by what was free before they were read.
func FitData(rt *onnx.Runtime, cfg classify.Config, data Data, free int64) error {
	cfg.Batch = min(cfg.Batch, data.Train.Len())
	_, err := fit(rt, cfg, known{data.Train.Side, len(data.Train.Classes), data.Train.Len() + data.Held.Len()}, free)
	return err
}

func fit(rt *onnx.Runtime, cfg classify.Config, of known, free int64) (need int64, err error) {
	if need, err = needs(rt, cfg, of); err != nil || need <= free {
		return need, err
	}
	var tried, lower []string
	try := func(flag string, from, now int, set func(c *classify.Config, of *known, to int)) {
		tried = append(tried, flag)
		tooMuch := func(to int) bool {
			c, k := cfg, of
			set(&c, &k, to)
			need, err := needs(rt, c, k)
			return err != nil || need > free
		}
		if n := sort.Search(max(now-from, 0), func(i int) bool { return tooMuch(from + i) }); n > 0 {
			lower = append(lower, fmt.Sprintf("%s %d", flag, from+n-1))
		}
	}
	if len(cfg.ONNX) == 0 {
		least := 1
		for least < of.side && cfg.CheckSide(least) != nil {
			least++
		}
		try("--width", 1, cfg.Channels(), func(c *classify.Config, _ *known, to int) { c.Width = to })
		try("--side", least, of.side, func(_ *classify.Config, k *known, to int) { k.side = to })
	}
	try("--batch", 1, cfg.Batch, func(c *classify.Config, _ *known, to int) { c.Batch = to })
	try("--threads", 1, cfg.Threads, func(c *classify.Config, _ *known, to int) { c.Threads = to })
	hint := fmt.Sprintf("none of %s is enough alone: lower several, or train on another machine", strings.Join(tried, ", "))
	if len(lower) > 0 {
		hint = "what fits is at most " + strings.Join(lower, ", or ")
	}
	return need, fmt.Errorf("training takes about %s of memory, and %s are free: %s", gib(need), gib(free), hint)
}

// needs is the memory of a training; where its images are known with them, and with the two batches that are prepared while others train.
func needs(rt *onnx.Runtime, cfg classify.Config, of known) (int64, error) {
	need, err := classify.Memory(rt, cfg, of.side, of.classes)
	if of.images > 0 {
		const batches, number = 2, 4
		need += 3 * int64(of.side) * int64(of.side) * (int64(of.images) + batches*number*int64(cfg.Batch))
	}
	return need, err
}

func gib(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

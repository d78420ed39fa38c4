package train

import (
	"math"
	"testing"
	"testing/fstest"
)

// TestFree reads what the kernel says of memory.
func TestFree(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	root := fstest.MapFS{}
	if got := freeIn(root); got != math.MaxInt64 {
		t.Errorf("%d without a word of it", got)
	}
	root["proc/meminfo"] = file("MemTotal: 900 kB\nMemAvailable:  500 kB\n")
	root["proc/self/cgroup"] = file("1:cpu:/x\n0::/pod/box\n")
	if got := freeIn(root); got != 500<<10 {
		t.Errorf("%d of the machine's", got)
	}
	root["sys/fs/cgroup/pod/box/memory.max"], root["sys/fs/cgroup/pod/box/memory.current"] = file("max\n"), file("7\n")
	root["sys/fs/cgroup/pod/memory.max"], root["sys/fs/cgroup/pod/memory.current"] = file("5000\n"), file("3000\n")
	root["sys/fs/cgroup/pod/memory.stat"] = file("anon 1\ninactive_file 400\nactive_file 1000\n")
	if got := freeIn(root); got != 3400 {
		t.Errorf("%d of a control group's", got)
	}
}

package engine

import (
	"fmt"
	"os"
	"runtime"

	"github.com/ebitengine/purego"
)

// clickHouseCommand as first argument makes a program the engine's child.
const clickHouseCommand = "embedded-clickhouse"

// ClickHouseChild turns the process into the embedded ClickHouse if the supervisor started it as one, and returns at once if not.
// Programs that run a ClickHouse, test binaries among them, call it first in main: the engine is a library that wants a process
// of its own, and the supervisor takes the running program's file for it.
func ClickHouseChild() {
	if len(os.Args) < 3 || os.Args[1] != clickHouseCommand {
		return
	}
	code, err := queryCmdline(os.Args[2], append([]string{"clickhouse"}, os.Args[3:]...))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// queryCmdline calls libchdb's chdb_query_cmdline(argc, argv), which is clickhouse-local's main, and returns its exit code.
func queryCmdline(library string, args []string) (int, error) {
	lib, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return 0, fmt.Errorf("load %s: %w", library, err)
	}
	var call func(argc int32, argv **byte) int32
	if _, err := purego.Dlsym(lib, "chdb_query_cmdline"); err != nil {
		return 0, fmt.Errorf("%s is no libchdb of the pinned version: %w", library, err)
	}
	purego.RegisterLibFunc(&call, lib, "chdb_query_cmdline")
	argv := make([]*byte, len(args)+1) // ends with a null pointer
	var pins runtime.Pinner
	defer pins.Unpin()
	for i, a := range args {
		b := append([]byte(a), 0)
		pins.Pin(&b[0])
		argv[i] = &b[0]
	}
	pins.Pin(&argv[0])
	return int(call(int32(len(args)), &argv[0])), nil
}

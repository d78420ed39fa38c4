// Command gleaner is the whole system in one binary: `gleaner up` runs it, `gleaner help` lists the rest.
package main

import (
	"os"

	"gleaner/connectors/engine"
	"gleaner/deploy/cli"
)

// version is set by the linker.
var version = "dev"

func main() {
	engine.ClickHouseChild() // a process of its own for the embedded ClickHouse; does not return there
	os.Exit(cli.Execute(version))
}

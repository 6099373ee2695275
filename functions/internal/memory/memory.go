// Package memory lets a process use spare memory to save CPU time. It only
// configures the garbage collector, and never overrides GOGC or GOMEMLIMIT.
package memory

import (
	"runtime/debug"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/config"
)

const (
	// growth is GOGC: by how many percent of the live heap the heap may grow before
	// it is collected. The live heap is a few megabytes, so with Go's default of 100
	// the collector would run constantly for no gain: docs/performance.md has the
	// figures.
	growth = 400
	// share is the share of a function's memory, in percent, beyond which the
	// collector runs as often as needed. The rest is for the program itself and
	// memory outside of the heap.
	share = 75
)

// Tune configures the collector. GOGC and GOMEMLIMIT take precedence. A function's
// memory is read from AWS_LAMBDA_FUNCTION_MEMORY_SIZE, in MB; without it, the heap
// has no limit.
func Tune(lookup config.Lookup) {
	if _, ok := lookup("GOGC"); !ok {
		debug.SetGCPercent(growth)
	}
	if _, ok := lookup("GOMEMLIMIT"); ok {
		return
	}
	text, _ := lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
	if megabytes, err := strconv.ParseInt(text, 10, 32); err == nil && megabytes > 0 {
		debug.SetMemoryLimit(megabytes << 20 * share / 100)
	}
}

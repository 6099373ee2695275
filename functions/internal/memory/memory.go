// Package memory lets a process spend spare memory to save CPU time. It only sets
// the garbage collector, and never overrides GOGC or GOMEMLIMIT.
package memory

import (
	"runtime/debug"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/config"
)

const (
	// growth is GOGC: how many percent the heap may grow by, of what is in use,
	// before it is collected. What is in use is a few megabytes, so that Go's
	// default of 100 has the collector run all the time, and gains nothing by it:
	// docs/performance.md has the figures.
	growth = 400
	// share is how much of a function's memory, in percent, may be used before
	// the collector runs as often as it must. The rest is for the program itself
	// and what lies outside of the heap.
	share = 75
)

// Tune sets the collector. What GOGC and GOMEMLIMIT say counts more; a function's
// memory is what Lambda says in AWS_LAMBDA_FUNCTION_MEMORY_SIZE, in MB. Without
// that the heap has no limit but its growth.
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

package memory_test

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/posthaste-dev/posthaste/functions/internal/memory"
)

func TestTune(t *testing.T) {
	for name, c := range map[string]struct {
		env     map[string]string
		percent int
		limit   int64
	}{
		"a local run has no limit":                    {percent: 400, limit: math.MaxInt64},
		"a function's limit is a share of its memory": {env: map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}, percent: 400, limit: 384 << 20},
		"an invalid memory size is no limit":          {env: map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "much"}, percent: 400, limit: math.MaxInt64},
		"GOGC and GOMEMLIMIT take precedence":         {env: map[string]string{"GOGC": "50", "GOMEMLIMIT": "1GiB", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}, percent: 77, limit: math.MaxInt64},
		"with GOGC alone the limit is set":            {env: map[string]string{"GOGC": "50", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"}, percent: 77, limit: 96 << 20},
		"with GOMEMLIMIT alone the growth is set":     {env: map[string]string{"GOMEMLIMIT": "1GiB"}, percent: 400, limit: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(math.MaxInt64)
			defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()
			memory.Tune(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok })
			if got := debug.SetMemoryLimit(-1); got != c.limit {
				t.Errorf("the limit is %d, want %d", got, c.limit)
			}
			if got := debug.SetGCPercent(100); got != c.percent {
				t.Errorf("the growth is %d %%, want %d %%", got, c.percent)
			}
		})
	}
}

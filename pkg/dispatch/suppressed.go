package dispatch

import (
	"sync/atomic"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxSuppressedBytes bounds the memory of a process's counts of suppressed events: some
// thousand webhooks.
const maxSuppressedBytes = 1 << 20

// suppressed counts, across invocations, the events that the options of webhooks left
// out. A count waits for the next write of its webhook's statistics, which an attempt
// causes: a filter itself never writes. So it is lost with the process or with its place
// in the cache, and says how many events at least. It may be used concurrently.
type suppressed struct {
	waiting *bytecache.Cache[int32, *atomic.Int64] // by tenant and webhook
}

func newSuppressed() suppressed {
	return suppressed{bytecache.New[int32, *atomic.Int64](maxSuppressedBytes)}
}

func (s suppressed) add(of webhook.Key) {
	n, known := s.waiting.Get(string(of.Tenant), of.ID)
	if !known {
		n = new(atomic.Int64)
		s.waiting.Put(string(of.Tenant), of.ID, n, 0)
	}
	n.Add(1)
}

// take returns a webhook's count, which begins again.
func (s suppressed) take(of webhook.Key) int64 {
	if n, known := s.waiting.Get(string(of.Tenant), of.ID); known {
		return n.Swap(0)
	}
	return 0
}

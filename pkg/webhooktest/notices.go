package webhooktest

import (
	"context"
	"slices"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Notices implements webhook.Notices by keeping what is passed on. The zero value
// is ready for use, and may be used concurrently.
type Notices struct {
	mu    sync.Mutex
	all   []webhook.Notice
	calls []int
	fault func(ctx context.Context) error
}

// Notify implements webhook.Notices.
func (n *Notices) Notify(ctx context.Context, notices []webhook.Notice) error {
	n.mu.Lock()
	fault := n.fault
	n.calls = append(n.calls, len(notices))
	n.mu.Unlock()
	if fault != nil {
		if err := fault(ctx); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, notices...)
	return nil
}

// Fail has calls return what fault does from now on; nil: they succeed.
func (n *Notices) Fail(fault func(ctx context.Context) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = fault
}

// All returns the notices that were passed on.
func (n *Notices) All() []webhook.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// Calls returns the number of notices of each call, failed ones included.
func (n *Notices) Calls() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.calls)
}

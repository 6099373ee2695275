package dynamo

import (
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// unreadable collects the items of a list that cannot be decoded. It is safe
// for concurrent use.
type unreadable struct {
	mu    sync.Mutex
	items webhook.UnreadableError
}

func (u *unreadable) add(it item, cause error) {
	r := reader{item: it}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.items.Add(r.text(attrPK)+" "+r.text(attrSK), cause)
}

func (u *unreadable) err() error { return u.items.Err() }

package embedded

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// searchBytes ends a page of a search: the size of the events that it reads. It takes
// about 10 ms to decode as much.
const searchBytes = 512 << 10

// Search implements webhook.Events. It reads at most 512 KiB of events, and one more.
func (s Events) Search(ctx context.Context, q webhook.EventQuery) (page webhook.EventPage, err error) {
	prefix, now := key(string(q.Tenant), ""), s.db.Now()
	start := append(bytes.Clone(prefix), q.Before...)
	if q.Before == "" {
		start = append(start, 0xff)
	}
	first := append(bytes.Clone(prefix), q.First...)
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c, size := bucket(tx, "events").Cursor(), 0
		previous := c.Prev
		if k, _ := c.Seek(start); k == nil {
			previous = c.Last
		}
		k, stored := previous()
		for ; bytes.HasPrefix(k, prefix) && bytes.Compare(k, first) >= 0; k, stored = c.Prev() {
			if size >= searchBytes || len(page.Events) == q.Limit {
				return broken.Err()
			}
			size += len(k) + len(stored)
			page.Examined++
			page.Next = webhook.EventID(k[len(prefix):])
			e, err := decodeEvent(stored)
			switch {
			case err != nil:
				broken.Add(shown("events", k), err)
			case !expired(e.ExpiresAt, now) && q.Head(e) && q.Filter.Matches(e):
				page.Events = append(page.Events, e)
			}
		}
		page.Next = ""
		return broken.Err()
	})
	return page, err
}

// Recall implements webhook.Events.
func (s Events) Recall(ctx context.Context, tenant webhook.Tenant, name string, now time.Time) (claim webhook.IdempotencyClaim, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		found, err := load(bucket(tx, "claims"), key(string(tenant), name), &claim)
		if err == nil && (!found || expired(claim.Expires, now)) {
			err = fmt.Errorf("idempotency key: %w", webhook.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return webhook.IdempotencyClaim{}, err
	}
	return claim, nil
}

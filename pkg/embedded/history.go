package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// storedReplaced is the stored form of a replaced webhook.
type storedReplaced struct {
	webhook.Change
	Webhook storedWebhook
	Partial bool `json:",omitempty"`
}

func historyKey(tenant webhook.Tenant, id int32, revision int64) []byte {
	return append(webhookKey(tenant, id), key(uint64(max(revision, 0)))...)
}

// remember adds a replaced webhook to the history, and drops the one that is then
// too many.
func remember(tx *bbolt.Tx, r webhook.Replaced) error {
	b, w := bucket(tx, "history"), r.Webhook
	k := historyKey(w.Tenant, w.ID, w.Revision)
	r.At, r.ExpiresAt = milliseconds(r.At), milliseconds(r.ExpiresAt)
	if err := save(b, k, storedReplaced{r.Change, toStore(w), r.Partial}); err != nil {
		return err
	}
	if err := noteExpiry(tx, "history", k, r.ExpiresAt); err != nil {
		return err
	}
	if w.Revision <= webhook.HistoryLength {
		return nil
	}
	return removeItem(tx, b, "history", historyKey(w.Tenant, w.ID, w.Revision-webhook.HistoryLength))
}

func decodeReplaced(stored []byte) (webhook.Replaced, error) {
	var s storedReplaced
	if err := json.Unmarshal(stored, &s); err != nil {
		return webhook.Replaced{}, fmt.Errorf("read stored history: %w", err)
	}
	return webhook.Replaced{Change: s.Change, Webhook: s.Webhook.webhook(), Partial: s.Partial}, nil
}

// History implements webhook.Webhooks.
func (s Webhooks) History(ctx context.Context, tenant webhook.Tenant, id int32, before int64, limit int) (page []webhook.Replaced, err error) {
	prefix, now := webhookKey(tenant, id), s.db.Now()
	if before <= 0 {
		before = math.MaxInt64
	}
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "history").Cursor()
		k, _ := c.Seek(historyKey(tenant, id, before))
		var stored []byte
		if k == nil {
			k, stored = c.Last()
		} else {
			k, stored = c.Prev()
		}
		for ; bytes.HasPrefix(k, prefix) && len(page) < limit; k, stored = c.Prev() {
			replaced, err := decodeReplaced(stored)
			switch {
			case err != nil:
				broken.Add(shown("history", k), err)
			case !expired(replaced.ExpiresAt, now):
				page = append(page, replaced)
			}
		}
		return broken.Err()
	})
	return page, err
}

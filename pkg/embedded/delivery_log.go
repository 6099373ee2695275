package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Log implements delivery.Store. It reads no more than Examine rows.
func (s Deliveries) Log(ctx context.Context, q delivery.LogQuery) (page delivery.LogPage, err error) {
	prefix, now := webhookKey(q.Tenant, q.Webhook), s.db.Now()
	start := append(bytes.Clone(prefix), q.Before...)
	if q.Before == "" {
		start = append(bytes.Clone(prefix), 0xff)
	}
	first := append(bytes.Clone(prefix), q.First...)
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "deliveries").Cursor()
		previous := c.Prev
		if k, _ := c.Seek(start); k == nil {
			previous = c.Last
		}
		for k, stored := previous(); bytes.HasPrefix(k, prefix) && bytes.Compare(k, first) >= 0; k, stored = c.Prev() {
			if page.Examined == max(q.Examine, 1) || len(page.Deliveries) == q.Limit {
				return broken.Err()
			}
			page.Examined++
			page.Next = webhook.EventID(k[len(prefix):])
			var row delivery.Row
			err := json.Unmarshal(stored, &row)
			switch {
			case err != nil:
				broken.Add(shown("deliveries", k), fmt.Errorf("read stored item: %w", err))
			case !expired(row.ExpiresAt, now) && q.Filter.Matches(row):
				page.Deliveries = append(page.Deliveries, row)
			}
		}
		page.Next = ""
		return broken.Err()
	})
	return page, err
}

// PutResponse implements delivery.Store.
func (s Deliveries) PutResponse(ctx context.Context, r delivery.FailureResponse) error {
	r.At, r.ExpiresAt = milliseconds(r.At), milliseconds(r.ExpiresAt)
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		b, k := bucket(tx, "responses"), deliveryKey(r.Key)
		var stored delivery.FailureResponse
		found, err := load(b, k, &stored)
		if err != nil || found && !stored.At.Before(r.At) {
			return err
		}
		if found {
			if err := forgetExpiry(tx, "responses", k, stored.ExpiresAt); err != nil {
				return err
			}
		}
		if err := noteExpiry(tx, "responses", k, r.ExpiresAt); err != nil {
			return err
		}
		return save(b, k, r)
	})
}

// Response implements delivery.Store.
func (s Deliveries) Response(ctx context.Context, id delivery.Key) (r delivery.FailureResponse, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		found, err := load(bucket(tx, "responses"), deliveryKey(id), &r)
		if err == nil && (!found || expired(r.ExpiresAt, s.db.Now())) {
			err = fmt.Errorf("response of %s to webhook %d: %w", id.Event, id.Webhook, webhook.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return delivery.FailureResponse{}, err
	}
	return r, nil
}

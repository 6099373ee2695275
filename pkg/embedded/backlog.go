package embedded

import (
	"bytes"
	"context"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The index of parked rows, by webhook, by the event's partition, and by event: its keys
// are those of the rows with the partition in front of the event.

func parkedPrefix(key webhook.Key, partition int) []byte {
	return append(webhookKey(key.Tenant, key.ID), byte(partition))
}

func parkedKey(k delivery.Key) []byte {
	prefix := parkedPrefix(webhook.Key{Tenant: k.Tenant, ID: k.Webhook}, k.Event.Partition(delivery.ParkedPartitions))
	return append(prefix, k.Event...)
}

// readDeliveryKey is the inverse of deliveryKey.
func readDeliveryKey(k []byte) (delivery.Key, bool) {
	tenant, rest, found := bytes.Cut(k, []byte{0})
	if !found || len(rest) < 5 {
		return delivery.Key{}, false
	}
	return delivery.Key{Tenant: webhook.Tenant(tenant), Webhook: int32(binary.BigEndian.Uint32(rest)), Event: webhook.EventID(rest[4:])}, true
}

// Parked implements delivery.Backlog. It never lags.
func (s Deliveries) Parked(ctx context.Context, key webhook.Key, partition int, after webhook.EventID, limit int) (rows []delivery.ParkedRow, err error) {
	prefix, now := parkedPrefix(key, partition), s.db.Now()
	start := append(bytes.Clone(prefix), after...)
	if after != "" {
		start = append(start, 0) // the smallest key after that
	}
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "parked").Cursor()
		for k, _ := c.Seek(start); bytes.HasPrefix(k, prefix) && len(rows) < limit; k, _ = c.Next() {
			id := delivery.Key{Tenant: key.Tenant, Webhook: key.ID, Event: webhook.EventID(k[len(prefix):])}
			row, err := loadDelivery(tx, deliveryKey(id), now)
			if err != nil {
				broken.Add(shown("deliveries", deliveryKey(id)), err)
			}
			if row.Exists() {
				rows = append(rows, delivery.ParkedRow{Key: row.Key, Round: row.Round, Attempt: row.Attempt, AttemptCount: row.AttemptCount, Replay: row.Replay})
			}
		}
		return broken.Err()
	})
	return rows, err
}

// Waiting implements delivery.Backlog.
func (s Deliveries) Waiting(ctx context.Context, key webhook.Key, limit int) (n int, err error) {
	prefix := webhookKey(key.Tenant, key.ID)
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "parked").Cursor()
		for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && n < limit; k, _ = c.Next() {
			n++
		}
		return nil
	})
	return n, err
}

package embedded

import (
	"bytes"
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// release frees what the process before held when it ended: nobody else can
// have the file open, so its leases and receipts belong to nobody. Deliveries
// then go on at once instead of waiting until these run out. A message that was
// put off keeps its time: a fault or a target's wish is the reason, not the
// process.
func (db *DB) release() error {
	now := db.Now()
	return db.bolt.Update(func(tx *bbolt.Tx) error {
		if err := releaseMessages(tx, now); err != nil {
			return err
		}
		return releaseLeases(tx, now)
	})
}

func releaseMessages(tx *bbolt.Tx, now time.Time) error {
	free := map[string]storedMessage{}
	err := bucket(tx, "queue").ForEach(func(k, stored []byte) error {
		var item storedMessage
		if err := json.Unmarshal(stored, &item); err != nil {
			return nil //nolint:nilerr // Receive sees to it
		}
		if item.Held && !item.Postponed {
			free[string(k)] = item
		}
		return nil
	})
	if err != nil {
		return err
	}
	for k, was := range free {
		is := was
		is.Visible, is.Held = milliseconds(now), false
		if err := putMessage(tx, number([]byte(k)), was, is); err != nil {
			return err
		}
	}
	return nil
}

func releaseLeases(tx *bbolt.Tx, now time.Time) error {
	var held [][]byte
	c := bucket(tx, "due").Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if len(k) > 9 {
			held = append(held, bytes.Clone(k[9:]))
		}
	}
	for _, k := range held {
		var row webhook.Delivery // one that cannot be decoded is left for the sweep to tell of
		if _, err := load(bucket(tx, "deliveries"), k, &row); err != nil || !row.Leased(now) {
			continue
		}
		row.LeaseUntil = milliseconds(now.Add(-time.Millisecond))
		if err := writeDelivery(tx, k, row); err != nil {
			return err
		}
	}
	return nil
}

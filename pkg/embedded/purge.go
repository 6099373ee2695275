package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// purgePage is how many items of a bucket one purge looks at: a file of 100,000
// events is gone through in less than an hour.
const purgePage = 2000

// purgeAfter is how long an item stays after it has expired. Reads filter what
// has expired, so this decides nothing; it keeps what the feed may still point
// to, and rounding of clocks, out of the matter.
const purgeAfter = 24 * time.Hour

// purged are the buckets whose items expire; issued goes with credentials.
var purged = []string{"events", "deliveries", "claims", "graves", "ended", "credentials"}

// purge removes items that have expired, as DynamoDB's TTL does: a page of each
// bucket at a time, going on where the last purge stood. The file does not
// shrink, since bbolt does not give pages back, and stops growing.
func (db *DB) purge(ctx context.Context) error {
	before := db.Now().Add(-purgeAfter)
	for _, name := range purged {
		next, err := commit(ctx, db, func(tx *bbolt.Tx) ([]byte, error) { return purgeBucket(tx, name, db.purgeAt[name], before) })
		if err != nil {
			return fmt.Errorf("purge %s: %w", name, err)
		}
		db.purgeAt[name] = next
	}
	return nil
}

// purgeBucket looks at a page of a bucket from a key on and returns the key at
// which to go on, nil for the beginning.
func purgeBucket(tx *bbolt.Tx, name string, from []byte, before time.Time) (next []byte, err error) {
	b := bucket(tx, name)
	var over [][]byte
	c := b.Cursor()
	k, stored := c.Seek(from)
	for n := 0; k != nil && n < purgePage; k, stored = c.Next() {
		n++
		var item struct{ ExpiresAt, Expires time.Time }
		if err := json.Unmarshal(stored, &item); err != nil {
			return nil, fmt.Errorf("read stored item: %w", err)
		}
		at := item.ExpiresAt
		if at.IsZero() {
			at = item.Expires
		}
		if expired(at, before) {
			over = append(over, bytes.Clone(k))
		}
	}
	next = bytes.Clone(k) // deleting moves the cursor
	for _, k := range over {
		if name == "credentials" {
			err = dropCredential(tx, k)
		} else {
			err = removeItem(tx, b, name, k)
		}
		if err != nil {
			return nil, err
		}
	}
	return next, nil
}

// removeItem removes an item, and a row's place in the index with it.
func removeItem(tx *bbolt.Tx, b *bbolt.Bucket, name string, k []byte) error {
	if name == "deliveries" {
		var row webhook.Delivery
		if _, err := load(b, k, &row); err != nil {
			return err
		}
		if due := dueKey(row); due != nil {
			if err := bucket(tx, "due").Delete(due); err != nil {
				return fmt.Errorf("delete from index: %w", err)
			}
		}
	}
	if err := b.Delete(k); err != nil {
		return fmt.Errorf("delete expired item: %w", err)
	}
	return nil
}

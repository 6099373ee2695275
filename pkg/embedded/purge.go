package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// purgePage is how many entries of the expiry index one commit processes.
const purgePage = 2000

// purgeAfter is how long an item stays after it has expired. Reads filter
// expired items anyway; the delay covers items that the feed may still
// reference, and differences between clocks. An item that cannot be decoded is
// examined again after the same time.
const purgeAfter = 24 * time.Hour

// purge removes expired items, as DynamoDB's TTL does, one page per commit
// until there are none, and returns how many items it examined. It examines
// only items that are due in the expiry index, so its cost depends on what
// expires, not on what is stored. The error names the items that it could not
// remove. The file does not shrink, since bbolt keeps free pages, but it stops
// growing.
func (db *DB) purge(ctx context.Context) (looked int, err error) {
	before := db.Now().Add(-purgeAfter)
	var broken webhook.UnreadableError
	for {
		page, err := commit(ctx, db.update, func(tx *bbolt.Tx) (purged, error) { return purgeNext(tx, before) })
		if err != nil {
			return looked, fmt.Errorf("purge: %w", err)
		}
		looked += page.looked
		for _, item := range page.broken {
			broken.Add(item, errUndecoded)
		}
		if page.looked < purgePage {
			return looked, broken.Err()
		}
	}
}

var errUndecoded = errors.New("invalid JSON for its kind")

// purged is the result of one page of a purge.
type purged struct {
	looked int
	broken []string
}

func purgeNext(tx *bbolt.Tx, before time.Time) (done purged, err error) {
	for _, n := range overdue(tx, before, purgePage) {
		done.looked++
		if err := bucket(tx, "expiry").Delete(n.place); err != nil {
			return done, fmt.Errorf("remove expiry: %w", err)
		}
		if n.bucket == "" {
			continue
		}
		stored := bucket(tx, n.bucket).Get(n.key)
		if stored == nil {
			continue // removed by other means
		}
		at, err := expiryOf(stored)
		switch {
		case err != nil:
			done.broken = append(done.broken, shown(n.bucket, n.key))
			at = before.Add(purgeAfter)
			err = noteExpiry(tx, n.bucket, n.key, at)
		case at.IsZero():
		case at.UnixMilli() > before.UnixMilli():
			err = noteAgain(tx, n, at)
		case n.bucket == "credentials":
			err = dropCredential(tx, n.key)
		default:
			err = removeItem(tx, bucket(tx, n.bucket), n.bucket, n.key)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// noteAgain notes an item whose life has grown.
func noteAgain(tx *bbolt.Tx, n note, at time.Time) error {
	if n.bucket == "deliveries" {
		b := bucket(tx, n.bucket)
		var row storedDelivery
		if _, err := load(b, n.key, &row); err != nil {
			return err
		}
		row.Noted = milliseconds(at)
		if err := save(b, n.key, row); err != nil {
			return err
		}
	}
	return noteExpiry(tx, n.bucket, n.key, at)
}

// removeItem removes an item and its index entries, whether or not it can be
// decoded.
func removeItem(tx *bbolt.Tx, b *bbolt.Bucket, name string, k []byte) error {
	if name == "deliveries" {
		var row storedDelivery
		if _, err := load(b, k, &row); err != nil {
			if err := removeFromDue(tx, k); err != nil {
				return err
			}
		}
		if due := dueKey(row.Row); due != nil {
			if err := bucket(tx, "due").Delete(due); err != nil {
				return fmt.Errorf("delete from index: %w", err)
			}
		}
		if err := forgetExpiry(tx, name, k, row.Noted); err != nil {
			return err
		}
	} else if at, err := expiryOf(b.Get(k)); err == nil {
		if err := forgetExpiry(tx, name, k, at); err != nil {
			return err
		}
	}
	if err := b.Delete(k); err != nil {
		return fmt.Errorf("delete item: %w", err)
	}
	return nil
}

// removeFromDue searches the whole due index for the entry of a row that cannot
// be decoded.
func removeFromDue(tx *bbolt.Tx, k []byte) error {
	due := bucket(tx, "due")
	var places [][]byte
	c := due.Cursor()
	for place, _ := c.First(); place != nil; place, _ = c.Next() {
		if len(place) > 9 && bytes.Equal(place[9:], k) {
			places = append(places, bytes.Clone(place))
		}
	}
	for _, place := range places {
		if err := due.Delete(place); err != nil {
			return fmt.Errorf("delete from index: %w", err)
		}
	}
	return nil
}

package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// expiring lists the buckets whose items expire; issued follows credentials.
// Keys of the expiry index hold a bucket's position in this list.
var expiring = []string{"events", "deliveries", "claims", "ended", "credentials", "graves", "history", "responses", "statistics"}

// expiryKey returns an item's key in the expiry index, or nil if the item does
// not expire.
func expiryKey(name string, k []byte, at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	for i, bucket := range expiring {
		if bucket == name {
			return append(key(at, byte(i)), k...)
		}
	}
	panic("items of " + name + " do not expire")
}

// noteExpiry schedules an item to be examined by the purge. An item is noted
// when it is created but not when its life grows: the purge reads the item
// itself and notes it again.
func noteExpiry(tx *bbolt.Tx, name string, k []byte, at time.Time) error {
	if place := expiryKey(name, k, at); place != nil {
		if err := bucket(tx, "expiry").Put(place, nil); err != nil {
			return fmt.Errorf("index expiry: %w", err)
		}
	}
	return nil
}

func forgetExpiry(tx *bbolt.Tx, name string, k []byte, at time.Time) error {
	if place := expiryKey(name, k, at); place != nil {
		if err := bucket(tx, "expiry").Delete(place); err != nil {
			return fmt.Errorf("remove expiry: %w", err)
		}
	}
	return nil
}

// storedDelivery is the stored form of a row.
type storedDelivery struct {
	delivery.Row
	// Noted is the row's time in the expiry index.
	Noted time.Time `json:",omitzero"`
}

// note is an entry of the expiry index.
type note struct {
	place  []byte
	bucket string
	key    []byte
}

// overdue returns up to limit entries whose time is not after before.
func overdue(tx *bbolt.Tx, before time.Time, limit int) (notes []note) {
	c := bucket(tx, "expiry").Cursor()
	for k, _ := c.First(); k != nil && len(notes) < limit; k, _ = c.Next() {
		if len(k) < 9 || int(k[8]) >= len(expiring) {
			notes = append(notes, note{place: bytes.Clone(k)}) // not written by this package
			continue
		}
		if int64(binary.BigEndian.Uint64(k)) > before.UnixMilli() {
			break
		}
		notes = append(notes, note{place: bytes.Clone(k), bucket: expiring[k[8]], key: bytes.Clone(k[9:])})
	}
	return notes
}

// expiryOf returns when a stored item expires, or the zero time if it does not.
func expiryOf(stored []byte) (time.Time, error) {
	var item struct{ ExpiresAt, Expires time.Time }
	if err := json.Unmarshal(stored, &item); err != nil {
		return time.Time{}, fmt.Errorf("read stored item: %w", err)
	}
	if item.ExpiresAt.IsZero() {
		return item.Expires, nil
	}
	return item.ExpiresAt, nil
}

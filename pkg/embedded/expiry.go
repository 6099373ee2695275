package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// expiring lists the buckets whose items expire; issued goes with credentials.
// An item's place in the index of expiry holds its bucket's place here.
var expiring = []string{"events", "deliveries", "claims", "ended", "credentials", "graves"}

// expiryKey is an item's place in the index of expiry; nil for one that stays.
func expiryKey(name string, k []byte, at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	for i, bucket := range expiring {
		if bucket == name {
			return append(key(at, byte(i)), k...) //nolint:gosec // a handful
		}
	}
	panic("items of " + name + " do not expire")
}

// noteExpiry has the purge look at an item once a time has passed. An item is
// noted when it is created and not when its life grows: the purge looks at the
// item itself and notes it again.
func noteExpiry(tx *bbolt.Tx, name string, k []byte, at time.Time) error {
	if place := expiryKey(name, k, at); place != nil {
		if err := bucket(tx, "expiry").Put(place, nil); err != nil {
			return fmt.Errorf("note expiry: %w", err)
		}
	}
	return nil
}

func forgetExpiry(tx *bbolt.Tx, name string, k []byte, at time.Time) error {
	if place := expiryKey(name, k, at); place != nil {
		if err := bucket(tx, "expiry").Delete(place); err != nil {
			return fmt.Errorf("forget expiry: %w", err)
		}
	}
	return nil
}

// storedDelivery is a row as it is stored.
type storedDelivery struct {
	webhook.Delivery
	// Noted is the row's time in the index of expiry.
	Noted time.Time `json:",omitzero"`
}

// note is an entry of the index of expiry.
type note struct {
	place  []byte
	bucket string
	key    []byte
}

// overdue lists up to limit entries whose time is at or before one.
func overdue(tx *bbolt.Tx, before time.Time, limit int) (notes []note) {
	c := bucket(tx, "expiry").Cursor()
	for k, _ := c.First(); k != nil && len(notes) < limit; k, _ = c.Next() {
		if len(k) < 9 || int(k[8]) >= len(expiring) {
			notes = append(notes, note{place: bytes.Clone(k)}) // none that is written here
			continue
		}
		if int64(binary.BigEndian.Uint64(k)) > before.UnixMilli() { //nolint:gosec // written from a time
			break
		}
		notes = append(notes, note{place: bytes.Clone(k), bucket: expiring[k[8]], key: bytes.Clone(k[9:])})
	}
	return notes
}

// expiryOf reads when a stored item expires; the zero time for never.
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

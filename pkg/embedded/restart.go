package embedded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// release frees the leases and messages held by the previous process. Only one
// process can have the file open, so their holder is gone. Deliveries then
// continue at once instead of waiting for them to expire. A postponed message
// keeps its time, since it was postponed because of a fault or at the target's
// request.
func (db *DB) release() error {
	now := db.Now()
	return db.bolt.Update(func(tx *bbolt.Tx) error {
		if err := reindexMessages(tx, now); err != nil {
			return err
		}
		if err := releaseMessages(tx, now); err != nil {
			return err
		}
		return releaseLeases(tx, now)
	})
}

// reindexMessages rebuilds the ready index from the queue if it is one of a version
// before lanes, whose keys begin with a time: Receive finds no message by them. Such a
// version had a group for each webhook. The messages get the groups of this one, by which
// messages in flight are counted.
func reindexMessages(tx *bbolt.Tx, now time.Time) error {
	first, _ := bucket(tx, "ready").Cursor().First()
	if _, _, ok := readReady(first); ok || first == nil {
		return nil
	}
	if err := tx.DeleteBucket([]byte("ready")); err != nil {
		return fmt.Errorf("delete index of messages: %w", err)
	}
	ready, err := tx.CreateBucket([]byte("ready"))
	if err != nil {
		return fmt.Errorf("create index of messages: %w", err)
	}
	regrouped := map[uint64]storedMessage{} // written after the loop, which reads their bucket
	err = bucket(tx, "queue").ForEach(func(k, stored []byte) error {
		var item storedMessage
		if err := json.Unmarshal(stored, &item); err != nil {
			item = storedMessage{Visible: now} // Receive discards it
		} else if m, err := delivery.DecodeMessage(item.Body); err == nil && item.Group != m.Group() {
			item.Group = m.Group()
			regrouped[number(k)] = item
		}
		return ready.Put(item.line().key(item.Visible, number(k)), nil)
	})
	if err != nil {
		return fmt.Errorf("index messages: %w", err)
	}
	for n, item := range regrouped {
		if err := save(bucket(tx, "queue"), key(n), item); err != nil {
			return err
		}
	}
	return nil
}

func releaseMessages(tx *bbolt.Tx, now time.Time) error {
	free := map[string]storedMessage{}
	err := bucket(tx, "queue").ForEach(func(k, stored []byte) error {
		var item storedMessage
		if err := json.Unmarshal(stored, &item); err != nil {
			return nil //nolint:nilerr // Receive discards it
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
		var row delivery.Row // the sweep reports rows that cannot be decoded
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

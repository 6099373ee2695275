package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// partitions is how many batches of the feed can be in flight at once. Like a
// stream's shards they keep the order of one event's records, and have nothing
// to do with tenants.
const partitions = 4

// feedEvent puts an event into the change feed: an entry that stays until it is
// acknowledged. What is left when the file is opened is the redelivery.
func feedEvent(tx *bbolt.Tx, e webhook.Event, now time.Time) error {
	feed := bucket(tx, "feed")
	sequence, err := feed.NextSequence()
	if err != nil {
		return fmt.Errorf("number the feed: %w", err)
	}
	k := key(byte(e.ID.Partition(partitions)), sequence) //nolint:gosec // a partition is small
	if err := feed.Put(k, append(key(now), eventKey(e.Tenant, e.ID)...)); err != nil {
		return fmt.Errorf("write feed: %w", err)
	}
	return nil
}

// feedBytes ends a batch of the feed: about what Lambda gives a function at once.
const feedBytes = 4 << 20

// feedRecords returns up to limit records of a partition that are not
// acknowledged, the oldest first, and fewer where events are large. Sequence is the record's place in the feed,
// as text.
func (db *DB) feedRecords(ctx context.Context, partition, limit int) (records []webhook.Record, err error) {
	prefix := key(byte(partition)) //nolint:gosec // a partition is small
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "feed").Cursor()
		size := 0
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(records) < limit && size < feedBytes; k, v = c.Next() {
			if len(k) != 9 {
				continue // it has no number by which it could be acknowledged
			}
			record := webhook.Record{Sequence: fmt.Sprintf("%020d", binary.BigEndian.Uint64(k[1:]))}
			if len(v) < 8 {
				record.Undecodable = append([]byte("feed "), v...)
				records = append(records, record)
				continue
			}
			record.Accepted = time.UnixMilli(int64(binary.BigEndian.Uint64(v))).UTC() //nolint:gosec // written from a time
			stored := bucket(tx, "events").Get(v[8:])
			size += len(stored)
			if stored == nil {
				record.Undecodable = bytes.Clone(v[8:])
			} else if record.Event, err = decodeEvent(stored); err != nil {
				record.Undecodable = bytes.Clone(stored)
			}
			records = append(records, record)
		}
		return nil
	})
	return records, err
}

// acknowledge forgets feed entries of a partition.
func (db *DB) acknowledge(ctx context.Context, partition int, records []webhook.Record) error {
	if len(records) == 0 {
		return nil
	}
	return db.update(ctx, func(tx *bbolt.Tx) error {
		for _, r := range records {
			sequence, err := strconv.ParseUint(r.Sequence, 10, 64)
			if err != nil {
				return fmt.Errorf("read sequence %q: %w", r.Sequence, err)
			}
			if err := bucket(tx, "feed").Delete(key(byte(partition), sequence)); err != nil { //nolint:gosec // a partition is small
				return fmt.Errorf("acknowledge: %w", err)
			}
		}
		return nil
	})
}

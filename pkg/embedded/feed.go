package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// partitions is how many batches of the feed can be in flight at once. Like a
// stream's shards, partitions keep the order of one event's records; they are
// independent of tenants.
const partitions = 4

// feedEvent adds an event to the change feed, where it stays until it is
// acknowledged. Entries left when the file is opened are delivered again.
func feedEvent(tx *bbolt.Tx, e webhook.Event, now time.Time) error {
	feed := bucket(tx, "feed")
	sequence, err := feed.NextSequence()
	if err != nil {
		return fmt.Errorf("number feed entry: %w", err)
	}
	k := key(byte(e.ID.Partition(partitions)), sequence)
	if err := feed.Put(k, append(key(now), eventKey(e.Tenant, e.ID)...)); err != nil {
		return fmt.Errorf("write feed: %w", err)
	}
	return nil
}

// feedBytes ends a batch of the feed. It is about the size of a batch that
// Lambda passes to a function.
const feedBytes = 4 << 20

// feedRecords returns up to limit unacknowledged records of a partition, oldest
// first, and fewer if events are large. Sequence is the record's number in the
// feed, in decimal.
func (db *DB) feedRecords(ctx context.Context, partition, limit int) (records []webhook.Record, err error) {
	prefix := key(byte(partition))
	err = db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "feed").Cursor()
		size := 0
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(records) < limit && size < feedBytes; k, v = c.Next() {
			if len(k) != 9 {
				continue // without a number it cannot be acknowledged
			}
			record := webhook.Record{Sequence: fmt.Sprintf("%020d", binary.BigEndian.Uint64(k[1:]))}
			if len(v) < 8 {
				record.Undecodable = append([]byte("feed "), v...)
				records = append(records, record)
				continue
			}
			record.Accepted = time.UnixMilli(int64(binary.BigEndian.Uint64(v))).UTC()
			stored := bucket(tx, "events").Get(v[8:])
			size += len(stored)
			if stored == nil {
				record.Undecodable = bytes.Clone(v[8:])
			} else if record.Event, err = decodeEvent(stored); errors.Is(err, webhook.ErrNewer) {
				record.Newer = true
			} else if err != nil {
				record.Undecodable = bytes.Clone(stored)
			}
			records = append(records, record)
		}
		return nil
	})
	return records, err
}

// acknowledge removes entries of a partition from the feed.
func (db *DB) acknowledge(ctx context.Context, partition int, records []webhook.Record) error {
	if len(records) == 0 {
		return nil
	}
	return db.updateSoon(ctx, func(tx *bbolt.Tx) error {
		for _, r := range records {
			sequence, err := strconv.ParseUint(r.Sequence, 10, 64)
			if err != nil {
				return fmt.Errorf("read sequence %q: %w", r.Sequence, err)
			}
			if err := bucket(tx, "feed").Delete(key(byte(partition), sequence)); err != nil {
				return fmt.Errorf("acknowledge: %w", err)
			}
		}
		return nil
	})
}

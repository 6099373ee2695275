package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// DeadLetters is the dead-letter queue of a DB.
type DeadLetters struct{ db *DB }

// DeadLetters returns the dead-letter queue.
func (db *DB) DeadLetters() DeadLetters { return DeadLetters{db} }

// letterHidden is how long a received letter is hidden.
const letterHidden = 30 * time.Second

type storedLetter struct {
	Body    string
	Visible time.Time
}

func bury(tx *bbolt.Tx, body string) error {
	b := bucket(tx, "dead")
	n, err := b.NextSequence()
	if err != nil {
		return fmt.Errorf("number dead letter: %w", err)
	}
	return save(b, key(n), storedLetter{Body: body})
}

// Bury stores a payload that cannot be decoded as a dead letter.
func (d DeadLetters) Bury(ctx context.Context, raw []byte) error {
	body := string(raw)
	return d.db.update(ctx, func(tx *bbolt.Tx) error { return bury(tx, body) })
}

// Receive returns up to limit letters and hides them for letterHidden. A stored
// item that is not a valid letter is returned with a body that cannot be
// decoded.
func (d DeadLetters) Receive(ctx context.Context, limit int) ([]delivery.Received, error) {
	return commit(ctx, d.db.update, func(tx *bbolt.Tx) (letters []delivery.Received, err error) {
		now := d.db.Now()
		b := bucket(tx, "dead")
		taken := map[uint64]storedLetter{}
		c := b.Cursor()
		for k, stored := c.First(); k != nil && len(taken) < limit; k, stored = c.Next() {
			if len(k) != 8 {
				continue // without a number it cannot be removed
			}
			var letter storedLetter
			if err := json.Unmarshal(stored, &letter); err != nil {
				letter = storedLetter{Body: string(stored)}
			}
			if letter.Visible.After(now) {
				continue
			}
			n := binary.BigEndian.Uint64(k)
			letter.Visible = now.Add(letterHidden)
			taken[n] = letter
			letters = append(letters, decodeReceived(strconv.FormatUint(n, 10), letter.Body, 1))
		}
		for n, letter := range taken {
			if err := save(b, key(n), letter); err != nil {
				return nil, err
			}
		}
		return letters, nil
	})
}

// Remove deletes a letter. Removing an absent letter is not an error.
func (d DeadLetters) Remove(ctx context.Context, receipt string) error {
	n, err := strconv.ParseUint(receipt, 10, 64)
	if err != nil {
		return fmt.Errorf("malformed receipt: %w", err)
	}
	return d.db.update(ctx, func(tx *bbolt.Tx) error { return bucket(tx, "dead").Delete(key(n)) })
}

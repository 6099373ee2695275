package embedded

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// Queue is the delivery queue of a DB, with its two lanes. Like SQS, it has delays,
// visibility timeouts, receive counts and fairness groups.
type Queue struct{ db *DB }

var (
	_ delivery.Queue      = Queue{}
	_ delivery.Visibility = Queue{}
)

// Queue returns the delivery queue.
func (db *DB) Queue() Queue { return Queue{db} }

// storedMessage is a message in the queue.
type storedMessage struct {
	Body     string
	Group    string
	Slow     bool `json:",omitempty"`
	Visible  time.Time
	Receives int
	Held     bool // received, and neither acknowledged nor visible again
	// Postponed: its consumer put it off until Visible, a time that a restart
	// must keep.
	Postponed bool `json:",omitempty"`
}

// Send implements delivery.Queue. It stores all messages of a call or none.
func (q Queue) Send(ctx context.Context, messages []delivery.Outgoing) (failed []int, err error) {
	if len(messages) == 0 {
		return nil, nil
	}
	return nil, q.db.update(ctx, func(tx *bbolt.Tx) error {
		now := q.db.Now()
		for _, m := range messages {
			n, err := bucket(tx, "queue").NextSequence()
			if err != nil {
				return fmt.Errorf("number message: %w", err)
			}
			if err := putMessage(tx, n, storedMessage{}, message(m, now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Receive returns up to limit visible messages of both lanes, alternating between
// groups, and hides them. A message that was received too often becomes a dead letter
// instead.
func (q Queue) Receive(ctx context.Context, limit int) (received []delivery.Received, err error) {
	for _, slow := range []bool{false, true} {
		var turn string
		found, err := q.receive(ctx, slow, limit-len(received), &turn, func(string) bool { return false })
		received = append(received, found...)
		if err != nil || len(received) == limit {
			return received, err
		}
	}
	return received, nil
}

// receive is Receive for a lane and for groups that are not full. turn is the group that
// had the last turn, which it changes.
func (q Queue) receive(ctx context.Context, slow bool, limit int, turn *string, full func(group string) bool) ([]delivery.Received, error) {
	some := false
	err := q.db.view(ctx, func(tx *bbolt.Tx) error {
		first, _ := takeTurns(readyCursor(tx), q.db.Now(), slow, 1, *turn, full)
		some = len(first) > 0
		return nil
	})
	if err != nil || !some {
		return nil, err
	}
	return commit(ctx, q.db.update, func(tx *bbolt.Tx) (received []delivery.Received, err error) {
		now := q.db.Now()
		taken, last := takeTurns(readyCursor(tx), now, slow, limit, *turn, full)
		*turn = last
		for _, w := range taken {
			var was storedMessage
			found, err := load(bucket(tx, "queue"), key(w.number), &was)
			if err != nil || !found {
				if err := discard(tx, w); err != nil {
					return nil, err
				}
				continue
			}
			item := was
			item.Receives++
			if item.Receives > q.db.MaxReceives {
				if err := dropMessage(tx, w.number, was); err != nil {
					return nil, err
				}
				if err := bury(tx, item.Body); err != nil {
					return nil, err
				}
				continue
			}
			item.Visible, item.Held, item.Postponed = milliseconds(now.Add(q.db.Visibility)), true, false
			if err := putMessage(tx, w.number, was, item); err != nil {
				return nil, err
			}
			received = append(received, decodeReceived(receipt(w.number, item.Receives), item.Body, item.Receives))
		}
		return received, nil
	})
}

func decodeReceived(id, body string, receives int) delivery.Received {
	r := delivery.Received{ID: id, Receipt: id, Receives: receives}
	r.Decode(body)
	return r
}

func receipt(n uint64, receives int) string { return fmt.Sprintf("%d.%d", n, receives) }

// held returns the message of a receipt, if the receipt is still valid.
func held(tx *bbolt.Tx, text string) (n uint64, item storedMessage, ok bool, err error) {
	number, receives, _ := strings.Cut(text, ".")
	if n, err = strconv.ParseUint(number, 10, 64); err != nil {
		return 0, storedMessage{}, false, fmt.Errorf("malformed receipt: %w", err)
	}
	found, err := load(bucket(tx, "queue"), key(n), &item)
	return n, item, found && strconv.Itoa(item.Receives) == receives && item.Held, err
}

// Ack removes received messages. A receipt that is no longer valid is not an
// error.
func (q Queue) Ack(ctx context.Context, receipts []string) error {
	if len(receipts) == 0 {
		return nil
	}
	return q.db.updateSoon(ctx, func(tx *bbolt.Tx) error {
		for _, r := range receipts {
			n, item, ok, err := held(tx, r)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if err := dropMessage(tx, n, item); err != nil {
				return err
			}
		}
		return nil
	})
}

// Postpone implements delivery.Visibility.
func (q Queue) Postpone(ctx context.Context, r delivery.Received, delay time.Duration) error {
	return q.db.update(ctx, func(tx *bbolt.Tx) error {
		n, was, ok, err := held(tx, r.Receipt)
		if err != nil || !ok {
			return err
		}
		is := was
		is.Visible, is.Postponed = milliseconds(q.db.Now().Add(delay)), true
		return putMessage(tx, n, was, is)
	})
}

// nextVisible returns when the first waiting message of a lane becomes visible; zero if
// there is none.
func (q Queue) nextVisible(ctx context.Context, slow bool) (at time.Time, err error) {
	err = q.db.view(ctx, func(tx *bbolt.Tx) error {
		at = nextVisible(readyCursor(tx), slow)
		return nil
	})
	return at, err
}

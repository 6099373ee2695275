package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// Queue is the delivery queue of a DB. Like SQS, it has delays, visibility
// timeouts, receive counts and fairness groups.
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
			delay := min(max(m.Delay, 0), delivery.MaxDelay)
			if rest := delay % time.Second; rest > 0 {
				delay += time.Second - rest
			}
			item := storedMessage{Body: delivery.EncodeMessage(m.Message), Group: m.Message.Group(), Visible: milliseconds(now.Add(delay))}
			if err := putMessage(tx, n, storedMessage{}, item); err != nil {
				return err
			}
		}
		return nil
	})
}

// putMessage writes a message and its entry in the ready index.
func putMessage(tx *bbolt.Tx, n uint64, was, is storedMessage) error {
	ready := bucket(tx, "ready")
	if !was.Visible.IsZero() {
		if err := ready.Delete(key(was.Visible, n)); err != nil {
			return fmt.Errorf("move message: %w", err)
		}
	}
	if err := ready.Put(key(is.Visible, n), []byte(is.Group)); err != nil {
		return fmt.Errorf("move message: %w", err)
	}
	return save(bucket(tx, "queue"), key(n), is)
}

func dropMessage(tx *bbolt.Tx, n uint64, was storedMessage) error {
	if err := bucket(tx, "ready").Delete(key(was.Visible, n)); err != nil {
		return fmt.Errorf("delete message: %w", err)
	}
	if err := bucket(tx, "queue").Delete(key(n)); err != nil {
		return fmt.Errorf("delete message: %w", err)
	}
	return nil
}

// window is how many waiting messages fairness considers; a message beyond it
// waits for those before it.
const window = 10_000

// Receive returns up to limit visible messages, alternating between groups, and
// hides them. A message that was received too often becomes a dead letter
// instead.
func (q Queue) Receive(ctx context.Context, limit int) ([]delivery.Received, error) {
	return q.receive(ctx, limit, func([]byte) bool { return false })
}

// receive is Receive for groups that are not full.
func (q Queue) receive(ctx context.Context, limit int, full func(group []byte) bool) ([]delivery.Received, error) {
	some := false
	err := q.db.view(ctx, func(tx *bbolt.Tx) error {
		some = len(visible(tx, q.db.Now(), 1, full)) > 0
		return nil
	})
	if err != nil || !some {
		return nil, err
	}
	return commit(ctx, q.db.update, func(tx *bbolt.Tx) (received []delivery.Received, err error) {
		now := q.db.Now()
		for _, w := range takeTurns(visible(tx, now, window, full), limit) {
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

type waitingMessage struct {
	number uint64
	group  string
	at     uint64 // when it became visible, from its key in the ready index
}

// discard moves a message that cannot be decoded, unchanged, to the dead
// letters, so that it does not block others.
func discard(tx *bbolt.Tx, w waitingMessage) error {
	if stored := bucket(tx, "queue").Get(key(w.number)); stored != nil {
		if err := bury(tx, string(stored)); err != nil {
			return err
		}
	}
	if err := bucket(tx, "ready").Delete(key(w.at, w.number)); err != nil {
		return fmt.Errorf("discard message: %w", err)
	}
	if err := bucket(tx, "queue").Delete(key(w.number)); err != nil {
		return fmt.Errorf("discard message: %w", err)
	}
	return nil
}

// visible returns up to limit visible messages, oldest first.
func visible(tx *bbolt.Tx, now time.Time, limit int, full func(group []byte) bool) (waiting []waitingMessage) {
	c := bucket(tx, "ready").Cursor()
	for k, group := c.First(); k != nil && len(waiting) < limit; k, group = c.Next() {
		if len(k) != 16 {
			continue // not a valid index key
		}
		if int64(binary.BigEndian.Uint64(k)) > now.UnixMilli() {
			break
		}
		if full(group) {
			continue
		}
		waiting = append(waiting, waitingMessage{number: binary.BigEndian.Uint64(k[8:]), group: string(group), at: binary.BigEndian.Uint64(k)})
	}
	return waiting
}

// takeTurns picks messages, one of each group in turn.
func takeTurns(waiting []waitingMessage, limit int) (taken []waitingMessage) {
	var groups []string
	of := map[string][]waitingMessage{}
	for _, w := range waiting {
		if of[w.group] == nil {
			groups = append(groups, w.group)
		}
		of[w.group] = append(of[w.group], w)
	}
	for turn := 0; len(taken) < min(limit, len(waiting)); turn++ {
		for _, g := range groups {
			if turn < len(of[g]) && len(taken) < limit {
				taken = append(taken, of[g][turn])
			}
		}
	}
	return taken
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
func (q Queue) Postpone(ctx context.Context, r string, delay time.Duration) error {
	return q.db.update(ctx, func(tx *bbolt.Tx) error {
		n, was, ok, err := held(tx, r)
		if err != nil || !ok {
			return err
		}
		is := was
		is.Visible, is.Postponed = milliseconds(q.db.Now().Add(delay)), true
		return putMessage(tx, n, was, is)
	})
}

// nextVisible returns when the first waiting message becomes visible.
func (q Queue) nextVisible(ctx context.Context) (at time.Time, waits bool, err error) {
	err = q.db.view(ctx, func(tx *bbolt.Tx) error {
		if k, _ := bucket(tx, "ready").Cursor().First(); len(k) == 16 {
			at, waits = time.UnixMilli(int64(binary.BigEndian.Uint64(k))).UTC(), true
		}
		return nil
	})
	return at, waits, err
}

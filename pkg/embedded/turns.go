package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// The ready index holds every message of the queue, by lane, then by group, then by the
// time when it becomes visible. So the next message of any group is found without
// reading those of others, however many wait.

// line is where a group's messages wait in the index: the lane, the group and a 0,
// which no group contains.
type line []byte

const (
	queueLane = 'q'
	slowLane  = 's'
)

func laneByte(slow bool) byte {
	if slow {
		return slowLane
	}
	return queueLane
}

func lineOf(slow bool, group string) line {
	l := make(line, 0, len(group)+18) // with the rest of a key
	l = append(l, laneByte(slow))
	l = append(l, group...)
	return append(l, 0)
}

func (l line) group() string { return string(l[1 : len(l)-1]) }

// key returns the index key of a message of the line.
func (l line) key(visible time.Time, n uint64) []byte {
	return append(bytes.Clone(l), key(visible, n)...)
}

// waitingMessage is a message as the index shows it.
type waitingMessage struct {
	key     []byte // in the index
	number  uint64
	visible time.Time
}

// readReady decodes a key of the index. ok is false for one that has another form.
func readReady(k []byte) (l line, m waitingMessage, ok bool) {
	at := len(k) - 16
	if at < 2 || k[at-1] != 0 {
		return nil, waitingMessage{}, false
	}
	return line(k[:at]), waitingMessage{
		key: k, number: binary.BigEndian.Uint64(k[at+8:]), visible: time.UnixMilli(int64(binary.BigEndian.Uint64(k[at:]))).UTC(),
	}, true
}

// cursor is what a search of the index needs of a [bbolt.Cursor]. Each call is one step.
type cursor interface {
	Seek(from []byte) (k, v []byte)
	Next() (k, v []byte)
}

func readyCursor(tx *bbolt.Tx) cursor { return bucket(tx, "ready").Cursor() }

// lines calls each with the first message of every line of a lane, beginning with the
// line after last and ending with last, until each returns false. It takes one step per
// line and two more.
func lines(ready cursor, slow bool, last string, each func(l line, first waitingMessage) bool) {
	lane := []byte{laneByte(slow)}
	from := after(lineOf(slow, last))
	walk := func(from, before []byte) bool {
		for k, _ := ready.Seek(from); bytes.HasPrefix(k, lane) && (before == nil || bytes.Compare(k, before) < 0); {
			l, first, ok := readReady(k)
			if !ok {
				k, _ = ready.Next()
				continue
			}
			l, first.key = bytes.Clone(l), bytes.Clone(first.key)
			if !each(l, first) {
				return false
			}
			k, _ = ready.Seek(after(l))
		}
		return true
	}
	if walk(from, nil) {
		walk(lane, from)
	}
}

// after returns the lowest key after those of a line.
func after(l line) []byte {
	next := bytes.Clone(l)
	next[len(next)-1] = 1
	return next
}

// takeTurns returns up to limit messages of a lane that are visible at now, one of each
// group in turn, and the last group that had a turn. It leaves out the groups that full
// reports, and begins with the group after last. It takes two steps per message, besides
// those of lines.
func takeTurns(ready cursor, now time.Time, slow bool, limit int, last string, full func(group string) bool) (taken []waitingMessage, turn string) {
	turn = last
	var heads []waitingMessage // of the groups in turn
	lines(ready, slow, last, func(l line, first waitingMessage) bool {
		if !first.visible.After(now) && !full(l.group()) {
			heads, turn = append(heads, first), l.group()
		}
		return len(heads) < limit
	})
	for len(heads) > 0 && len(taken) < limit {
		var rest []waitingMessage
		for _, head := range heads[:min(len(heads), limit-len(taken))] {
			taken = append(taken, head)
			ready.Seek(head.key)
			k, _ := ready.Next()
			own, _, _ := readReady(head.key)
			if l, next, ok := readReady(k); ok && bytes.Equal(l, own) && !next.visible.After(now) {
				next.key = bytes.Clone(k)
				rest = append(rest, next)
			}
		}
		heads = rest
	}
	return taken, turn
}

// nextVisible returns when the first message of a lane becomes visible; zero if there is
// none.
func nextVisible(ready cursor, slow bool) (at time.Time) {
	lines(ready, slow, "", func(_ line, first waitingMessage) bool {
		if at.IsZero() || first.visible.Before(at) {
			at = first.visible
		}
		return true
	})
	return at
}

// putMessage writes a message and its entry in the ready index.
func putMessage(tx *bbolt.Tx, n uint64, was, is storedMessage) error {
	ready := bucket(tx, "ready")
	if !was.Visible.IsZero() {
		if err := ready.Delete(was.line().key(was.Visible, n)); err != nil {
			return fmt.Errorf("move message: %w", err)
		}
	}
	if err := ready.Put(is.line().key(is.Visible, n), []byte{}); err != nil {
		return fmt.Errorf("move message: %w", err)
	}
	return save(bucket(tx, "queue"), key(n), is)
}

func dropMessage(tx *bbolt.Tx, n uint64, was storedMessage) error {
	if err := bucket(tx, "ready").Delete(was.line().key(was.Visible, n)); err != nil {
		return fmt.Errorf("delete message: %w", err)
	}
	if err := bucket(tx, "queue").Delete(key(n)); err != nil {
		return fmt.Errorf("delete message: %w", err)
	}
	return nil
}

// discard moves a message that cannot be decoded, unchanged, to the dead
// letters, so that it does not block others.
func discard(tx *bbolt.Tx, w waitingMessage) error {
	if stored := bucket(tx, "queue").Get(key(w.number)); stored != nil {
		if err := bury(tx, string(stored)); err != nil {
			return err
		}
	}
	if err := bucket(tx, "ready").Delete(w.key); err != nil {
		return fmt.Errorf("discard message: %w", err)
	}
	if err := bucket(tx, "queue").Delete(key(w.number)); err != nil {
		return fmt.Errorf("discard message: %w", err)
	}
	return nil
}

func (m storedMessage) line() line { return lineOf(m.Slow, m.Group) }

// message returns a message as it is stored when it is sent.
func message(out delivery.Outgoing, now time.Time) storedMessage {
	delay := min(max(out.Delay, 0), delivery.MaxDelay)
	if rest := delay % time.Second; rest > 0 {
		delay += time.Second - rest
	}
	return storedMessage{Body: delivery.EncodeMessage(out.Message), Group: out.Message.Group(), Slow: out.Message.Slow, Visible: milliseconds(now.Add(delay))}
}

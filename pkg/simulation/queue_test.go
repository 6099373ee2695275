package simulation_test

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// queue simulates SQS: at-least-once, unordered delivery with delays,
// visibility timeouts, receive counts and a dead-letter queue. In half of the runs, and
// in all with a hog, it is fair; AWS promises no order at all.
type queue struct {
	w       *world
	fair    bool
	load    fairness
	waiting []*message
	dead    []*message
	drawn   int
}

type message struct {
	id       string
	group    string
	body     string
	receives int
	received time.Time // the last time, and it has not ended
	visible  time.Time
	receipt  string // from the last receive
	moved    bool   // its visibility was changed, or a call to do so failed
	gone     bool
}

func (q *queue) draw(prefix string) string {
	q.drawn++
	return fmt.Sprintf("%s%d", prefix, q.drawn)
}

func newQueue(w *world) *queue {
	return &queue{w: w, fair: w.weather.hog > 0 || w.luck("fair")(0) < 0.5}
}

// put stores a message. Whether it is late or doubled depends on its contents, not on
// the order of its batch.
func (q *queue) put(group, body string, delay time.Duration) {
	now := time.Now()
	luck := q.w.luck("queue", body, now.Sub(q.w.began).String())
	visible := now.Add(delay)
	if !q.w.calm && luck(0) < q.w.weather.late {
		visible = visible.Add(time.Duration(luck(1) * float64(5*time.Minute)))
	}
	q.waiting = append(q.waiting, &message{id: q.draw("m"), group: group, body: body, visible: visible})
	if !q.w.calm && luck(2) < q.w.weather.duplicate {
		again := visible.Add(time.Duration(luck(3) * luck(3) * float64(2*time.Minute)))
		q.waiting = append(q.waiting, &message{id: q.draw("m"), group: group, body: body, visible: again})
	}
}

// luck returns numbers in [0, 1) that depend only on the seed and the texts,
// for choices made by concurrent goroutines.
func (w *world) luck(texts ...string) func(n int) float64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, w.seed)
	for _, t := range texts {
		_, _ = fmt.Fprintf(h, "|%s", t)
	}
	sum := h.Sum64()
	return func(n int) float64 {
		x := sum + uint64(n+1)*0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return float64((x^x>>31)>>11) / (1 << 53)
	}
}

// receivable moves messages that were received too often to the dead-letter
// queue and returns those that can be received now.
func (q *queue) receivable(now time.Time) []*message {
	var out []*message
	q.waiting = slices.DeleteFunc(q.waiting, func(m *message) bool {
		if m.gone {
			return true
		}
		if m.visible.After(now) {
			return false
		}
		if m.receives >= q.w.weather.receives {
			m.receipt, m.visible = "", now
			q.dead = append(q.dead, m)
			q.w.tracef("queue", "to the dead letters: %s", q.said(m))
			return true
		}
		out = append(out, m)
		return false
	})
	return out
}

func (q *queue) said(m *message) string {
	decoded, err := delivery.DecodeMessage(m.body)
	if err != nil {
		return m.body
	}
	return q.w.witness.says(decoded)
}

// take receives up to n random messages of one lane: of different deliveries, or the
// same message twice, as the queue may deliver it.
func (q *queue) take(n int) (taken []*message, batch []delivery.Received) {
	now := time.Now()
	ready := q.receivable(now)
	q.w.rnd.Shuffle(len(ready), func(i, j int) { ready[i], ready[j] = ready[j], ready[i] })
	if q.fair {
		q.load.sort(ready, q.waiting, now)
	}
	seen := map[string]*message{}
	perWebhook := map[hook]int{}
	for _, m := range ready {
		if len(taken) == n {
			break
		}
		decoded, err := delivery.DecodeMessage(m.body)
		if err != nil {
			m.receives++
			m.receipt, m.visible = q.draw("r"), now.Add(visibility)
			taken = append(taken, m)
			continue
		}
		// Two different messages of one delivery in one batch, or more of one webhook
		// than the consumer has slots for, or than one that could be its probe,
		// would be ordered by the Go runtime instead of the seed.
		key, of, most := fmt.Sprint(decoded.Key()), about(decoded.Key()), 5
		if q.w.witness.isDown(of) {
			most = 1
		}
		if len(batch) > 0 && batch[0].Message.Slow != decoded.Slow {
			continue
		}
		first := seen[key]
		if twice := first != nil && first.body == m.body && first.receives == m.receives+1 && q.w.luck("twice", m.id)(0) < 0.5; first != nil && !twice || decoded.Webhook != 0 && perWebhook[of] >= most {
			continue
		}
		if first == nil {
			seen[key] = m
		}
		perWebhook[of]++
		q.w.witness.reasons.received[decoded.Key()]++
		m.receives++
		if h := q.w.witness.events[decoded.Event]; h != nil && h.newer {
			q.w.witness.wants(decoded.Key()) // it is put off
		}
		if decoded.Kind == delivery.MessageExpand {
			q.w.witness.reasons.byEvent[decoded.Event]++
		}
		m.receipt, m.moved = q.draw("r"), false
		if first != nil { // nothing tells them apart, as nothing tells the goroutines that handle them
			m.id, m.receipt = first.id, first.receipt
		}
		q.load.receives(m, now)
		m.visible = now.Add(visibility)
		taken = append(taken, m)
		batch = append(batch, delivery.Received{ID: m.id, Receipt: m.receipt, Receives: m.receives, Message: decoded})
	}
	return taken, batch
}

// acknowledge deletes the messages of a batch that did not fail. A failed
// message must be postponed explicitly: the visibility timeout is for consumers
// that died or whose time ended during an attempt.
func (q *queue) acknowledge(inv *invocation, batch []delivery.Received, failed []string) {
	for _, r := range batch {
		if slices.Contains(failed, r.ID) {
			for _, m := range q.waiting {
				if m.receipt == r.Receipt && !m.moved && !time.Now().After(inv.deadline) {
					q.w.violated("queue", "%s is not done and waits for its visibility timeout of %s", q.w.witness.says(r.Message), visibility)
				}
			}
			continue
		}
		for _, m := range q.waiting {
			if m.id == r.ID && m.receipt == r.Receipt {
				m.gone = true
				q.load.ends(m, time.Now())
				if r.Message.Kind == delivery.MessageExpand {
					q.w.witness.expanded(r.Message)
				}
			}
		}
		q.w.witness.acknowledged(inv, r.Message)
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(m *message) bool { return m.gone })
}

func (q *queue) nextVisible() time.Time {
	var next time.Time
	for _, m := range q.waiting {
		if next.IsZero() || m.visible.Before(next) {
			next = m.visible
		}
	}
	return next
}

// holdsRecord reports whether a queued message says that a delivery was
// accepted.
func (q *queue) holdsRecord(key delivery.Key) bool {
	return slices.ContainsFunc(slices.Concat(q.waiting, q.dead), func(m *message) bool {
		d, err := delivery.DecodeMessage(m.body)
		return err == nil && !m.gone && d.Kind == delivery.MessageRecord && d.Key() == key
	})
}

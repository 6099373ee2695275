package simulation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// ingestQueue is the queue that the bus's rule sends to: at least once and in no
// order, with a visibility timeout and dead letters, which an operator moves back.
type ingestQueue struct {
	in      *ingestion
	waiting []*letter
	dead    []*letter
	drawn   int
}

// letter is a message of the queue.
type letter struct {
	id       string
	record   *record
	sent     time.Time
	visible  time.Time
	receives int
	receipt  int
}

func (q *ingestQueue) send(r *record) {
	now := time.Now()
	q.drawn++
	m := &letter{id: fmt.Sprintf("l%d", q.drawn), record: r, sent: now.Truncate(time.Millisecond), visible: now}
	if !q.in.w.calm && q.in.w.chance(q.in.w.weather.late) {
		m.visible = now.Add(q.in.w.between(0, 5*time.Minute))
	}
	r.sent = append(r.sent, m.sent)
	q.waiting = append(q.waiting, m)
}

// receivable returns the messages that can be received, and moves those that were
// received too often.
func (q *ingestQueue) receivable(now time.Time) (out []*letter) {
	most := ingestReceives
	if q.in.w.weather.receives < maxReceives {
		most = q.in.w.weather.receives
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(m *letter) bool {
		if m.visible.After(now) {
			return false
		}
		if m.receives < most {
			out = append(out, m)
			return false
		}
		q.dead = append(q.dead, m)
		q.in.w.tracef("bus", "%s is a dead letter", m.record.name)
		q.in.w.at(now.Add(q.in.w.between(time.Minute, time.Hour)), func() { q.moveBack(m) })
		return true
	})
	return out
}

// moveBack is an operator's message move task. SQS counts the message as a new one,
// sent now, so the event's own time may have become unusable: the one case in which
// a record can become a second event.
func (q *ingestQueue) moveBack(m *letter) {
	q.dead = slices.DeleteFunc(q.dead, func(x *letter) bool { return x == m })
	q.in.w.tracef("bus", "an operator moves %s back", m.record.name)
	m.record.moved = true
	q.send(m.record)
}

func (q *ingestQueue) nextVisible() (next time.Time) {
	for _, m := range q.waiting {
		if next.IsZero() || m.visible.Before(next) {
			next = m.visible
		}
	}
	return next
}

// take receives up to n messages, of different events. At most one has an id that a
// marker decides: the ids of two would be drawn in the order of the Go runtime.
func (q *ingestQueue) take(now time.Time, n int) (batch []*letter) {
	ready := q.receivable(now)
	q.in.w.rnd.Shuffle(len(ready), func(i, j int) { ready[i], ready[j] = ready[j], ready[i] })
	seen, marked := map[*record]bool{}, false
	for _, m := range ready {
		once := !usable(m.record.at, m.sent)
		if len(batch) == n || seen[m.record] || once && marked {
			continue
		}
		seen[m.record], marked = true, marked || once
		m.receives++
		q.drawn++
		m.receipt, m.visible = q.drawn, now.Add(ingestVisibility)
		batch = append(batch, m)
	}
	return batch
}

// ingestPoller is the queue's event source mapping with one environment.
type ingestPoller struct {
	in  *ingestion
	env *environment
}

func (p *ingestPoller) actions(now time.Time) []action {
	if p.env.busy || len(p.in.queue.receivable(now)) == 0 {
		return nil
	}
	return []action{{"poll the ingest queue", p.poll}}
}

func (p *ingestPoller) moment(time.Time) time.Time {
	if p.env.busy {
		return time.Time{}
	}
	return p.in.queue.nextVisible()
}

func (p *ingestPoller) poll() {
	in := p.in
	batch := in.queue.take(time.Now(), 1+in.w.rnd.IntN(ingestBatch))
	if len(batch) == 0 {
		return
	}
	type message struct {
		ID         string            `json:"messageId"`
		Receipt    string            `json:"receiptHandle"`
		Body       string            `json:"body"`
		Source     string            `json:"eventSource"`
		Attributes map[string]string `json:"attributes"`
	}
	var payload struct{ Records []message }
	label := "ingest"
	receipts := map[*letter]int{}
	for _, m := range batch {
		payload.Records = append(payload.Records, message{m.id, strconv.Itoa(m.receipt), m.record.raw, "aws:sqs", map[string]string{
			"ApproximateReceiveCount": strconv.Itoa(m.receives), "SentTimestamp": strconv.FormatInt(m.sent.UnixMilli(), 10),
		}})
		label += " " + m.record.name
		receipts[m] = m.receipt
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	var inv *invocation
	inv = p.env.call(label, ingestTimeout, func(ctx context.Context) any {
		return invokeHandler(ctx, p.env.ingest, text)
	}, func(out any, ok bool) {
		if !ok {
			return
		}
		failed, answered := out.([]string)
		if !answered {
			in.w.violated("ingest", "a batch of the bus failed as a whole: %v", out)
			return
		}
		for _, m := range batch {
			if slices.Contains(failed, m.id) {
				in.w.tracef("bus", "%s has failed", m.record.name)
				in.mayFail(inv, m.record)
			} else if m.receipt == receipts[m] { // an older receipt deletes nothing
				in.acknowledge(m.record)
				in.queue.waiting = slices.DeleteFunc(in.queue.waiting, func(x *letter) bool { return x == m })
			}
		}
	})
}

// lane is one of the concurrent batches of the table's stream: a shard's records in
// order, each batch until it is taken or was tried too often. Several lanes take
// their batches at once.
type lane struct {
	in      *ingestion
	n       int
	env     *environment
	feed    []*record
	next    int // the first unfinished record
	end     int // end of the current batch; 0: none
	retries int
	after   time.Time
	running *invocation
}

func (l *lane) idle() bool { return l.running == nil && l.next == len(l.feed) }

// restart begins at the first record of the last day again.
func (l *lane) restart() {
	if l.running != nil {
		l.in.w.close(l.running, false)
	}
	l.next, l.end, l.retries = 0, 0, 0
	for l.next < len(l.feed) && l.feed[l.next].made.Before(time.Now().Add(-24*time.Hour)) {
		l.next++
	}
}

func (l *lane) actions(now time.Time) (out []action) {
	if l.running == nil && l.next < len(l.feed) && !l.after.After(now) {
		out = append(out, action{"ingest changes", l.invoke})
	}
	if w := l.in.w; l.running != nil && !w.calm && w.faults > 0 && w.chance(w.weather.giveUp) {
		out = append(out, action{"give up changes", func() {
			if l.running != nil {
				w.faults--
				w.tracef("changes", "*** the mapping gives up %s, which runs on", l.env.process.name)
				w.close(l.running, false)
			}
		}})
	}
	return out
}

func (l *lane) moment(time.Time) time.Time {
	if l.running == nil && l.next < len(l.feed) {
		return l.after
	}
	return time.Time{}
}

// changePayload returns what Lambda passes to the function for a batch.
func changePayload(batch []*record) []byte {
	texts := make([]string, len(batch))
	for i, r := range batch {
		texts[i] = r.raw
	}
	return []byte(`{"Records":[` + strings.Join(texts, ",") + `]}`)
}

func names(batch []*record) string {
	text := ""
	for _, r := range batch {
		text += " " + r.name
	}
	return text
}

func (l *lane) invoke() {
	if l.end <= l.next {
		l.end = min(len(l.feed), l.next+1+l.in.w.rnd.IntN(min(12, changeBatch)))
	}
	batch := slices.Clone(l.feed[l.next:l.end])
	var inv *invocation
	inv = l.env.call("ingest"+names(batch), ingestTimeout, func(ctx context.Context) any {
		return invokeHandler(ctx, l.env.ingest, changePayload(batch))
	}, func(out any, ok bool) {
		if l.running == inv {
			l.running = nil
			l.answered(inv, batch, out, ok)
		}
	})
	l.running = inv
}

// answered moves on, or tries again from the record on that failed.
func (l *lane) answered(inv *invocation, batch []*record, out any, ok bool) {
	w := l.in.w
	failed, answered := out.([]string)
	switch {
	case !ok:
	case !answered:
		w.violated("ingest", "a batch of changes failed as a whole: %v", out)
		return
	default:
		at := len(batch)
		if len(failed) > 0 {
			at = slices.IndexFunc(batch, func(r *record) bool { return r.sequence == failed[0] })
			if at < 0 || len(failed) > 1 {
				w.violated("ingest", "changes failed at %q", failed)
				return
			}
			w.tracef("changes", "fail from %s on", batch[at].name)
			l.in.mayFail(inv, batch[at])
		}
		for _, r := range batch[:at] {
			l.in.acknowledge(r)
		}
		l.next += at
		if at == len(batch) {
			l.end, l.retries, l.after = 0, 0, time.Time{}
			return
		}
	}
	l.retries++
	l.after = time.Now().Add(w.between(0, time.Duration(min(l.retries*l.retries, 30))*time.Second/2+time.Millisecond))
	if l.retries > min(w.weather.retries, changeRetries) {
		left := l.feed[l.next:l.end]
		w.tracef("changes", "%d go to the failure bucket", len(left))
		l.in.failed.put(slices.Clone(left))
		l.next, l.end, l.retries = l.end, 0, 0
		return
	}
	if n := l.end - l.next; n > 1 && w.chance(0.5) {
		l.end = l.next + n/2 // bisected; the rest is another batch
	}
}

// changeBucket holds the batches that Lambda gave up on until the sweep has had
// them taken.
type changeBucket struct {
	in      *ingestion
	drawn   int
	names   []string
	batches map[string][]*record
}

var _ sweep.ChangeFailures = (*changeBucket)(nil)

func (b *changeBucket) put(batch []*record) {
	b.drawn++
	name := fmt.Sprintf("c%03d", b.drawn)
	b.names = append(b.names, name)
	b.batches[name] = batch
}

func (b *changeBucket) List(ctx context.Context, after string, limit int) (names []string, err error) {
	if len(b.names) == 0 {
		return nil, nil // every sweep lists it, and most find nothing
	}
	err = b.in.w.effect(ctx, kindQueue, "", "list failed changes", unavailable, func(verdict) error {
		b.in.w.mu.Lock()
		defer b.in.w.mu.Unlock()
		names = slices.DeleteFunc(slices.Sorted(slices.Values(b.names)), func(name string) bool { return name <= after })
		names = names[:min(limit, len(names))]
		return nil
	})
	if err != nil {
		names = nil
	}
	return names, err
}

func (b *changeBucket) Payload(ctx context.Context, name string) (payload []byte, err error) {
	err = b.in.w.effect(ctx, kindQueue, "", "read failed changes "+name, unavailable, func(verdict) error {
		b.in.w.mu.Lock()
		defer b.in.w.mu.Unlock()
		batch := b.batches[name]
		if batch == nil {
			return webhook.ErrNotFound
		}
		payload = changePayload(batch)
		return nil
	})
	if err != nil {
		payload = nil
	}
	return payload, err
}

func (b *changeBucket) Remove(ctx context.Context, name string) error {
	return b.in.w.effect(ctx, kindQueue, "", "remove failed changes "+name, unavailable, func(verdict) error {
		for _, r := range b.batches[name] {
			b.in.acknowledge(r)
		}
		b.in.w.mu.Lock()
		defer b.in.w.mu.Unlock()
		b.names = slices.DeleteFunc(b.names, func(n string) bool { return n == name })
		delete(b.batches, name)
		return nil
	})
}

// invoked is IngestFunction as the sweep invokes it. The calls wait for the
// scheduler, which alone starts invocations.
type invoked struct {
	in    *ingestion
	env   *environment
	calls []*sweepCall
}

type sweepCall struct {
	batch   []byte
	process *process
	taken   chan any // what invokeHandler returned; nil: it crashed
}

// Take invokes the function as package invoke does.
func (f *invoked) Take(ctx context.Context, batch []byte) (all bool, err error) {
	w := f.in.w
	call := &sweepCall{batch: batch, process: processOf(ctx), taken: make(chan any, 1)}
	err = w.effect(ctx, kindQueue, "", "invoke IngestFunction", unavailable, func(verdict) error {
		w.mu.Lock()
		f.calls = append(f.calls, call)
		w.mu.Unlock()
		return nil
	})
	if err != nil {
		return false, err
	}
	var out any
	select {
	case out = <-call.taken:
	case <-ctx.Done():
		return false, fmt.Errorf("invoke: %w: %w", webhook.ErrUnavailable, ctx.Err())
	}
	w.wait(ctx, call.process, kindAnswer, "", "IngestFunction responds")
	failed, answered := out.([]string)
	if !answered {
		return false, errors.New("invoke: it failed")
	}
	return len(failed) == 0, nil
}

func (f *invoked) actions(time.Time) []action {
	w := f.in.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.env.busy || len(f.calls) == 0 {
		return nil
	}
	return []action{{"the sweep invokes IngestFunction", f.start}}
}

func (f *invoked) moment(time.Time) time.Time { return time.Time{} }

func (f *invoked) start() {
	w := f.in.w
	w.mu.Lock()
	call := f.calls[0]
	f.calls = f.calls[1:]
	w.mu.Unlock()
	f.env.call("ingest failed changes", ingestTimeout, func(ctx context.Context) any {
		return invokeHandler(ctx, f.env.ingest, call.batch)
	}, func(out any, ok bool) {
		if !ok {
			out = nil
		}
		if err, failed := out.(error); failed {
			w.violated("ingest", "failed changes failed as a whole: %v", err)
		}
		call.taken <- out
	})
}

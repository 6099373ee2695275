package simulation_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// shard is one shard of the stream with its event source mapping. Batches are
// tried in order, each until it is acknowledged or was tried too often.
type shard struct {
	w       *world
	n       int
	env     *environment
	feed    []fed
	next    int // the first unfinished record
	end     int // end of the current batch; 0: none
	retries int
	after   time.Time // earliest time of the next try
	running *streaming
}

// streaming is one call of the stream consumer.
type streaming struct {
	inv  *invocation
	ages map[webhook.EventID]time.Duration
	// lost reports that the mapping received no response: the call crashed or
	// was given up.
	lost bool
}

// feed adds a stored event to its shard.
func (w *world) feed(ctx context.Context, e webhook.Event, h *happening) {
	s := w.shards[e.ID.Partition(len(w.shards))]
	image := w.db.image(ctx, e.Tenant, e.ID)
	if h.newer = w.newer; h.newer {
		h.unread = true
		image["v"] = &types.AttributeValueMemberN{Value: "2"}
		w.db.put(ctx, tableEvents, image)
	}
	s.feed = append(s.feed, fed{event: e, image: image, stored: h.stored, number: len(s.feed)})
}

func (s *shard) actions(now time.Time) []action {
	var out []action
	if s.running == nil && s.next < len(s.feed) && !s.after.After(now) {
		out = append(out, action{"stream", s.invoke})
	}
	if s.running != nil && !s.w.calm && s.w.faults > 0 && s.w.chance(s.w.weather.giveUp) {
		out = append(out, action{"give up", s.giveUp})
	}
	return out
}

func (s *shard) moment(time.Time) time.Time {
	if s.running == nil && s.next < len(s.feed) {
		return s.after
	}
	return time.Time{}
}

// invoke calls the consumer with the next batch.
func (s *shard) invoke() {
	w, now := s.w, time.Now()
	if w.capacity.throttles("the stream") {
		s.after = now.Add(w.between(time.Second, 5*time.Second))
		return
	}
	if s.end <= s.next {
		s.end = min(len(s.feed), s.next+1+w.rnd.IntN(w.mostRecords(s.feed[s.next].event.Tenant)))
	}
	call := &streaming{ages: map[webhook.EventID]time.Duration{}}
	batch := slices.Clone(s.feed[s.next:s.end])
	label := "stream"
	for _, f := range batch {
		call.ages[f.event.ID] = now.Sub(f.stored)
		label += " " + w.witness.name(f.event.ID)
	}
	s.running = call
	w.witness.streamed(call)
	call.inv = s.env.call(label, streamTimeout, func(ctx context.Context) any {
		return invokeHandler(ctx, s.env.deliver, streamPayload(batch))
	}, func(out any, ok bool) {
		if s.running != call {
			return
		}
		s.running = nil
		call.lost = !ok
		s.answered(call, batch, out, ok)
	})
	s.env.process.calls[call.inv] = call
}

// mostRecords returns how many records a batch may have: so few that no attempt waits
// for a slot of its webhook (16) or its tenant (64). Which one gets a slot first would
// be up to the Go runtime instead of the seed.
func (w *world) mostRecords(of webhook.Tenant) int {
	return min(max(64/max(len(w.witness.knownWebhooks(of)), 1), 1), 12, streamBatch)
}

// answered moves on or retries from the checkpoint.
func (s *shard) answered(call *streaming, batch []fed, out any, ok bool) {
	w := s.w
	if failed, _ := out.([]string); ok && failed != nil && len(failed) == 0 {
		s.done(len(batch))
		return
	} else if ok {
		at := slices.IndexFunc(batch, func(f fed) bool { return len(failed) == 1 && f.sequence() == failed[0] })
		if at < 0 {
			w.violated("promise 3", "the stream consumer failed at %q: %v", failed, out)
			return
		}
		w.tracef("stream", "fails from %s on", w.witness.name(batch[at].event.ID))
		if !w.sendFault(call.inv) {
			w.violated("promise 3", "a batch failed although every message could be sent")
		}
		s.pass(at)
	}
	s.retries++
	s.after = time.Now().Add(w.between(0, time.Duration(min(s.retries*s.retries, 30))*time.Second/2+time.Millisecond))
	if s.retries > w.weather.retries {
		w.tracef("stream", "%d records are discarded to the failure bucket", s.end-s.next)
		w.bucket.put(batch[len(batch)-(s.end-s.next):])
		s.next, s.end, s.retries = s.end, 0, 0
		return
	}
	if n := s.end - s.next; n > 1 && w.chance(0.5) {
		s.end = s.next + n/2 // bisected; the rest is another batch
	}
}

// sendFault reports whether the call's process had a send fault since the call
// began.
func (w *world) sendFault(inv *invocation) bool {
	return slices.ContainsFunc(inv.process.troubles, func(t trouble) bool {
		return t.kind == kindSend && !t.at.Before(inv.began)
	})
}

// pass acknowledges the records before a checkpoint.
func (s *shard) pass(n int) {
	for i := s.next; i < s.next+n; i++ {
		s.w.witness.dispatched(s.feed[i].event.ID)
	}
	s.next += n
}

func (s *shard) done(n int) {
	s.pass(n)
	s.end, s.retries = 0, 0
	s.after = time.Time{}
}

// giveUp makes the mapping start over while the call is still running.
func (s *shard) giveUp() {
	w := s.w
	if s.running == nil {
		return
	}
	w.faults--
	w.tracef("stream", "*** the mapping gives up %s, which runs on", s.running.inv.process.name)
	w.close(s.running.inv, false)
}

func (s *shard) idle() bool { return s.running == nil && s.next == len(s.feed) }

// poller is the queue's event source mapping with one environment.
type poller struct {
	w   *world
	env *environment
}

func (p *poller) actions(now time.Time) []action {
	if p.env.busy || len(p.w.queue.receivable(now)) == 0 {
		return nil
	}
	return []action{{"poll", p.poll}}
}

func (p *poller) moment(time.Time) time.Time {
	if p.env.busy {
		return time.Time{}
	}
	return p.w.queue.nextVisible()
}

func (p *poller) poll() {
	taken, batch := p.w.queue.take(1 + p.w.rnd.IntN(queueBatch))
	if len(taken) == 0 || p.w.capacity.throttles("the queue") {
		return // a message comes again after its visibility timeout
	}
	label := "queue"
	for i, r := range batch {
		if i > 0 {
			label += ","
		}
		label += fmt.Sprintf(" %s (%s)", p.w.witness.says(r.Message), r.Receipt)
	}
	var inv *invocation
	inv = p.env.call(label, queueTimeout, func(ctx context.Context) any {
		return invokeHandler(ctx, p.env.retry, queuePayload(taken))
	}, func(out any, ok bool) {
		if !ok {
			return
		}
		failed, answered := out.([]string)
		if !answered {
			p.w.violated("promise 3", "the queue consumer failed: %v", out)
			return
		}
		if len(failed) > 0 {
			p.w.tracef("queue", "not done: %d of %d", len(failed), len(batch))
		}
		p.w.queue.acknowledge(inv, batch, failed)
	})
}

// schedule calls the sweep in every minute in which it could have work. The
// thousands of other minutes would change nothing.
type schedule struct {
	w    *world
	envs []*environment
	last time.Time
}

func (s *schedule) due(now time.Time) time.Time {
	first := s.w.witness.firstDue()
	consider := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	if !first.IsZero() {
		first = first.Add(-time.Minute)
	}
	for _, due := range s.w.witness.timers {
		consider(due)
	}
	for _, m := range s.w.queue.dead {
		if m.readable() {
			consider(m.visible)
		}
	}
	if len(s.w.bucket.names) > 0 || len(s.w.ingestion.failed.names) > 0 {
		consider(now)
	}
	if len(s.w.witness.jobs) > 0 {
		consider(now)
	}
	for _, i := range s.w.witness.intents {
		consider(i.At.Add(time.Hour + time.Millisecond))
	}
	if first.IsZero() {
		return first
	}
	if soonest := s.last.Add(time.Minute); first.Before(soonest) {
		return soonest
	}
	return first
}

func (s *schedule) moment(now time.Time) time.Time { return s.due(now) }

func (s *schedule) actions(now time.Time) []action {
	due := s.due(now)
	if due.IsZero() || due.After(now) {
		return nil
	}
	return []action{{"sweep", func() {
		s.last = now
		for i, env := range s.envs {
			if env.busy || i > 0 && !s.w.chance(s.w.weather.double) || s.w.capacity.throttles("the sweep") {
				continue
			}
			env.call("sweep", sweepTimeout, func(ctx context.Context) any {
				_, err := env.sweep.Invoke(ctx, nil)
				return err
			}, func(any, bool) {})
		}
	}}}
}

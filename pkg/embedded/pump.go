package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Pump does the work of AWS's event source mappings for a DB: it passes the change feed
// and the queue to their handlers and calls a handler every minute. Members are
// required, except handlers: a source without a handler waits.
type Pump struct {
	DB     *DB
	Logger *slog.Logger
	// Stream handles a batch of the feed and returns the Sequence of the lowest
	// record to pass again, or "" if all are done.
	Stream func(ctx context.Context, records []webhook.Record) (failed string)
	// Queue handles a batch of the queue and returns the IDs of the messages
	// that are not done.
	Queue func(ctx context.Context, received []delivery.Received) (failed []string)
	// Minute is called at the start and then once a minute at a fixed rate; a
	// call that takes longer is followed immediately by the next. Expired items
	// are removed from the file on the same schedule.
	Minute func(ctx context.Context)
	// Drain is how long handlers still running when Run's context ends may
	// continue before their own context ends.
	Drain time.Duration
}

const (
	feedBatch   = 100
	queueBatch  = 10
	crowdedWait = 20 * time.Millisecond // before a queue with full groups is read again
	unreadable  = 5 * time.Second       // before a queue that could not be read is read again
)

// handingOver spaces the retries of an unfinished batch. There is no last try,
// since the stream continues behind the batch.
var handingOver = backoff.Policy{First: 200 * time.Millisecond, Most: 5 * time.Second}

// Run pumps until ctx ends, and returns when every handler has returned.
func (p *Pump) Run(ctx context.Context) {
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(p.Drain, cancel) })
	defer stop()
	var wg sync.WaitGroup
	if p.Stream != nil {
		for partition := range partitions {
			wg.Go(func() { p.feed(ctx, handling, partition) })
		}
	}
	if p.Queue != nil {
		for _, slow := range []bool{false, true} {
			wg.Go(func() { p.queue(ctx, handling, slow) })
		}
	}
	if p.Minute != nil {
		wg.Go(func() { p.everyMinute(ctx, func() { p.Minute(handling) }) })
		wg.Go(func() { p.everyMinute(ctx, func() { p.purge(handling) }) })
	}
	wg.Wait()
}

// feed passes one partition to the handler, a batch at a time, until ctx ends.
// handling is the handlers' context.
func (p *Pump) feed(ctx, handling context.Context, partition int) {
	failures := 0
	for ctx.Err() == nil {
		raised := p.DB.fed.raised() // before reading, so that nothing is missed
		records, err := p.DB.feedRecords(handling, partition, feedBatch)
		if err == nil && len(records) == 0 {
			wait(ctx, raised, 0)
			continue
		}
		if err == nil {
			var done int
			if done, err = p.stream(handling, records); done > 0 {
				// Not cancelled with the handlers: finished records must not be
				// handled again.
				if ackErr := p.DB.acknowledge(context.WithoutCancel(handling), partition, records[:done]); ackErr != nil {
					err = ackErr
				}
			}
		}
		if err == nil {
			failures = 0
			continue
		}
		p.Logger.WarnContext(ctx, "retrying batch", "count", len(records), "error", err)
		failures++
		wait(ctx, nil, handingOver.Wait(p.DB.Random, failures))
	}
}

// stream calls the handler and returns how many records, counted from the
// first, are done, with an error if that is not all.
func (p *Pump) stream(ctx context.Context, records []webhook.Record) (done int, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			done, err = 0, fmt.Errorf("stream handler panicked: %v", cause)
		}
	}()
	failed := p.Stream(ctx, records)
	if failed == "" {
		return len(records), nil
	}
	for i, r := range records {
		if r.Sequence == failed {
			return i, fmt.Errorf("%d of %d records not handled", len(records)-i, len(records))
		}
	}
	return 0, fmt.Errorf("stream handler returned sequence %q, which is not in its batch", failed)
}

// queue passes batches of a lane of the queue to the handler, several at once.
func (p *Pump) queue(ctx, handling context.Context, slow bool) {
	var wg sync.WaitGroup
	defer wg.Wait()
	air, turn := newAir(), ""
	for ctx.Err() == nil {
		raised, landed := p.DB.queued.raised(), air.landed.raised() // before reading, so that nothing is missed
		free, crowded := air.state()
		if free == 0 {
			wait(ctx, landed, 0)
			continue
		}
		received, err := p.DB.Queue().receive(handling, slow, min(queueBatch, free), &turn, air.full)
		switch {
		case err != nil:
			p.Logger.WarnContext(ctx, "cannot read queue", "error", err)
			wait(ctx, nil, unreadable)
		case len(received) > 0:
			air.add(received, 1)
			wg.Go(func() {
				defer air.add(received, -1)
				p.consume(handling, received)
			})
		case crowded:
			wait(ctx, landed, crowdedWait)
		default:
			p.awaitMessage(ctx, handling, slow, raised)
		}
	}
}

// awaitMessage waits until something changes or the next message becomes
// visible.
func (p *Pump) awaitMessage(ctx, handling context.Context, slow bool, raised <-chan struct{}) {
	next, err := p.DB.Queue().nextVisible(handling, slow)
	if err != nil || next.IsZero() {
		wait(ctx, raised, 0)
		return
	}
	wait(ctx, raised, max(next.Sub(p.DB.Now()), time.Millisecond))
}

func (p *Pump) consume(ctx context.Context, received []delivery.Received) {
	defer func() {
		if cause := recover(); cause != nil {
			p.Logger.ErrorContext(ctx, "queue handler panicked", "error", fmt.Sprint(cause))
		}
	}()
	failed := map[string]bool{}
	for _, id := range p.Queue(ctx, received) {
		failed[id] = true
	}
	var done []string
	for _, r := range received {
		if !failed[r.ID] {
			done = append(done, r.Receipt)
		}
	}
	if err := p.DB.Queue().Ack(context.WithoutCancel(ctx), done); err != nil {
		p.Logger.WarnContext(ctx, "messages not acknowledged", "count", len(done), "error", err)
	}
}

// everyMinute calls do immediately and then once a minute until ctx ends.
func (p *Pump) everyMinute(ctx context.Context, do func()) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for ctx.Err() == nil {
		p.guarded(ctx, do)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (p *Pump) guarded(ctx context.Context, do func()) {
	defer func() {
		if cause := recover(); cause != nil {
			p.Logger.ErrorContext(ctx, "minute handler panicked", "error", fmt.Sprint(cause))
		}
	}()
	do()
}

func (p *Pump) purge(ctx context.Context) {
	if _, err := p.DB.purge(ctx); err != nil {
		p.Logger.WarnContext(ctx, "expired items not removed", "error", err)
	}
}

// wait returns when ctx ends, the signal is raised or d has passed. A nil
// signal is never raised; a d of 0 never passes.
func wait(ctx context.Context, raised <-chan struct{}, d time.Duration) {
	var passed <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-ctx.Done():
	case <-raised:
	case <-passed:
	}
}

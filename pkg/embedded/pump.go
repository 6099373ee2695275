package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Pump plays AWS's event source mappings over a DB: it hands the change feed,
// the queue and every minute to their handlers. Members must be set, but for
// handlers that are nil: their source then waits.
type Pump struct {
	DB     *DB
	Logger *slog.Logger
	// Stream takes a batch of the feed and returns the Sequence of the lowest
	// record to hand over again, "" for none.
	Stream func(ctx context.Context, records []webhook.Record) (failed string)
	// Queue takes a batch of the queue and returns the IDs of the messages
	// that are not done.
	Queue func(ctx context.Context, received []webhook.Received) (failed []string)
	// Minute is called at the start and then once a minute, at a fixed rate: a
	// call that takes longer than a minute is followed by the next at once.
	// Beside it what has expired is removed from the file.
	Minute func(ctx context.Context)
	// Drain is how long handlers that are at work when Run ends may go on
	// before their context ends.
	Drain time.Duration
}

const (
	feedBatch   = 100
	queueBatch  = 10
	crowdedWait = 20 * time.Millisecond // until a queue with full groups is looked at again
	unreadable  = 5 * time.Second       // until a queue that could not be read is looked at again
)

// handingOver says when a batch that is not done is handed over again: without
// an end, since a stream goes on behind it.
var handingOver = backoff.Policy{First: 200 * time.Millisecond, Most: 5 * time.Second}

// Run pumps until ctx ends and every handler has returned.
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
		wg.Go(func() { p.queue(ctx, handling) })
	}
	if p.Minute != nil {
		wg.Go(func() { p.everyMinute(ctx, func() { p.Minute(handling) }) })
		wg.Go(func() { p.everyMinute(ctx, func() { p.purge(handling) }) })
	}
	wg.Wait()
}

// feed hands one partition over, a batch at a time. ctx says whether to go on,
// handling is what handlers get.
func (p *Pump) feed(ctx, handling context.Context, partition int) {
	faults := 0
	for ctx.Err() == nil {
		raised := p.DB.fed.raised() // before looking, so that nothing is missed
		records, err := p.DB.feedRecords(handling, partition, feedBatch)
		if err == nil && len(records) == 0 {
			wait(ctx, raised, 0)
			continue
		}
		if err == nil {
			var done int
			if done, err = p.stream(handling, records); done > 0 {
				// Not given up with the handlers: what is done must not be done again.
				if ackErr := p.DB.acknowledge(context.WithoutCancel(handling), partition, records[:done]); ackErr != nil {
					err = ackErr
				}
			}
		}
		if err == nil {
			faults = 0
			continue
		}
		p.Logger.WarnContext(ctx, "batch handed over again", "count", len(records), "error", err)
		faults++
		wait(ctx, nil, handingOver.Wait(p.DB.Random, faults))
	}
}

// stream calls the handler and says how many records, from the first on, are
// done. An error says that some are not.
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
			return i, fmt.Errorf("%d of %d records were not handed on", len(records)-i, len(records))
		}
	}
	return 0, fmt.Errorf("stream handler failed at %q, which is not in its batch", failed)
}

// queue hands batches of the queue over, several at once.
func (p *Pump) queue(ctx, handling context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	air := newAir()
	for ctx.Err() == nil {
		raised, landed := p.DB.queued.raised(), air.landed.raised() // before looking, so that nothing is missed
		free, crowded := air.state()
		if free == 0 {
			wait(ctx, landed, 0)
			continue
		}
		received, err := p.DB.Queue().receive(handling, min(queueBatch, free), air.full())
		switch {
		case err != nil:
			p.Logger.WarnContext(ctx, "queue unreadable", "error", err)
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
			p.awaitMessage(ctx, handling, raised)
		}
	}
}

// awaitMessage waits until something changes or the next message is visible.
func (p *Pump) awaitMessage(ctx, handling context.Context, raised <-chan struct{}) {
	next, waits, err := p.DB.Queue().nextVisible(handling)
	if err != nil || !waits {
		wait(ctx, raised, 0)
		return
	}
	wait(ctx, raised, max(next.Sub(p.DB.Now()), time.Millisecond))
}

func (p *Pump) consume(ctx context.Context, received []webhook.Received) {
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

// everyMinute calls do now and then once a minute until ctx ends.
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

// wait returns when ctx ends, a signal is raised, or a time has passed. A nil
// signal is never raised; a time of 0 never passes.
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

package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// consumer is one call of Queue.
type consumer struct {
	*Engine
	waiting    *slots // bounds the attempts of one webhook within the batch
	reports    *reports
	invocation delivery.Invocation

	mu        sync.Mutex
	unhandled map[webhook.Key]int // attempt messages of the batch that are not handled yet
	// noting holds, by webhook, the timer that writes its health.
	noting map[webhook.Key]*time.Timer
	writes sync.WaitGroup // running timers
}

// statisticsLag is how long the counters of a success wait to be written together
// with others of the same webhook. It is bounded because another attempt may hang.
const statisticsLag = time.Second

func newConsumer(ctx context.Context, e *Engine, received []delivery.Received) *consumer {
	c := &consumer{
		Engine: e, invocation: delivery.Invocation{Began: e.Now()}, waiting: newSlots(nil, maxQueuePerWebhook), reports: newReports(&e.Config, e.healths, e.notices, e.lists.suppressed),
		unhandled: map[webhook.Key]int{}, noting: map[webhook.Key]*time.Timer{},
	}
	c.invocation.Deadline, _ = ctx.Deadline()
	var keys []webhook.Key
	for _, r := range received {
		if r.Message.Kind != delivery.MessageAttempt {
			continue
		}
		key := webhook.Key{Tenant: r.Message.Tenant, ID: r.Message.Webhook}
		if c.unhandled[key] == 0 {
			keys = append(keys, key)
		}
		c.unhandled[key]++
	}
	c.healths.read(ctx, keys) // one read; each message then finds it cached
	return c
}

// handled counts a message as handled. After a webhook's last one it writes the
// webhook's health and statistics, which thus do not wait for other webhooks.
func (c *consumer) handled(ctx context.Context, key webhook.Key) {
	c.mu.Lock()
	c.unhandled[key]--
	last := c.unhandled[key] == 0
	c.mu.Unlock()
	if last {
		c.reports.finish(ctx, key)
	}
}

// noteSoon has the health of a webhook written within statisticsLag.
func (c *consumer) noteSoon(ctx context.Context, key webhook.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noting[key] != nil {
		return
	}
	c.writes.Add(1)
	c.noting[key] = time.AfterFunc(statisticsLag, func() {
		defer c.writes.Done()
		c.mu.Lock()
		delete(c.noting, key)
		c.mu.Unlock()
		c.reports.flushOne(ctx, key)
	})
}

// stopNoting returns when no timer runs any more. What the timers did not write is
// written at the end of the batch.
func (c *consumer) stopNoting() {
	c.mu.Lock()
	for _, timer := range c.noting {
		if timer.Stop() {
			c.writes.Done()
		}
	}
	c.mu.Unlock()
	c.writes.Wait()
}

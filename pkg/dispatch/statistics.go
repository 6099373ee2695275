package dispatch

import (
	"context"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// counts collects what became of one call's attempts, by webhook and hour, so that
// the statistics of a webhook are written once per call, and once more if the call
// spans a full hour. Nothing waits for them, unlike health, which is written at once
// after a failure.
type counts struct {
	config     *Config
	suppressed suppressed

	mu        sync.Mutex
	byWebhook map[webhook.Key][]statistics.Hour
	ordered   []webhook.Key
}

// add counts an attempt. failed says that the delivery has failed with it.
func (c *counts) add(a madeAttempt, failed bool) {
	key := webhook.Key{Tenant: a.event.Tenant, ID: a.webhook.ID}
	hour := statistics.HourOf(a.result, a.event.ID.Time(), a.message.Round, failed, c.config.RowLife)
	c.mu.Lock()
	defer c.mu.Unlock()
	hours, known := c.byWebhook[key]
	if !known {
		c.ordered = append(c.ordered, key)
	}
	for i, have := range hours {
		if have.From.Equal(hour.From) {
			hours[i] = have.Add(hour)
			return
		}
	}
	c.byWebhook[key] = append(hours, hour)
}

// take removes and returns the hours of a webhook.
func (c *counts) take(key webhook.Key) []statistics.Hour {
	c.mu.Lock()
	defer c.mu.Unlock()
	hours := c.byWebhook[key]
	delete(c.byWebhook, key)
	return hours
}

// flush writes the statistics of every webhook.
func (c *counts) flush(ctx context.Context) {
	var wg sync.WaitGroup
	for _, key := range c.ordered {
		wg.Go(func() { c.flushOne(ctx, key) })
	}
	wg.Wait()
}

// flushOne writes the statistics of a webhook. What cannot be written is logged and
// not tried again: it may have been counted.
func (c *counts) flushOne(ctx context.Context, key webhook.Key) {
	hours := c.take(key)
	for i, hour := range hours {
		if i == len(hours)-1 {
			hour.Suppressed = c.suppressed.take(key)
		}
		if err := c.config.Statistics.Count(ctx, key.Tenant, key.ID, hour); err != nil {
			c.config.Logger.WarnContext(ctx, "cannot write statistics", "tenant", string(key.Tenant), "webhook_id", key.ID, "count", hour.Attempts, "error", err)
		}
	}
}

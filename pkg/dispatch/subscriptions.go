package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxCachedWebhooks bounds what a process remembers of lists, in webhooks.
const maxCachedWebhooks = 50_000

// subscriptions remembers, over invocations, which webhooks want an event. A
// list is labelled with the tenant's epoch as it was read before the list was
// loaded, and used only while that epoch stands: a change of any webhook of the
// tenant counts at once, and a batch without changes costs one small read a
// tenant.
type subscriptions struct {
	webhooks Webhooks

	mu    sync.Mutex
	lists map[listKey]list
	size  int
}

type listKey struct {
	tenant webhook.Tenant
	key    string
}

type list struct {
	epoch    int64
	webhooks []webhook.Webhook
}

func newSubscriptions(w Webhooks) *subscriptions {
	return &subscriptions{webhooks: w, lists: map[listKey]list{}}
}

// get returns the webhooks that a subscription key points to, as of an epoch.
// The webhooks are shared and must not be changed.
func (s *subscriptions) get(ctx context.Context, tenant webhook.Tenant, key string, epoch int64) ([]webhook.Webhook, error) {
	at := listKey{tenant, key}
	s.mu.Lock()
	have, ok := s.lists[at]
	s.mu.Unlock()
	if ok && have.epoch == epoch {
		return have.webhooks, nil
	}
	loaded, err := s.webhooks.Subscribed(ctx, tenant, key)
	if err != nil {
		return nil, fmt.Errorf("webhooks for %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size += len(loaded) + 1; s.size > maxCachedWebhooks {
		s.lists, s.size = map[listKey]list{}, len(loaded)+1
	}
	s.lists[at] = list{epoch: epoch, webhooks: loaded}
	return loaded, nil
}

// view is one invocation's idea of the tenants' epochs. It may be used
// concurrently.
type view struct {
	lists *subscriptions
	now   func() time.Time

	mu      sync.Mutex
	tenants map[webhook.Tenant]epochReading
}

type epochReading struct {
	epoch int64
	at    time.Time // just before the epoch was read
}

func newView(s *subscriptions, now func() time.Time) *view {
	return &view{lists: s, now: now, tenants: map[webhook.Tenant]epochReading{}}
}

// epoch gives the tenant's epoch, at most viewLife old.
func (v *view) epoch(ctx context.Context, tenant webhook.Tenant) (epochReading, error) {
	now := v.now()
	v.mu.Lock()
	reading, ok := v.tenants[tenant]
	v.mu.Unlock()
	if ok && elapsed(reading.at, now) < viewLife {
		return reading, nil
	}
	epoch, err := v.lists.webhooks.Epoch(ctx, tenant)
	if err != nil {
		return epochReading{}, fmt.Errorf("epoch of %s: %w", tenant, err)
	}
	reading = epochReading{epoch: epoch, at: now}
	v.mu.Lock()
	v.tenants[tenant] = reading
	v.mu.Unlock()
	return reading, nil
}

// match lists the webhooks that are to get the event, each once, in the order
// of the event's subscription keys and then of ids, and says as of when.
func (v *view) match(ctx context.Context, e webhook.Event, accepted time.Time) ([]webhook.Webhook, time.Time, error) {
	reading, err := v.epoch(ctx, e.Tenant)
	if err != nil {
		return nil, time.Time{}, err
	}
	var matches []webhook.Webhook
	seen := map[int32]bool{}
	for _, key := range webhook.SubscriptionKeys(e.Name) {
		webhooks, err := v.lists.get(ctx, e.Tenant, key, reading.epoch)
		if err != nil {
			return nil, time.Time{}, err
		}
		for _, w := range webhooks {
			if !seen[w.ID] && w.Matches(e.Name, accepted) {
				seen[w.ID] = true
				matches = append(matches, w)
			}
		}
	}
	return matches, reading.at, nil
}

// still gives the webhook as the newest view has it, and as of when, if it is to
// get the event still; for attempts that had to wait.
func (v *view) still(ctx context.Context, e webhook.Event, accepted time.Time, id int32) (webhook.Webhook, time.Time, bool, error) {
	matches, viewed, err := v.match(ctx, e, accepted)
	if err != nil {
		return webhook.Webhook{}, time.Time{}, false, err
	}
	for _, w := range matches {
		if w.ID == id {
			return w, viewed, true, nil
		}
	}
	return webhook.Webhook{}, time.Time{}, false, nil
}

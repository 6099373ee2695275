package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxCachedWebhooks bounds what a process remembers of lists, in webhooks.
const maxCachedWebhooks = 50_000

// subscriptions remembers, over invocations, which webhooks want an event. A
// list is kept only if the tenant's epoch was the same before and after it was
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

// get returns the webhooks that a subscription key points to, if they are known
// as of an epoch. The webhooks are shared and must not be changed.
func (s *subscriptions) get(tenant webhook.Tenant, key string, epoch int64) ([]webhook.Webhook, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.lists[listKey{tenant, key}]
	return have.webhooks, ok && have.epoch == epoch
}

// keep remembers lists that were loaded while the epoch stood.
func (s *subscriptions) keep(tenant webhook.Tenant, epoch int64, loaded map[string][]webhook.Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, webhooks := range loaded {
		if s.size += len(webhooks) + 1; s.size > maxCachedWebhooks {
			s.lists, s.size = map[listKey]list{}, len(webhooks)+1
		}
		s.lists[listKey{tenant, key}] = list{epoch: epoch, webhooks: webhooks}
	}
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
	v.mu.Lock()
	reading, ok := v.tenants[tenant]
	v.mu.Unlock()
	if ok && webhook.Elapsed(reading.at, v.now()) < viewLife {
		return reading, nil
	}
	return v.read(ctx, tenant)
}

// read reads the tenant's epoch.
func (v *view) read(ctx context.Context, tenant webhook.Tenant) (epochReading, error) {
	now := v.now()
	epoch, err := v.lists.webhooks.Epoch(ctx, tenant)
	if err != nil {
		return epochReading{}, fmt.Errorf("epoch of %s: %w", tenant, err)
	}
	reading := epochReading{epoch: epoch, at: now}
	v.mu.Lock()
	v.tenants[tenant] = reading
	v.mu.Unlock()
	return reading, nil
}

// matchTries bounds how often matching starts over when webhooks change while
// their lists are loaded.
const matchTries = 4

// errUnsteady says that a tenant's webhooks changed each time that their lists
// were loaded.
var errUnsteady = errors.New("webhooks change too fast to be listed")

// match lists the webhooks that are to get the event, each once, in the order
// of the event's subscription keys and then of ids, and says as of when.
//
// The lists of an event's keys must be of one epoch: a webhook that moves from
// one key to another while they are loaded one by one would be in none of them.
// So the epoch is read again after lists were loaded.
func (v *view) match(ctx context.Context, e webhook.Event, accepted time.Time) ([]webhook.Webhook, time.Time, error) {
	reading, err := v.epoch(ctx, e.Tenant)
	if err != nil {
		return nil, time.Time{}, err
	}
	for range matchTries {
		lists, loaded, err := v.load(ctx, e, reading.epoch)
		if err != nil {
			return nil, time.Time{}, err
		}
		before := reading
		if len(loaded) > 0 {
			if reading, err = v.read(ctx, e.Tenant); err != nil {
				return nil, time.Time{}, err
			}
		}
		if reading.epoch == before.epoch {
			v.lists.keep(e.Tenant, reading.epoch, loaded)
			return choose(lists, e, accepted), before.at, nil
		}
	}
	return nil, time.Time{}, fmt.Errorf("webhooks of %s: %w", e.Tenant, errUnsteady)
}

// load gives the lists of the event's subscription keys, and by key those of
// them that were not known as of the epoch.
func (v *view) load(ctx context.Context, e webhook.Event, epoch int64) (lists [][]webhook.Webhook, loaded map[string][]webhook.Webhook, err error) {
	for _, key := range webhook.SubscriptionKeys(e.Name) {
		webhooks, known := v.lists.get(e.Tenant, key, epoch)
		if !known {
			if webhooks, err = v.lists.webhooks.Subscribed(ctx, e.Tenant, key); err != nil {
				return nil, nil, fmt.Errorf("webhooks for %s: %w", key, err)
			}
			if loaded == nil {
				loaded = map[string][]webhook.Webhook{}
			}
			loaded[key] = webhooks
		}
		lists = append(lists, webhooks)
	}
	return lists, loaded, nil
}

// choose picks the webhooks that are to get the event, each once.
func choose(lists [][]webhook.Webhook, e webhook.Event, accepted time.Time) []webhook.Webhook {
	var matches []webhook.Webhook
	seen := map[int32]bool{}
	for _, webhooks := range lists {
		for _, w := range webhooks {
			if !seen[w.ID] && w.Matches(e.Name, accepted) {
				seen[w.ID] = true
				matches = append(matches, w)
			}
		}
	}
	return matches
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

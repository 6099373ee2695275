package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxListBytes bounds the memory of a process's lists.
const maxListBytes = 16 << 20

// subscriptions caches across invocations which webhooks match an event. A list is
// cached only if the tenant's epoch was the same before and after it was loaded,
// and used only while the epoch stays the same: a change of any of the tenant's
// webhooks counts at once, and a batch without changes costs one small read per
// tenant. Lists name webhooks; copies holds what is sent for one.
type subscriptions struct {
	webhooks Webhooks
	lists    *bytecache.Cache[string, list] // by tenant and subscription key
	copies   copies
	// suppressed are the webhooks whose options left events out.
	suppressed suppressed
}

type list struct {
	epoch   int64
	members []member
}

// member is a webhook of a list: Active, and with the list's pattern.
type member struct {
	id                   int32
	revision, activation int64
	activatedAt          time.Time
	app                  string
	selection            *webhook.Selection
}

// bytes estimates the memory that a member holds beyond memberBytes.
func (m member) bytes() int { return len(m.app) + m.selection.Bytes() }

// webhook returns the member as a webhook, which copies.complete completes.
func (m member) webhook(tenant webhook.Tenant) webhook.Webhook {
	return webhook.Webhook{
		Tenant: tenant, ID: m.id, App: m.app, State: webhook.StateActive, Revision: m.revision, Activation: m.activation, ActivatedAt: m.activatedAt,
	}
}

const memberBytes = 72

func newSubscriptions(w Webhooks) *subscriptions {
	return &subscriptions{webhooks: w, lists: bytecache.New[string, list](maxListBytes), copies: newCopies(w), suppressed: newSuppressed()}
}

// get returns the members of a subscription key's list, if they are cached as of
// the epoch. They are shared and must not be changed.
func (s *subscriptions) get(tenant webhook.Tenant, key string, epoch int64) ([]member, bool) {
	have, ok := s.lists.Get(string(tenant), key)
	return have.members, ok && have.epoch == epoch
}

// keep caches lists that were loaded while the epoch did not change.
func (s *subscriptions) keep(tenant webhook.Tenant, epoch int64, loaded map[string][]member) {
	for key, members := range loaded {
		size := len(key) + memberBytes*cap(members)
		for _, m := range members {
			size += m.bytes()
		}
		s.lists.Put(string(tenant), key, list{epoch: epoch, members: members}, size)
	}
}

// read reads a list from the store, and caches its webhooks.
func (s *subscriptions) read(ctx context.Context, tenant webhook.Tenant, key string) (members []member, err error) {
	err = s.webhooks.Subscribed(ctx, tenant, key, func(w webhook.Webhook) {
		if w.State != webhook.StateActive || !w.SubscribesTo(key) {
			return
		}
		members = append(members, member{w.ID, w.Revision, w.Activation, w.ActivatedAt, w.App, w.Selection()})
		s.copies.keep(w)
	})
	return members, err
}

// view holds the epochs that one invocation has read, by tenant. It may be used
// concurrently.
type view struct {
	lists  *subscriptions
	now    func() time.Time
	random io.Reader

	mu      sync.Mutex
	tenants map[webhook.Tenant]epochReading
}

type epochReading struct {
	epoch int64
	at    time.Time // just before the epoch was read
}

func newView(s *subscriptions, now func() time.Time, random io.Reader) *view {
	return &view{lists: s, now: now, random: random, tenants: map[webhook.Tenant]epochReading{}}
}

// epoch returns the tenant's epoch, read recently enough for an attempt to start.
func (v *view) epoch(ctx context.Context, tenant webhook.Tenant) (epochReading, error) {
	v.mu.Lock()
	reading, ok := v.tenants[tenant]
	v.mu.Unlock()
	if ok && delivery.ViewFresh(reading.at, v.now()) {
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

// errUnsteady means that a tenant's webhooks changed each time their lists were
// loaded.
var errUnsteady = errors.New("webhooks change too fast to be listed")

// match returns the webhooks that are to get the event, each once, in the order of
// the event's subscription keys and then of ids, and the time as of which they
// are. Each holds what its list has of it; copies.complete adds the rest.
//
// The lists of an event's keys must be of one epoch: a webhook that moves from one
// key to another while they are loaded one by one would be missing from all of
// them. So the epoch is read again after lists were loaded.
func (v *view) match(ctx context.Context, e webhook.Event, accepted time.Time) (matches []webhook.Webhook, viewed time.Time, err error) {
	return v.choose(ctx, e, accepted, func(int32) {})
}

// matchFirst is match for an event that the stream brings: the webhooks whose options
// leave it out are counted.
func (v *view) matchFirst(ctx context.Context, e webhook.Event, accepted time.Time) (matches []webhook.Webhook, viewed time.Time, err error) {
	return v.choose(ctx, e, accepted, func(id int32) { v.lists.suppressed.add(webhook.Key{Tenant: e.Tenant, ID: id}) })
}

func (v *view) choose(ctx context.Context, e webhook.Event, accepted time.Time, refused func(id int32)) (matches []webhook.Webhook, viewed time.Time, err error) {
	reading, err := v.epoch(ctx, e.Tenant)
	if err != nil {
		return nil, time.Time{}, err
	}
	unsteady := func(err error) bool { return errors.Is(err, errUnsteady) }
	err = matching.Retry(ctx, v.random, unsteady, func() error {
		lists, loaded, err := v.load(ctx, e, reading.epoch)
		if err != nil {
			return err
		}
		before := reading
		if len(loaded) > 0 {
			if reading, err = v.read(ctx, e.Tenant); err != nil {
				return err
			}
		}
		if reading.epoch == before.epoch {
			v.lists.keep(e.Tenant, reading.epoch, loaded)
			matches, viewed = webhook.Chosen(e, listed(lists, e.Tenant), accepted, refused), before.at
			return nil
		}
		return fmt.Errorf("webhooks of %s: %w", e.Tenant, errUnsteady)
	})
	return matches, viewed, err
}

// load returns the lists of the event's subscription keys. loaded holds, by key,
// those that were not cached as of the epoch.
func (v *view) load(ctx context.Context, e webhook.Event, epoch int64) (lists [][]member, loaded map[string][]member, err error) {
	for _, key := range webhook.SubscriptionKeys(e.Name) {
		members, known := v.lists.get(e.Tenant, key, epoch)
		if !known {
			if members, err = v.lists.read(ctx, e.Tenant, key); err != nil {
				return nil, nil, fmt.Errorf("webhooks for %s: %w", key, err)
			}
			if loaded == nil {
				loaded = map[string][]member{}
			}
			loaded[key] = members
		}
		lists = append(lists, members)
	}
	return lists, loaded, nil
}

// listed yields the members of lists as webhooks of the tenant.
func listed(lists [][]member, tenant webhook.Tenant) iter.Seq2[webhook.Webhook, *webhook.Selection] {
	return func(yield func(webhook.Webhook, *webhook.Selection) bool) {
		for _, members := range lists {
			for _, m := range members {
				if !yield(m.webhook(tenant), m.selection) {
					return
				}
			}
		}
	}
}

// rematch matches the event again, for an attempt that had to wait. It returns the
// webhook and the time as of which it was read, and reports whether the webhook
// still is to get the event.
func (v *view) rematch(ctx context.Context, e webhook.Event, accepted time.Time, id int32) (webhook.Webhook, time.Time, bool, error) {
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

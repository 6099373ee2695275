package statistics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stats is what a webhook's owner sees of its attempts.
type Stats struct {
	ID        int32
	Name      string
	Condition Condition
	Waiting   Waiting
	// Hours are the last StatsHours, oldest first. The last one has not ended. Of an
	// hour without attempts only From is set.
	Hours []Hour
}

const (
	// StatsHours is how many hours Stats has.
	StatsHours = 24
	// MaxStats is the largest number of webhooks whose Stats one call returns.
	MaxStats = 50
	// statsExamined is how many webhooks a call examines to find those that fail.
	statsExamined = 100
	// statsAtOnce is how many webhooks are read at a time.
	statsAtOnce = 10
)

// Reader reads statistics for those who may see them. Its fields must be set before use.
type Reader struct {
	Registry   *webhook.Registry
	Statistics Store
	Backlog    delivery.Backlog
}

// One returns the statistics of a webhook. ErrNotFound unless the principal sees
// it.
func (r *Reader) One(ctx context.Context, who webhook.Principal, id int32) (Stats, error) {
	w, err := r.Registry.Get(ctx, who, id)
	if err != nil {
		return Stats{}, err
	}
	all, err := r.stats(ctx, who.Tenant, []webhook.Webhook{w}, Condition.any)
	if err != nil {
		return Stats{}, err
	}
	return all[0], nil
}

// Of returns the statistics of up to MaxStats webhooks in the order of their
// ids, which must be distinct, without those that the principal does not see.
func (r *Reader) Of(ctx context.Context, who webhook.Principal, ids []int32) ([]Stats, error) {
	found := make([]webhook.Webhook, len(ids))
	err := eachAtOnce(len(ids), func(i int) (err error) {
		if found[i], err = r.Registry.Get(ctx, who, ids[i]); errors.Is(err, webhook.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var seen []webhook.Webhook
	for _, w := range found {
		if w.ID != 0 {
			seen = append(seen, w)
		}
	}
	return r.stats(ctx, who.Tenant, seen, Condition.any)
}

// Failing returns the statistics of webhooks that the principal sees and that
// fail now, in order of id, starting after an id. It examines up to a hundred
// webhooks, of which the tenant's other apps may have some, so a page may be short or
// empty. next is the id to continue after, 0 at the end.
func (r *Reader) Failing(ctx context.Context, who webhook.Principal, after int32) (failing []Stats, examined int, next int32, err error) {
	page, more, err := r.Registry.Webhooks.List(ctx, who.Tenant, after, statsExamined)
	if _, err = webhook.Readable(err); err != nil {
		return nil, 0, 0, fmt.Errorf("list webhooks: %w", err)
	}
	var seen []webhook.Webhook
	for _, w := range page {
		if next = w.ID; who.Sees(w) {
			seen = append(seen, w)
		}
	}
	if !more {
		next = 0
	}
	failing, err = r.stats(ctx, who.Tenant, seen, Condition.Fails)
	if err != nil {
		return nil, 0, 0, err
	}
	if len(failing) == MaxStats {
		last := failing[MaxStats-1].ID
		if i := slices.IndexFunc(seen, func(w webhook.Webhook) bool { return w.ID == last }); i < len(seen)-1 {
			seen, next = seen[:i+1], last
		}
	}
	return failing, len(seen), next, nil
}

// any is true for every condition.
func (c Condition) any() bool { return true }

// stats returns the statistics of the first MaxStats webhooks whose condition is
// wanted. It reads the health of all, and the hours of those.
func (r *Reader) stats(ctx context.Context, tenant webhook.Tenant, webhooks []webhook.Webhook, wanted func(Condition) bool) ([]Stats, error) {
	ids := make([]int32, len(webhooks))
	for i, w := range webhooks {
		ids[i] = w.ID
	}
	healths, err := r.Registry.Webhooks.Health(ctx, tenant, ids)
	if _, err = webhook.Readable(err); err != nil {
		return nil, fmt.Errorf("health of webhooks: %w", err)
	}
	var all []Stats
	for _, w := range webhooks {
		if c := ConditionOf(w, healths[w.ID]); wanted(c) && len(all) < MaxStats {
			all = append(all, Stats{ID: w.ID, Name: w.Name, Condition: c})
		}
	}
	from := r.Registry.Now().UTC().Truncate(time.Hour).Add(-(StatsHours - 1) * time.Hour)
	return all, eachAtOnce(len(all), func(i int) error {
		stored, err := r.Statistics.Hours(ctx, tenant, all[i].ID, from, StatsHours)
		if _, err = webhook.Readable(err); err != nil {
			return fmt.Errorf("statistics of webhook %d: %w", all[i].ID, err)
		}
		all[i].Hours = everyHour(from, stored)
		if all[i].Waiting, err = r.waiting(ctx, webhook.Key{Tenant: tenant, ID: all[i].ID}); err != nil {
			return fmt.Errorf("deliveries of webhook %d that wait: %w", all[i].ID, err)
		}
		return nil
	})
}

// everyHour returns StatsHours hours, those that are stored and others without
// attempts.
func everyHour(from time.Time, stored []Hour) []Hour {
	hours := make([]Hour, StatsHours)
	for i := range hours {
		hours[i].From = from.Add(time.Duration(i) * time.Hour)
	}
	for _, h := range stored {
		if i := int(h.From.Sub(from) / time.Hour); i >= 0 && i < StatsHours {
			hours[i] = h
		}
	}
	return hours
}

// eachAtOnce calls do with 0 to n-1, statsAtOnce at a time, and joins the errors.
func eachAtOnce(n int, do func(i int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, statsAtOnce)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

package dispatch_test

import (
	"context"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

type poolStatistics struct{ r *reservoir }

func (p poolStatistics) Count(context.Context, webhook.Tenant, int32, statistics.Hour) error {
	return p.r.call("Count")
}

type poolEvents struct{ r *reservoir }

func (p poolEvents) Get(_ context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error) {
	if err := p.r.call("Events.Get"); err != nil {
		return webhook.Event{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.gone[id] {
		return webhook.Event{}, webhook.ErrNotFound
	}
	return webhook.Event{Tenant: tenant, ID: id, Name: "contact.changed"}, nil
}

type poolWebhooks struct{ r *reservoir }

func (p poolWebhooks) Get(context.Context, webhook.Tenant, int32) (webhook.Webhook, error) {
	if err := p.r.call("Webhooks.Get"); err != nil {
		return webhook.Webhook{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.hook.Revision == 0 {
		return webhook.Webhook{}, webhook.ErrNotFound
	}
	return p.r.hook, nil
}

func (p poolWebhooks) Update(_ context.Context, w webhook.Webhook, _ webhook.Change, _ ...webhook.Event) error {
	if err := p.r.call("Webhooks.Update"); err != nil {
		return err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.hook.Revision != w.Revision-1 {
		return webhook.ErrConflict
	}
	p.r.hook = w
	return nil
}

func (p poolWebhooks) Epoch(context.Context, webhook.Tenant) (int64, error) { return 1, nil }

func (p poolWebhooks) Subscribed(context.Context, webhook.Tenant, string, func(webhook.Webhook)) error {
	return nil
}

func (p poolWebhooks) Health(_ context.Context, _ webhook.Tenant, ids []int32) (map[int32]webhook.Health, error) {
	if err := p.r.call("Health"); err != nil {
		return nil, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	return map[int32]webhook.Health{ids[0]: p.r.health}, nil
}

func (p poolWebhooks) CurrentHealth(context.Context, webhook.Key) (webhook.Health, error) {
	if err := p.r.call("CurrentHealth"); err != nil {
		return webhook.Health{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	return p.r.health, nil
}

func (p poolWebhooks) UpdateHealth(_ context.Context, _ webhook.Tenant, _ int32, change func(webhook.Health) webhook.Health) (webhook.Health, error) {
	if err := p.r.call("UpdateHealth"); err != nil {
		return webhook.Health{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	version := p.r.health.Version
	p.r.health = change(p.r.health)
	p.r.health.Version = version + 1
	return p.r.health, nil
}

type poolRows struct{ r *reservoir }

func (p poolRows) Lease(ctx context.Context, l delivery.Lease) (delivery.Row, error) {
	return p.r.transition(ctx, "Lease", l.Key, l.Apply)
}

func (p poolRows) Finish(ctx context.Context, f delivery.Finish) (delivery.Row, error) {
	return p.r.transition(ctx, "Finish", f.Key, f.Apply)
}

func (p poolRows) RecordFirst(ctx context.Context, f delivery.RecordFirst) (delivery.Row, error) {
	return p.r.transition(ctx, "RecordFirst", f.Key, f.Apply)
}

func (p poolRows) MarkDelivered(ctx context.Context, m delivery.MarkDelivered) (delivery.Row, error) {
	return p.r.transition(ctx, "MarkDelivered", m.Key, m.Apply)
}

func (p poolRows) End(ctx context.Context, e delivery.End) (delivery.Row, error) {
	return p.r.transition(ctx, "End", e.Key, e.Apply)
}

func (p poolRows) MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error) {
	return p.r.transition(ctx, "MakeDue", m.Key, m.Apply)
}

func (p poolRows) Park(ctx context.Context, k delivery.Park) (delivery.Row, error) {
	return p.r.transition(ctx, "Park", k.Key, k.Apply)
}

func (p poolRows) Get(_ context.Context, key delivery.Key) (delivery.Row, error) {
	row := p.r.status(key.Event)
	if !row.Exists() {
		return row, webhook.ErrNotFound
	}
	return row, p.r.call("Deliveries.Get")
}

func (p poolRows) PutResponse(context.Context, delivery.FailureResponse) error {
	return p.r.call("PutResponse")
}

func (p poolRows) Parked(ctx context.Context, _ webhook.Key, at int, after webhook.EventID, limit int) (found []delivery.ParkedRow, err error) {
	if err := p.r.call("Parked"); err != nil || ctx.Err() != nil {
		return nil, webhook.ErrUnavailable
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	part := &p.r.parked[at]
	for part.low < len(part.ids) && !p.r.row(part.ids[part.low]).Parked {
		part.low++
	}
	from, exact := slices.BinarySearch(part.ids, after)
	if exact {
		from++
	}
	for _, id := range part.ids[max(from, part.low):] {
		row := p.r.row(id)
		if !row.Parked {
			continue
		}
		if found = append(found, delivery.ParkedRow{Key: row.Key, Round: row.Round, Attempt: row.Attempt, AttemptCount: row.AttemptCount, Replay: row.Replay}); len(found) == limit {
			break
		}
	}
	return found, nil
}

func (p poolRows) Timer(context.Context, webhook.Key) (delivery.Timer, error) {
	if err := p.r.call("Timer"); err != nil {
		return delivery.Timer{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.timer.Version == 0 {
		return delivery.Timer{}, webhook.ErrNotFound
	}
	return p.r.timer, nil
}

func (p poolRows) SetTimer(_ context.Context, t delivery.Timer) (delivery.Timer, error) {
	if err := p.r.call("SetTimer"); err != nil {
		return delivery.Timer{}, err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.timer.Version != t.Version {
		return p.r.timer, delivery.ErrRefused
	}
	t.Version++
	p.r.timer = t
	return t, nil
}

func (p poolRows) PullTimer(_ context.Context, _ webhook.Key, now time.Time) error {
	if err := p.r.call("PullTimer"); err != nil {
		return err
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.timer.Version > 0 && p.r.timer.DueAt.After(now) {
		p.r.timer.DueAt = now
		p.r.timer.Version++
	}
	return nil
}

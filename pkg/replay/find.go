package replay

import (
	"context"
	"errors"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// overEvents reports whether the replay walks the tenant's events, oldest first: only
// they show what is missing. Otherwise it walks the webhook's deliveries, newest first.
func (p Plan) overEvents() bool { return p.wants(Missing) }

// find returns the next deliveries that the plan selects, at most s.most, and moves the
// cursor behind them.
func (s *slice) find(ctx context.Context) ([]begun, error) {
	if s.plan.overEvents() {
		return s.findEvents(ctx)
	}
	page, err := s.Deliveries.Log(ctx, delivery.LogQuery{
		Tenant: s.job.Tenant, Webhook: s.job.Webhook, First: webhook.FirstEventID(s.job.From), Before: s.before(),
		Filter: s.plan.filter(), Limit: s.most, Examine: 2 * rowsAtOnce,
	})
	if err := s.job.PassOver(err); err != nil {
		return nil, err
	}
	var found []begun
	for _, row := range page.Deliveries {
		e := webhook.Event{Tenant: row.Tenant, ID: row.Event, Name: row.EventName, PrimaryKey: row.PrimaryKey}
		if b, ok := s.selected(row, e); ok && s.plan.takesName(row.EventName) && s.webhook.SubscribesTo(webhook.SubscriptionKeys(row.EventName)...) {
			found = append(found, b)
		}
	}
	s.job.Examined += page.Examined
	if s.job.Cursor = string(page.Next); page.Next == "" {
		s.job.Status = job.Done
	}
	return found, nil
}

// before returns the id before which the walk over the deliveries goes on.
func (s *slice) before() webhook.EventID {
	if s.job.Cursor != "" {
		return webhook.EventID(s.job.Cursor)
	}
	return webhook.FirstEventID(s.job.To)
}

func (s *slice) findEvents(ctx context.Context) ([]begun, error) {
	first, end := webhook.FirstEventID(s.job.From), webhook.FirstEventID(s.job.To)
	if s.job.Cursor != "" {
		first = webhook.EventID(s.job.Cursor)
	}
	page, err := s.Events.List(ctx, s.job.Tenant, first, end, rowsAtOnce)
	if err := s.job.PassOver(err); err != nil {
		return nil, err
	}
	full := len(page) == rowsAtOnce
	rows, errs := make([]delivery.Row, len(page)), make([]error, len(page))
	each(len(page), func(i int) {
		if e := page[i]; s.plan.takesEvent(s.webhook, e) {
			key := delivery.Key{Tenant: s.job.Tenant, Webhook: s.job.Webhook, Event: e.ID}
			if rows[i], errs[i] = s.Deliveries.Get(ctx, key); errors.Is(errs[i], webhook.ErrNotFound) {
				rows[i], errs[i] = delivery.Row{Key: key}, nil
			}
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var found []begun
	for i, e := range page {
		if string(e.ID) == s.job.Cursor || e.ID >= end {
			continue // examined by the slice before, or after the period
		}
		if len(found) == s.most {
			full = true
			break
		}
		s.job.Cursor = string(e.ID)
		s.job.Examined++
		if rows[i].Event == "" {
			continue // not selected
		}
		if b, ok := s.selected(rows[i], e); ok {
			found = append(found, b)
		}
	}
	if !full {
		s.job.Status = job.Done
	}
	return found, nil
}

// selected returns a delivery if the plan selects it, or if an earlier run of this slice
// has begun its round.
func (s *slice) selected(row delivery.Row, e webhook.Event) (begun, bool) {
	b := begun{row: row, event: e}
	if row.Exists() && row.Replay == s.job.ID {
		b.again, b.reason = true, s.plan.Only[0]
		if row.Round == 1 {
			b.reason = Missing
		}
		return b, true
	}
	ok := false
	b.reason, ok = s.plan.reasonFor(row)
	return b, ok
}

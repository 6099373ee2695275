package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Bounds of one call.
const (
	maxWebhooks  = 1000 // examined by All
	webhooksRead = 500  // read at a time
	maxPages     = 8    // of at most 1 MiB
	maxHistories = 100  // read by All
	maxNamed     = 20   // webhooks that a sentence names
	reading      = 16   // concurrent reads
)

// Explainer reads what explanations depend on. Its fields must be set before use and
// must not change afterwards. The methods may be called concurrently.
type Explainer struct {
	// Webhooks reads those that a principal sees; *webhook.Registry implements it.
	Webhooks interface {
		Get(ctx context.Context, who webhook.Principal, id int32) (webhook.Webhook, error)
		List(ctx context.Context, who webhook.Principal, after int32, limit int) (seen []webhook.Webhook, next int32, err error)
		History(ctx context.Context, who webhook.Principal, id int32, before int64, limit int) ([]webhook.Replaced, error)
	}
	Deliveries interface {
		Get(ctx context.Context, key delivery.Key) (delivery.Row, error)
	}
	// Health is that of webhook.Webhooks.
	Health func(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
	Now    func() time.Time
}

// One explains a stored event for a webhook. webhook.ErrNotFound unless the principal
// sees the webhook, or saw it when it was deleted. The caller checks that the
// principal sees the event.
func (x *Explainer) One(ctx context.Context, who webhook.Principal, e webhook.Event, id int32) (Explanation, error) {
	w, err := x.Webhooks.Get(ctx, who, id) // zero if it is not found
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return Explanation{}, err
	}
	f := x.facts(e)
	if err := x.revisions(ctx, who, id, w, &f); err != nil {
		return Explanation{}, err
	}
	if err := x.row(ctx, who.Tenant, id, &f); err != nil {
		return Explanation{}, err
	}
	known, err := x.health(ctx, who.Tenant, id)
	if err != nil {
		return Explanation{}, err
	}
	f.Health, f.Known = known[id]
	return Explain(f), nil
}

// Try explains a hypothetical event, or a stored event for a hypothetical webhook: as
// if the webhook had been so, and active since before, when the event was accepted. A
// webhook that is stored has its health.
func (x *Explainer) Try(ctx context.Context, e webhook.Event, w webhook.Webhook, changed bool) (Explanation, error) {
	f := x.facts(e)
	f.Hypothetical = true
	if changed {
		w.Registered, w.ActivatedAt = f.Accepted, f.Accepted
	}
	f.Revisions = []webhook.Webhook{w}
	if w.ID != 0 {
		known, err := x.health(ctx, e.Tenant, w.ID)
		if err != nil {
			return Explanation{}, err
		}
		f.Health, f.Known = known[w.ID]
	}
	return Explain(f), nil
}

// Outcome is an explanation of a webhook, and what the row has.
type Outcome struct {
	Explanation
	Name    string
	Updated time.Time // of the row
}

// Outcomes explains an event for up to limit webhooks of the principal with ids
// greater than after. It returns those that match or have a row, how many it examined,
// and the id to continue after, 0 at the end.
func (x *Explainer) Outcomes(ctx context.Context, who webhook.Principal, e webhook.Event, after int32, limit int) (list []Outcome, examined int, next int32, err error) {
	page, next, err := x.Webhooks.List(ctx, who, after, limit)
	if _, err = webhook.Readable(err); err != nil {
		return nil, 0, 0, err
	}
	known, err := x.health(ctx, who.Tenant, idsOf(page)...)
	if err != nil {
		return nil, 0, 0, err
	}
	found, errs := make([]*Outcome, len(page)), make([]error, len(page))
	var all sync.WaitGroup
	slots := make(chan struct{}, reading)
	for i, w := range page {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f := x.facts(e)
			f.Health, f.Known = known[w.ID]
			if errs[i] = x.row(ctx, who.Tenant, w.ID, &f); errs[i] == nil {
				errs[i] = x.revisions(ctx, who, w.ID, w, &f)
			}
			if errs[i] != nil {
				return
			}
			if explained := Explain(f); explained.Matches || f.Row.Exists() || has(explained, ChangedMeantime) {
				found[i] = &Outcome{explained, w.Name, f.Row.Updated}
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, 0, 0, err
	}
	for _, each := range found {
		if each != nil {
			list = append(list, *each)
		}
	}
	return list, len(page), next, nil
}

func has(x Explanation, code Code) bool {
	return slices.ContainsFunc(x.Reasons, func(r Reason) bool { return r.Code == code })
}

// All explains an event for all webhooks of the principal, at most 1,000: which match,
// and if none does, the nearest ones. hypothetical says that the event is not stored.
func (x *Explainer) All(ctx context.Context, who webhook.Principal, e webhook.Event, hypothetical bool) (Explanation, error) {
	var explained Explanation
	var near nearest
	var matching []string
	examined, histories, after := 0, 0, int32(0)
	for range maxPages {
		page, next, err := x.Webhooks.List(ctx, who, after, min(webhooksRead, maxWebhooks-examined))
		if _, err = webhook.Readable(err); err != nil {
			return Explanation{}, err
		}
		for _, w := range page {
			f := x.facts(e)
			f.Hypothetical, f.Revisions = hypothetical, []webhook.Webhook{w}
			if !hypothetical && w.Updated.After(f.Accepted) && histories < maxHistories {
				histories++
				if err := x.revisions(ctx, who, w.ID, w, &f); err != nil {
					return Explanation{}, err
				}
			}
			then := f.Revisions[inForce(f.Revisions, f.Accepted)]
			if v := judge(e, then, f.Accepted); v.matches {
				matching = append(matching, fmt.Sprint(w.ID))
			} else {
				near.add(e, then, v.lacks)
			}
		}
		examined += len(page)
		if after = next; after == 0 || examined >= maxWebhooks {
			break
		}
	}
	explained.Matches = len(matching) > 0
	switch named := matching[:min(len(matching), maxNamed)]; {
	case examined == 0:
		explained.add(NoWebhooks)
	case explained.Matches:
		webhooks := strings.Join(named, ", ")
		if len(matching) > maxNamed {
			webhooks += ", …"
		}
		explained.add(SomeMatched, "count", fmt.Sprint(len(matching)), "webhooks", webhooks)
	default:
		explained.add(NoneMatched, "count", fmt.Sprint(examined))
		explained.Nearest = near.list()
	}
	if after != 0 {
		explained.add(NotAll, "count", fmt.Sprint(examined))
	}
	return explained, nil
}

func (x *Explainer) facts(e webhook.Event) Facts {
	return Facts{Event: e, Accepted: e.ID.Time(), Now: x.Now()}
}

func (x *Explainer) row(ctx context.Context, tenant webhook.Tenant, id int32, f *Facts) (err error) {
	f.Row, err = x.Deliveries.Get(ctx, delivery.Key{Tenant: tenant, Webhook: id, Event: f.Event.ID})
	if errors.Is(err, webhook.ErrNotFound) {
		f.Row, err = delivery.Row{}, nil
	}
	return err
}

// health reads the health of webhooks. Those whose health is unreadable have none.
func (x *Explainer) health(ctx context.Context, tenant webhook.Tenant, ids ...int32) (map[int32]webhook.Health, error) {
	known, err := x.Health(ctx, tenant, ids)
	if _, err = webhook.Readable(err); err != nil {
		return nil, fmt.Errorf("health of webhooks: %w", err)
	}
	return known, nil
}

func idsOf(webhooks []webhook.Webhook) []int32 {
	ids := make([]int32, len(webhooks))
	for i, w := range webhooks {
		ids[i] = w.ID
	}
	return ids
}

// revisions adds the revisions of a webhook since shortly before the event was accepted.
// The history is read only if the webhook was changed since, or is deleted: w is then
// zero.
func (x *Explainer) revisions(ctx context.Context, who webhook.Principal, id int32, w webhook.Webhook, f *Facts) error {
	since := f.Accepted.Add(-Committing)
	if w.ID != 0 {
		f.Revisions = []webhook.Webhook{w}
		if !w.Updated.After(since) {
			return nil
		}
	}
	page, err := x.Webhooks.History(ctx, who, id, 0, webhook.HistoryLength)
	if _, err = webhook.Readable(err); err != nil {
		return err
	}
	for _, r := range page {
		if r.Partial && r.Webhook.Revision != w.Revision-1 {
			break // what it was is not known
		}
		if r.Action == webhook.ActionDeleted {
			f.Deleted = r.At
		}
		w = r.Whole(w)
		if f.Revisions = append(f.Revisions, w); !w.Updated.After(since) {
			break
		}
	}
	if len(f.Revisions) == 0 {
		return fmt.Errorf("webhook %d: %w", id, webhook.ErrNotFound)
	}
	slices.Reverse(f.Revisions)
	return nil
}

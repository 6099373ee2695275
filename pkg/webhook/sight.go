package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// sightPage is how many webhooks of an app are read at a time.
const sightPage = 500

// Sight is what a principal sees of a tenant's events. A principal without an app sees
// all events, with all values. An app sees the events that match a pattern of one of
// its webhooks, in whatever state that is: a stopped webhook is where its owner looks
// for what it missed. It sees the values that its deliveries of the event carry.
//
// A Sight must not be used concurrently.
type Sight struct {
	all       bool
	namesOnly bool
	webhooks  []Webhook
	known     map[string][]Webhook // by folded name: the webhooks with a pattern that matches
}

// Sight returns what the principal sees now. For an app it reads the tenant's
// webhooks, as a list does. namesOnly is the setting EVENT_DATA=names.
func (r *Registry) Sight(ctx context.Context, who Principal, namesOnly bool) (*Sight, error) {
	s := &Sight{all: who.App == "", namesOnly: namesOnly, known: map[string][]Webhook{}}
	if s.all {
		return s, nil
	}
	for after, more := int32(0), true; more; more = after != 0 {
		page, next, err := r.List(ctx, who, after, sightPage)
		if _, err = Readable(err); err != nil {
			return nil, err
		}
		after = next
		for _, w := range page {
			s.webhooks = append(s.webhooks, Webhook{ID: w.ID, App: w.App, Events: w.Events, Options: w.Options})
		}
	}
	return s, nil
}

// Sees returns the check of an EventQuery: nil if the principal sees all events.
func (s *Sight) Sees() func(Event) bool {
	if s.all {
		return nil
	}
	return func(e Event) bool { return len(s.of(e)) > 0 }
}

// Shows returns the names and values that the principal sees of an event, and whether
// it sees the event.
func (s *Sight) Shows(e Event) (Carried, bool) {
	if s.all {
		return e.Carried(s.namesOnly), true
	}
	var shown Carried
	webhooks := s.of(e)
	for _, w := range webhooks {
		shown = shown.Join(w.Carries(e, s.namesOnly))
	}
	return shown, len(webhooks) > 0
}

// FindEvent reads an event of a tenant by its id, or a relayed one by the id that its
// sender gave it, if that is a GUID. ErrNotFound if it is unknown, or no longer kept.
// The caller checks that the principal sees it.
func (r *Registry) FindEvent(ctx context.Context, tenant Tenant, id string) (Event, error) {
	own := EventID(strings.ToLower(id))
	if !own.Valid() {
		return Event{}, fmt.Errorf("event %.36q: %w", id, ErrNotFound)
	}
	e, err := r.Events.Get(ctx, tenant, own)
	if !errors.Is(err, ErrNotFound) {
		return e, err
	}
	claim, err := r.Events.Recall(ctx, tenant, OnceKey("", id), r.Now())
	if err != nil {
		return Event{}, err
	}
	return r.Events.Get(ctx, tenant, claim.Event)
}

// of returns the app's webhooks that match the event.
func (s *Sight) of(e Event) []Webhook {
	name := strings.ToLower(e.Name)
	matching, known := s.known[name]
	if !known {
		keys := SubscriptionKeys(name)
		for _, w := range s.webhooks {
			if w.SubscribesTo(keys...) {
				matching = append(matching, w)
			}
		}
		s.known[name] = matching
	}
	if _, state := IsStateEvent(e.Name); !state {
		return matching
	}
	var seen []Webhook
	for _, w := range matching {
		if w.maySee(e) {
			seen = append(seen, w)
		}
	}
	return seen
}

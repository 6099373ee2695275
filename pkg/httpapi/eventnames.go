package httpapi

import (
	"maps"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/sample"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// eventNames are names to choose from when a webhook is made.
type eventNames struct {
	Seen  []string // of the newest events that the caller sees
	Known []string // of SuperOffice's events
}

func (eventNames) xmlName() string { return "EventNames" }

// listEventNames returns the names of the newest events, and those of SuperOffice's.
func (a *api) listEventNames(c *call) (reply, error) {
	sight, err := a.Registry.Sight(c.Context(), c.who, a.OmitFieldValues)
	if err != nil {
		return reply{}, err
	}
	found, err := a.Registry.Events.Search(c.Context(), webhook.EventQuery{Tenant: c.who.Tenant, Limit: eventsMost, Sees: sight.Sees()})
	if _, err = webhook.Readable(err); err != nil {
		return reply{}, err
	}
	seen := map[string]bool{}
	for _, e := range found.Events {
		seen[e.Name] = true
	}
	return ok(eventNames{Seen: append([]string{}, slices.Sorted(maps.Keys(seen))...), Known: sample.Names()}), nil
}

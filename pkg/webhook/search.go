package webhook

import "strings"

// EventQuery selects events of a tenant.
type EventQuery struct {
	Tenant Tenant
	// First and Before bound the ids: First is included, Before is not. Empty: no
	// bound.
	First, Before EventID
	Filter        EventFilter
	// Sees reports whether an event may be shown. It is called with events that may
	// lack Data and Content. nil: all may be shown.
	Sees func(Event) bool
	// Limit is the largest number of events in the page, at least 1.
	Limit int
}

// All reports whether the query selects every event between its bounds.
func (q EventQuery) All() bool { return q.Filter == (EventFilter{}) && q.Sees == nil }

// Head reports whether the query may select an event of which Data and Content are
// not decoded yet.
func (q EventQuery) Head(e Event) bool { return q.Filter.head(e) && (q.Sees == nil || q.Sees(e)) }

// EventPage is a page of a tenant's events.
type EventPage struct {
	Events []Event
	// Examined is the number of events between Before and Next: the page has all of
	// them that the query selects.
	Examined int
	// Next is the Before of the next page. Empty: there are no more events.
	Next EventID
}

// EventFilter selects events. Its zero members select all; the zero EventFilter
// selects every event.
type EventFilter struct {
	// Name is a name, or a pattern as in a webhook's Events.
	Name string
	// Entity is compared case-insensitively, Key and Source exactly.
	Entity, Key, Source string
	PrimaryKey          *int32
}

// Matches reports whether the filter selects the event.
func (f EventFilter) Matches(e Event) bool {
	if !f.head(e) || f.Entity != "" && !strings.EqualFold(f.Entity, e.Entity()) {
		return false
	}
	return f.Source == "" || e.Content != nil && e.Content.Source == f.Source
}

// head compares the members that need neither Data nor Content.
func (f EventFilter) head(e Event) bool {
	return (f.PrimaryKey == nil || *f.PrimaryKey == e.PrimaryKey) && (f.Key == "" || f.Key == e.Key) && (f.Name == "" || nameFits(f.Name, e.Name))
}

// nameFits reports whether a name is the pattern, or begins as it says.
func nameFits(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
	}
	return strings.EqualFold(pattern, name)
}

package httpapi

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	explaining "github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	eventsPage = 25
	eventsMost = 100
	// eventsBytes ends a page of events: their values, as they are sent. One more event
	// may follow.
	eventsBytes = 1 << 20
)

// The kinds of cursors.
const (
	cursorEvents   = "events"
	cursorOutcomes = "outcomes"
)

// shownEvent is an event as the log shows it.
type shownEvent struct {
	EventID    webhook.EventID `json:"EventId"`
	Event      string
	Entity     textOrNull
	PrimaryKey int32
	Key        textOrNull
	// Accepted is when the event was accepted. Timestamp is its own time, as bodies
	// have it.
	Accepted, Timestamp           time.Time
	ChangedBy                     int32 `json:"ChangedByAssociateId"`
	Context                       textOrNull
	Source, SourceEvent, Sequence textOrNull
	Truncated                     bool
	Changes                       []string
	FieldValues, Values, Previous json.RawMessage
}

// eventPage is a page of the events that the caller sees, newest first.
type eventPage struct {
	Events   []shownEvent
	Examined int
	Cursor   textOrNull
}

func (eventPage) xmlName() string { return "EventLog" }

// outcome is what became of an event for one webhook.
type outcome struct {
	WebhookID int32 `json:"WebhookId"`
	Name      textOrNull
	// Status is null without a delivery row.
	Status textOrNull
	// Code is the last one of the explanation.
	Code         explaining.Code
	Round        int
	AttemptCount int
	// LastAttempt is the last one that ended, without the response.
	LastAttempt *attempt
	NextAttempt *time.Time
	Updated     *time.Time
}

// eventOutcomes is an event with a page of what became of it.
type eventOutcomes struct {
	shownEvent
	Deliveries []outcome
	Examined   int
	Cursor     textOrNull
}

func (eventOutcomes) xmlName() string { return "Event" }

// listEvents returns a page of the tenant's events.
func (a *api) listEvents(c *call) (reply, error) {
	var wrong webhook.Faults
	q := webhook.EventQuery{
		Tenant: c.who.Tenant, Limit: c.limit(eventsPage, eventsMost, &wrong),
		Filter: webhook.EventFilter{
			Name: c.query("event"), Entity: c.query("entity"), PrimaryKey: c.primaryKey(&wrong), Key: c.query("key"), Source: c.query("source"),
		},
	}
	q.First, q.Before = c.acceptedBetween(&wrong)
	if err := wrong.Err(); err != nil {
		return reply{}, err
	}
	scope := cursorScope(c.who, 0)
	if cursor := c.query("cursor"); cursor != "" {
		fields, err := decodeCursor(cursorEvents, scope, cursor, 1)
		if err != nil {
			return reply{}, err
		}
		before := webhook.EventID(fields[0])
		if !before.Valid() {
			return reply{}, errForeignCursor
		}
		if q.Before == "" || before < q.Before {
			q.Before = before
		}
	}
	sight, err := a.Registry.Sight(c.Context(), c.who, a.OmitFieldValues)
	if err != nil {
		return reply{}, err
	}
	q.Sees = sight.Sees()
	found, err := a.Registry.Events.Search(c.Context(), q)
	if _, err = webhook.Readable(err); err != nil {
		return reply{}, err
	}
	page, size := eventPage{Events: []shownEvent{}, Examined: found.Examined}, 0
	for i, e := range found.Events {
		carried, _ := sight.Shows(e)
		page.Events = append(page.Events, showEvent(e, carried))
		if size += carriedSize(carried); size >= eventsBytes && i < len(found.Events)-1 {
			found.Next = e.ID
			break
		}
	}
	if found.Next != "" {
		page.Cursor = textOrNull(encodeCursor(cursorEvents, scope, string(found.Next)))
	}
	response := ok(page)
	response.large = true
	return response, nil
}

// getEvent returns an event, and what became of it for each of the caller's webhooks.
func (a *api) getEvent(c *call) (reply, error) {
	var wrong webhook.Faults
	limit := c.limit(eventsPage, eventsMost, &wrong)
	if err := wrong.Err(); err != nil {
		return reply{}, err
	}
	e, carried, err := a.seenEvent(c, c.PathValue("eventId"))
	if err != nil {
		return reply{}, err
	}
	scope, after := cursorScope(c.who, 0), int64(0)
	if cursor := c.query("cursor"); cursor != "" {
		fields, err := decodeCursor(cursorOutcomes, scope, cursor, 2)
		if err != nil {
			return reply{}, err
		}
		if after, err = strconv.ParseInt(fields[1], 10, 32); err != nil || after < 1 || fields[0] != string(e.ID) {
			return reply{}, errForeignCursor
		}
	}
	list, examined, next, err := a.Explainer.Outcomes(c.Context(), c.who, e, int32(after), limit)
	if err != nil {
		return reply{}, err
	}
	shown := eventOutcomes{shownEvent: showEvent(e, carried), Deliveries: []outcome{}, Examined: examined}
	for _, o := range list {
		shown.Deliveries = append(shown.Deliveries, outcome{
			WebhookID: o.Webhook, Name: textOrNull(o.Name), Status: deliveryStatus(o.Status), Code: o.Reasons[len(o.Reasons)-1].Code,
			Round: o.Round, AttemptCount: o.AttemptCount, LastAttempt: showLast(o.Explanation), NextAttempt: timeOrNull(o.NextAttempt), Updated: timeOrNull(o.Updated),
		})
	}
	if next != 0 {
		shown.Cursor = textOrNull(encodeCursor(cursorOutcomes, scope, string(e.ID), strconv.Itoa(int(next))))
	}
	response := ok(shown)
	response.large = true
	return response, nil
}

// seenEvent reads an event that the caller sees, and the names and values that the
// caller sees of it.
func (a *api) seenEvent(c *call, id string) (webhook.Event, webhook.Carried, error) {
	e, err := a.Registry.FindEvent(c.Context(), c.who.Tenant, id)
	if err != nil {
		return webhook.Event{}, webhook.Carried{}, eventNotFound(c.who, err)
	}
	sight, err := a.Registry.Sight(c.Context(), c.who, a.OmitFieldValues)
	if err != nil {
		return webhook.Event{}, webhook.Carried{}, err
	}
	carried, seen := sight.Shows(e)
	if !seen {
		return webhook.Event{}, webhook.Carried{}, eventNotFound(c.who, webhook.ErrNotFound)
	}
	return e, carried, nil
}

// eventNotFound explains ErrNotFound, in the same way for an event that the app does not
// see; other errors stay.
func eventNotFound(who webhook.Principal, err error) error {
	switch {
	case !errors.Is(err, webhook.ErrNotFound):
		return err
	case who.App == "":
		return explain(err, "Event not found: it does not exist, or is no longer kept")
	}
	return explain(err, "Event not found: it does not exist, is no longer kept, or matches none of the app's webhooks")
}

func showEvent(e webhook.Event, carried webhook.Carried) shownEvent {
	shown := shownEvent{
		EventID: e.ID, Event: e.Name, Entity: textOrNull(e.Entity()), PrimaryKey: e.PrimaryKey, Key: textOrNull(e.Key),
		Accepted: e.ID.Time(), Timestamp: e.At.UTC(), ChangedBy: e.ChangedBy,
		Changes: carried.Changes, FieldValues: rawOrNull(carried.FieldValues), Values: rawOrNull(carried.Values), Previous: rawOrNull(carried.Previous),
	}
	if c := e.Content; c != nil {
		shown.Context, shown.Source, shown.SourceEvent, shown.Sequence = textOrNull(c.Context), textOrNull(c.Source), textOrNull(c.SourceEvent), textOrNull(c.Sequence)
		shown.Truncated = c.Truncated
	}
	return shown
}

// carriedSize returns how many bytes the names and values are as they are sent.
func carriedSize(c webhook.Carried) int {
	return carriedLen(c.FieldValues) + carriedLen(c.Values) + carriedLen(c.Previous) + carriedLen([]byte(strings.Join(c.Changes, `","`)))
}

// deliveryStatus returns a status as the API spells it, null for none.
func deliveryStatus(s delivery.Status) textOrNull {
	if s == "" {
		return ""
	}
	return textOrNull(strings.ToUpper(string(s[:1])) + string(s[1:]))
}

// primaryKey reads the parameter primaryKey, nil if it is not stated.
func (c *call) primaryKey(wrong *webhook.Faults) *int32 {
	text := c.query("primaryKey")
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		wrong.Add("primaryKey", "must be a 32-bit integer")
	}
	key := int32(n)
	return &key
}

// acceptedBetween reads the parameters from and to, and returns the bounds of the ids
// of events accepted between them: from is included, to is not.
func (c *call) acceptedBetween(wrong *webhook.Faults) (first, before webhook.EventID) {
	read := func(name string) (at time.Time) {
		text := c.query(name)
		if text == "" {
			return time.Time{}
		}
		at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		if err != nil || at.IsZero() {
			wrong.Add(name, "must be a time such as 2030-01-31T12:00:00Z")
		}
		return at
	}
	from, to := read("from"), read("to")
	if !from.IsZero() {
		first = webhook.FirstEventID(from)
	}
	if !to.IsZero() {
		before = webhook.FirstEventID(to)
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) && wrong.Err() == nil {
		wrong.Add("from", "must be before to")
	}
	return first, before
}

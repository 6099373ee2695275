package webhook

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Event is something that happened. It is immutable once stored.
type Event struct {
	Tenant Tenant
	ID     EventID
	// Name as it was signalled: "contact.changed". Compared case-insensitively.
	Name       string
	PrimaryKey int32
	// Key identifies the record if an int32 cannot: at most 256 characters. Empty:
	// PrimaryKey identifies it.
	Key string
	// Data is the data of a plain signal: one JSON object, compact, validated on
	// acceptance and copied verbatim from then on. Empty: the signal had no data.
	Data json.RawMessage
	// Content is the content of an event that is not a plain signal; Data is then
	// empty. nil: the event is a plain signal.
	Content *Content
	// ChangedBy is the AssociateId of the user who caused the event, 0 for the
	// system.
	ChangedBy int32
	// At is when the API accepted the event or it happened at its source, UTC: the
	// Timestamp of the body. Resolution 100 ns.
	At time.Time
	// Hops counts the webhooks that the signal passed through, so that a loop of
	// services ends.
	Hops int
	// App is the app that registered the webhook that a state event is about.
	// Empty for a webhook without an app, and for all other events.
	App string
	// ExpiresAt is when stores may delete the event. Zero: never.
	ExpiresAt time.Time
}

// TestEventName is the reserved name of the ping. Only a subscription to exactly
// this name could match it, and no signal may use it.
const TestEventName = "test"

const maxEventName = 200

// validEventName reports whether a name may be signalled or subscribed to: 1 to
// 200 characters of A-Z a-z 0-9 _ . -
func validEventName(name string) bool { return ofLetters(name, "_.-", maxEventName) }

// maxPrefixSegments is how many segments of a name a pattern may have before its .*,
// which bounds the lookups of an event.
const maxPrefixSegments = 6

// ValidEventPattern reports whether a string is allowed in a webhook's Events: an
// event name, "*", or "<prefix>.*" with a prefix of at most maxPrefixSegments
// segments.
func ValidEventPattern(pattern string) bool {
	if validEventName(pattern) || pattern == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, ".*")
	return ok && len(pattern) <= maxEventName && validEventName(prefix) && strings.Count(prefix, ".") < maxPrefixSegments
}

// foldEventName returns the form in which names are compared.
func foldEventName(name string) string { return strings.ToLower(name) }

// IsStateEvent reports whether the service itself raises events of this name
// about a webhook ("webhook123.errors"). inBody is the name in the body, which has
// no id: "webhook.errors".
func IsStateEvent(name string) (inBody string, ok bool) {
	const prefix = "webhook"
	if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return "", false
	}
	id, what, _ := strings.Cut(name[len(prefix):], ".")
	if !ofDigits(id) || what == "" {
		return "", false
	}
	return "webhook." + what, true
}

// anyStateEvents are the names, as bodies spell them, under which a webhook
// subscribes to state events of all webhooks that it may see.
var anyStateEvents = []string{"webhook.errors", "webhook.started", "webhook.stopped"}

// reservedEventName reports whether a signal may not use the name: it is the
// ping's, a state event's, or one that subscribes to state events of any webhook.
func reservedEventName(name string) bool {
	_, state := IsStateEvent(name)
	return state || strings.EqualFold(name, TestEventName) ||
		slices.ContainsFunc(anyStateEvents, func(reserved string) bool { return strings.EqualFold(name, reserved) })
}

// Entity returns the entity that the event happened to: that of its Content, or else
// the part of its name before the last dot, or the whole name if it has no dot. It
// is empty for state events.
func (e Event) Entity() string {
	if e.Content != nil && e.Content.Entity != nil {
		return *e.Content.Entity
	}
	if _, state := IsStateEvent(e.Name); state {
		return ""
	}
	if i := strings.LastIndexByte(e.Name, '.'); i >= 0 {
		return e.Name[:i]
	}
	return e.Name
}

// relayed is the prefix of the Source of events that a relay accepted.
const relayed = "/in/"

// PublicID returns the id that receivers see: the sender's id for an event that a
// relay accepted, if it is a GUID, and otherwise the event's own.
func (e Event) PublicID() string {
	if c := e.Content; c != nil && strings.HasPrefix(c.Source, relayed) && EventID(strings.ToLower(c.SourceEvent)).Valid() {
		return c.SourceEvent
	}
	return string(e.ID)
}

// Deletes reports whether the event announces a deletion: the last part of its
// name is exactly "deleted".
func (e Event) Deletes() bool {
	_, state := IsStateEvent(e.Name)
	return !state && e.Name[strings.LastIndexByte(e.Name, '.')+1:] == "deleted"
}

// Record is an event as the change feed passes it to the dispatcher.
type Record struct {
	Event Event
	// Accepted is the feed's timestamp of the write of the event, never the
	// event's own time. DynamoDB Streams round it down to the second.
	Accepted time.Time
	// Sequence identifies the record in its feed. A failed batch resumes from it.
	Sequence string
	// Newer reports that a newer version of the service stored the event: of
	// Event, only Tenant and ID are set.
	Newer bool
	// Undecodable holds the raw record if it could not be decoded as an event; then
	// Event is zero.
	Undecodable []byte
}

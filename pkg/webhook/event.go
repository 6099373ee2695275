package webhook

import (
	"encoding/json"
	"strings"
	"time"
)

// Event is something that happened. It is immutable once stored.
type Event struct {
	Tenant Tenant
	ID     EventID
	// Name as it was signalled: "contact.changed". Compared without regard to
	// case.
	Name       string
	PrimaryKey int32
	// Data is what came with the signal: one JSON object, compact, checked at
	// the door and copied verbatim from there on. Empty: no data came.
	Data json.RawMessage
	// ChangedBy is the AssociateId of who caused the event, 0 for the system.
	ChangedBy int32
	// At is when the event was accepted by the API or happened at its source,
	// UTC: the Timestamp of the body. Resolution 100 ns.
	At time.Time
	// Hops counts the webhooks that the signal came through, so that a loop of
	// services ends.
	Hops int
	// ExpiresAt is when the stores may forget the event. Zero: never.
	ExpiresAt time.Time
}

// TestEventName is the reserved name of the ping. Only an explicit subscription
// of that very name could match it, and no signal carries it.
const TestEventName = "test"

const maxEventName = 200

// validEventName reports whether a name may be signalled or subscribed to: up
// to 200 characters of A-Z a-z 0-9 _ . -
func validEventName(name string) bool { return ofLetters(name, "_.-", maxEventName) }

// maxPrefixSegments is how many segments of a name a pattern may have before its .*,
// which bounds the lookups of an event.
const maxPrefixSegments = 6

// validEventPattern reports whether a string may be in a webhook's Events: an event
// name, "*", or "<prefix>.*" with a prefix of at most maxPrefixSegments segments.
func validEventPattern(pattern string) bool {
	if validEventName(pattern) || pattern == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, ".*")
	return ok && len(pattern) <= maxEventName && validEventName(prefix) && strings.Count(prefix, ".") < maxPrefixSegments
}

// foldEventName is the form in which names are compared.
func foldEventName(name string) string { return strings.ToLower(name) }

// IsStateEvent reports whether the name is one that the service itself raises
// about a webhook ("webhook123.errors"). The second value is the event without
// the id, as it stands in a body: "webhook.errors".
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

// reservedEventName reports whether only the service itself may raise the
// event: the ping and state events.
func reservedEventName(name string) bool {
	_, state := IsStateEvent(name)
	return state || strings.EqualFold(name, TestEventName)
}

// Entity is the part of an event's name that names what it happened to: the
// text before the last dot, or the whole name where there is none. State events
// have none.
func (e Event) Entity() string {
	if _, state := IsStateEvent(e.Name); state {
		return ""
	}
	if i := strings.LastIndexByte(e.Name, '.'); i >= 0 {
		return e.Name[:i]
	}
	return e.Name
}

// Record is an event as the change feed hands it to the dispatcher.
type Record struct {
	Event Event
	// Accepted is the feed's own stamp of when the event was stored, never the
	// event's own time. DynamoDB Streams round it down to the second.
	Accepted time.Time
	// Sequence identifies the record in its feed; what a failed batch is
	// resumed from.
	Sequence string
	// Undecodable holds the record as it came, if it could not be read as an
	// event; then Event is zero.
	Undecodable []byte
}

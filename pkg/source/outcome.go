package source

import "github.com/posthaste-dev/posthaste/pkg/webhook"

// Reason says why a record became no event. It is counted under this name.
type Reason string

// The reasons.
const (
	ReasonNoSource   Reason = "no_source"     // no source matches
	ReasonOwn        Reason = "own_event"     // it was raised by this service
	ReasonUnreadable Reason = "unreadable"    // not the JSON that it must be
	ReasonName       Reason = "event_name"    // the name is reserved or misspelled
	ReasonTenant     Reason = "tenant"        // not in the list of allowed tenants, or unknown
	ReasonUnchanged  Reason = "unchanged"     // no listed attribute differs
	ReasonExpired    Reason = "expired"       // removed by TTL
	ReasonEarly      Reason = "before_source" // stamped before the source was created
	ReasonImages     Reason = "no_images"     // the stream does not have both images
	ReasonOld        Reason = "too_old"       // older than its idempotency key is kept
	ReasonTimestamp  Reason = "no_timestamp"  // it has no time, so a repeated one cannot be told
	ReasonContext    Reason = "context"       // another ContextIdentifier
	ReasonPing       Reason = "ping"          // a test of the connection
	ReasonLoop       Reason = "loop"          // it came through too many webhooks
	ReasonID         Reason = "no_id"         // it has no event id
	ReasonTable      Reason = "own_table"     // a table of this service
)

// Outcome is what a record becomes.
type Outcome struct {
	// Event is complete but for what only receiving it decides (ExpiresAt; ID for
	// relays and for bus events without a usable time). Zero if there is a Skip.
	Event webhook.Event
	// Once makes repeated records one event. Zero: Event.ID does.
	Once webhook.Once
	// Skip says why there is no event. Empty: there is one.
	Skip Reason
	// Missing lists what the mapping names and the record lacks.
	Missing []string
}

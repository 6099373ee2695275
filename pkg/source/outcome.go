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

// reasons says in a sentence what each reason means. It is the only such table;
// the documentation has the same one.
var reasons = []struct {
	reason Reason
	text   string
}{
	{ReasonNoSource, "No source matches the record."},
	{ReasonOwn, "The event was raised by this service, whose events never become events again."},
	{ReasonUnreadable, "The record is not the JSON that this kind of source reads."},
	{ReasonName, "The event's name is reserved, or it has other characters than A-Z a-z 0-9 _ . - or more than 200."},
	{ReasonTenant, "The record's tenant does not exist, or it is not one of the tenants that the source allows."},
	{ReasonUnchanged, "None of the listed attributes differs between the old and the new image."},
	{ReasonExpired, "TTL removed the item, and the source does not report expired items."},
	{ReasonEarly, "The record is stamped before the source was created."},
	{ReasonImages, "The stream does not have both images: its view type must be NEW_AND_OLD_IMAGES."},
	{ReasonOld, "The record is older than the time for which a repeated one is recognized."},
	{ReasonTimestamp, "The record has no usable time, so a repeated one could not be told from a new one."},
	{ReasonContext, "The delivery has another ContextIdentifier than the source."},
	{ReasonPing, "The delivery is a test of the connection."},
	{ReasonLoop, "The delivery came through too many webhooks."},
	{ReasonID, "The record has no event id of 1 to 255 characters."},
	{ReasonTable, "The table is one of this service's own, which are never sources."},
}

// Text returns a sentence that says what the reason means; "" for a string that
// is not a Reason.
func (r Reason) Text() string {
	for _, known := range reasons {
		if known.reason == r {
			return known.text
		}
	}
	return ""
}

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

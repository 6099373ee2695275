package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/template"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// request is the POST of a delivery's last attempt, rebuilt.
type request struct {
	At         time.Time  // when the attempt began
	URL        textOrNull `json:"Url"`
	Headers    members
	Body       string
	BodyLength int
	BodySha256 string // in hexadecimal
	// Exact: the webhook's revision is kept, and the body is the one that was built
	// for the attempt.
	Exact bool
	// Revision is that of the webhook when the attempt was made; null: not known.
	Revision *int64
	// ChangedSince is the webhook's revision now, null if it is still the same.
	ChangedSince *int64
	SignedWith   *signedWith // null: the request was not signed
	// Note says why the request is not exact, or that it was not sent.
	Note textOrNull
}

func (request) xmlName() string { return "Request" }

// signedWith is the secret that made X-SuperOffice-Signature.
type signedWith struct {
	// Secret is what the secret was when it signed.
	Secret webhook.Signer
	// Since is when it was set, and Replaced reports whether another has been set
	// since. null: not known.
	Since    *time.Time
	Replaced *bool
}

// getRequest returns the request of a delivery's last attempt.
func (a *api) getRequest(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	if _, err := a.Registry.Get(c.Context(), c.who, id); err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	key := delivery.Key{Tenant: c.who.Tenant, Webhook: id, Event: webhook.EventID(strings.ToLower(c.PathValue("eventId")))}
	last, event, err := a.lastAttempt(c, key)
	if err != nil {
		return reply{}, err
	}
	stored, then, known, err := a.Registry.At(c.Context(), c.who, id, last.Sent.Revision)
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	rebuilt, err := a.Rebuild(webhook.Post{Webhook: then, Event: event, Retry: max(last.Number-1, 0)}, last.Sent, last.At)
	if errors.Is(err, template.ErrTooLarge) {
		rebuilt, err = delivery.Request{URL: then.TargetURL}, nil // nothing was sent
	}
	if err != nil {
		return reply{}, fmt.Errorf("request of event %s to webhook %d: %w", key.Event, id, err)
	}
	response := ok(showRequest(rebuilt, last, stored, then, known))
	response.large = true
	return response, nil
}

// lastAttempt reads the last attempt of a delivery, and its event. Of what is absent,
// the error says whether it has expired.
func (a *api) lastAttempt(c *call, key delivery.Key) (delivery.Attempt, webhook.Event, error) {
	none := func(format string) (delivery.Attempt, webhook.Event, error) {
		return delivery.Attempt{}, webhook.Event{}, explain(webhook.ErrNotFound, format, wire.Shorten(c.PathValue("eventId")))
	}
	if !key.Event.Valid() {
		return none("Event id %q not found")
	}
	row, err := a.Stored.Deliveries.Get(c.Context(), key)
	if errors.Is(err, webhook.ErrNotFound) {
		if key.Event < webhook.FirstEventID(a.Now().Add(-a.Registry.EventLife)) {
			return none("Event %s has expired, and its deliveries with it")
		}
		return none("The webhook has no delivery of event %s")
	}
	if err != nil {
		return delivery.Attempt{}, webhook.Event{}, err
	}
	if len(row.Attempts) == 0 {
		return none("No attempt at delivering event %s has been made")
	}
	event, err := a.Stored.Events.Get(c.Context(), key.Tenant, key.Event)
	if errors.Is(err, webhook.ErrNotFound) {
		return none("Event %s has expired, so that its request cannot be rebuilt")
	}
	return row.Attempts[len(row.Attempts)-1], event, err
}

// showRequest shows the request of an attempt, rebuilt from the webhook as it was
// then, or as it is stored if known is false.
func showRequest(r delivery.Request, last delivery.Attempt, stored, then webhook.Webhook, known bool) request {
	sum := sha256.Sum256(r.Body)
	shown := request{
		At: last.At, URL: textOrNull(r.URL), Headers: showHeaders(r.Headers), Body: string(r.Body), BodyLength: len(r.Body), BodySha256: hex.EncodeToString(sum[:]),
		SignedWith: showSigner(last.Sent.Signer, stored, then, known),
	}
	if last.Sent.Revision != 0 {
		shown.Revision = &last.Sent.Revision
		if stored.Revision != last.Sent.Revision {
			shown.ChangedSince = &stored.Revision
		}
	}
	switch same := webhook.BodyMark(r.Body) == last.Sent.Body; {
	case !known && last.Sent.Revision == 0:
		shown.Note = "It was not recorded what the attempt sent: this is the request that the webhook would send now."
	case !known:
		shown.Note = textOrNull(fmt.Sprintf("Revision %d of the webhook is no longer kept: the request is rebuilt from revision %d.", last.Sent.Revision, then.Revision))
	case last.Sent.Body == "":
		shown.Note = textOrNull("Nothing was sent. " + webhook.Result{Error: last.Error, Detail: last.Detail}.Failure())
	case !same:
		shown.Note = "The body is not the one that was sent: the service or its settings have changed since."
	default:
		shown.Exact = true
	}
	return shown
}

func showHeaders(headers []webhook.Header) members {
	shown := members{}
	for _, h := range headers {
		shown = append(shown, member{h.Name, h.Value})
	}
	return shown
}

// showSigner shows the secret that signed an attempt, nil for none.
func showSigner(signer webhook.Signer, stored, then webhook.Webhook, known bool) *signedWith {
	if signer == webhook.SignerNone {
		return nil
	}
	shown := &signedWith{Secret: signer}
	since := then.SecretSince
	if signer == webhook.SignerPrevious {
		since = then.PreviousSince
	}
	if known && !since.IsZero() {
		replaced := !stored.SecretSince.Equal(since)
		shown.Since, shown.Replaced = &since, &replaced
	}
	return shown
}

package httpapi

import (
	"net/http"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The headers of SignalEvent, as documented.
const (
	headerEventID        = "X-SuperOffice-EventId"
	headerHops           = "X-Posthaste-Hops"
	headerIdempotencyKey = "Idempotency-Key"
)

// signalEvent accepts an event. The response does not depend on whether a webhook
// matches it.
func (a *api) signalEvent(c *call) (reply, error) {
	c.event = c.PathValue("event")
	data, err := wire.ReadDictionary(c.Request)
	if err != nil {
		return reply{}, err
	}
	var f webhook.Faults
	key, err := strconv.ParseInt(c.PathValue("primaryKey"), 10, 32)
	if err != nil {
		f.Add("PrimaryKey", "must be a 32-bit integer")
	}
	return a.publish(c, f, webhook.Signal{
		Name: c.event, PrimaryKey: int32(key),
		Data: data.JSON(),
	})
}

// publish accepts a signal together with the call's headers. It fails if f holds
// faults.
func (a *api) publish(c *call, f webhook.Faults, s webhook.Signal) (reply, error) {
	hops, err := hopsOf(c.Header)
	if err != nil {
		f.Add(headerHops, hopsRule)
	}
	if err := f.Err(); err != nil {
		return reply{}, err
	}
	s.Hops, s.IdempotencyKey = hops, c.Header.Get(headerIdempotencyKey)
	id, err := a.Publisher.Publish(c.Context(), c.who, s)
	if err != nil {
		return reply{}, err
	}
	c.eventID = id
	return noContent(http.Header{headerEventID: {string(id)}}), nil
}

// hopsRule is what X-Posthaste-Hops must be.
const hopsRule = "must be an integer from 0 to 65535"

// hopsOf returns the number of webhooks that a signal passed through. An invalid
// count is an error: read as 0 it would let a loop continue.
func hopsOf(h http.Header) (int, error) {
	text := h.Get(headerHops)
	if text == "" {
		return 0, nil
	}
	hops, err := strconv.ParseUint(text, 10, 16)
	return int(hops), err
}

package httpapi

import (
	"net/http"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The headers of SignalEvent, spelled as documented.
const (
	headerEventID        = "X-SuperOffice-EventId"
	headerHops           = "X-Posthaste-Hops"
	headerIdempotencyKey = "Idempotency-Key"
)

// signalEvent accepts an event. A webhook that wants it or none: the answer is
// the same.
func (a *api) signalEvent(c *call) (reply, error) {
	c.event = c.PathValue("event")
	data, err := wire.ReadDictionary(c.Request)
	if err != nil {
		return reply{}, err
	}
	var f webhook.Faults
	key, err := strconv.ParseInt(c.PathValue("primaryKey"), 10, 32)
	if err != nil {
		f.Add("PrimaryKey", "must be a whole number of 32 bits")
	}
	return a.publish(c, f, webhook.Signal{
		Name: c.event, PrimaryKey: int32(key),
		Data: data.JSON(),
	})
}

// publish accepts a signal with what the call's headers say about it, unless
// something was wrong with it already.
func (a *api) publish(c *call, f webhook.Faults, s webhook.Signal) (reply, error) {
	hops, err := hopsOf(c.Header)
	if err != nil {
		f.Add(headerHops, "must be a number, 0 or more")
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

// hopsOf reads how many webhooks a signal came through. A count that cannot be
// read is refused: taken for none it would let a loop run on.
func hopsOf(h http.Header) (int, error) {
	text := h.Get(headerHops)
	if text == "" {
		return 0, nil
	}
	hops, err := strconv.ParseUint(text, 10, 16)
	return int(hops), err
}

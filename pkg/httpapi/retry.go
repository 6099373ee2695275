package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// round is a round of a delivery that is to begin.
type round struct {
	EventID webhook.EventID `json:"EventId"`
	Round   int
}

func (round) xmlName() string { return "Round" }

// retryDelivery begins another round of one delivery.
func (a *api) retryDelivery(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	event := c.PathValue("eventId")
	row, err := a.Retry.Start(c.Context(), c.who, id, webhook.EventID(strings.ToLower(event)))
	if err != nil {
		return reply{}, notRetried(err, id, event)
	}
	a.audit(c.Context(), c, auditedChange{action: "retry delivery", tenant: c.who.Tenant, webhook: id, event: row.Event})
	return reply{status: http.StatusAccepted, body: round{row.Event, row.Round}}, nil
}

// notRetried explains why a delivery cannot be retried.
func notRetried(err error, id int32, event string) error {
	var leased *replay.LeasedError
	switch {
	case errors.Is(err, replay.ErrExpired):
		return explain(err, "Event %s has expired: it is no longer kept, so it cannot be sent again", wire.Shorten(event))
	case errors.Is(err, replay.ErrNoDelivery):
		return explain(err, "No delivery of event %s to webhook %d found", wire.Shorten(event), id)
	case errors.As(err, &leased):
		return explain(err, "An attempt is being made, and has until %s to end; try again then", leased.Until.UTC().Format(time.RFC3339))
	}
	return notActive(webhookNotFound(err, id), id)
}

// notActive explains that nothing is sent to a webhook that is not Active; other errors
// stay.
func notActive(err error, id int32) error {
	var inactive *replay.InactiveError
	if !errors.As(err, &inactive) {
		return err
	}
	return explain(err, "Webhook %d is %s, so nothing is sent to it: set its State to Active first", id, inactive.State)
}

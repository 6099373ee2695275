package httpapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/template"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// preview says which events a webhook would get with other options.
type preview struct {
	Examined, Subscribed, Matched int
	Samples                       []previewSample
	Warnings                      []string
	// Body is what the event of the call would be sent as. null: the call names none, or
	// the body would be too large.
	Body textOrNull
}

func (preview) xmlName() string { return "Preview" }

type previewSample struct {
	EventID    string `json:"EventId"`
	Event      string
	PrimaryKey int32
	Key        textOrNull
	Accepted   time.Time
	Matches    bool
	// Option is the one that leaves the event out, null if it would be sent.
	Option textOrNull
}

// previewOptions tries options on the tenant's newest events. The options that the
// body does not name are the webhook's own. It stores nothing.
func (a *api) previewOptions(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	object, err := wire.ReadObject(c.Request, carriers)
	if err != nil {
		return reply{}, err
	}
	if object.IsZero() {
		return reply{}, webhook.Invalid("the body must be an object with options, and with an EventId for the body of an event")
	}
	w, err := a.Registry.Get(c.Context(), c.who, id)
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	var f webhook.Faults
	event := ""
	options := slices.DeleteFunc(slices.Clone(object.Members()), func(m wire.Member) bool {
		named := strings.EqualFold(m.Name, "EventId")
		if named {
			event = memberValue(m.Name, m.Value, &f).text()
		}
		return named
	})
	if w.Options, err = a.readOptions(options, w.Options, w.RegisteredBy.ID, f); err != nil {
		return reply{}, err
	}
	shown := preview{Samples: []previewSample{}, Warnings: []string{}}
	if event != "" {
		e, _, err := a.seenEvent(c, event)
		if err != nil {
			return reply{}, err
		}
		request, err := a.Rebuild(webhook.Post{Webhook: w, Event: e}, webhook.Sent{}, a.Now())
		switch {
		case errors.Is(err, template.ErrTooLarge):
			shown.Warnings = append(shown.Warnings, fmt.Sprintf("Event %s would not be sent. %s", e.ID, webhook.Result{Error: failure.Body}.Failure()))
		case err != nil:
			return reply{}, fmt.Errorf("body of event %s for webhook %d: %w", e.ID, id, err)
		default:
			shown.Body = textOrNull(request.Body)
		}
	}
	p, err := a.Registry.Preview(c.Context(), w)
	if err != nil {
		return reply{}, err
	}
	shown.Examined, shown.Subscribed, shown.Matched = p.Examined, p.Subscribed, p.Matched
	for _, s := range p.Samples {
		shown.Samples = append(shown.Samples, previewSample{
			EventID: string(s.Event.ID), Event: s.Event.Name, PrimaryKey: s.Event.PrimaryKey, Key: textOrNull(s.Event.Key),
			Accepted: s.Event.ID.Time(), Matches: s.Refusal == "", Option: textOrNull(s.Refusal),
		})
	}
	for _, path := range p.Missing {
		shown.Warnings = append(shown.Warnings, fmt.Sprintf("None of the %d events that match Events has the member of %s.", p.Subscribed, path))
	}
	response := ok(shown)
	response.large = true
	return response, nil
}

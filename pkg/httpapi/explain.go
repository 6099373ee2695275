package httpapi

import (
	"errors"
	"strconv"
	"strings"
	"time"

	explaining "github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// explanation says why an event was delivered, or was not.
type explanation struct {
	// EventID is null for a hypothetical event, and WebhookID for all webhooks.
	EventID   textOrNull `json:"EventId"`
	WebhookID *int32     `json:"WebhookId"`
	Matches   bool
	Pattern   textOrNull
	Revision  *int64
	Reasons   []explaining.Reason
	Status    textOrNull
	Round     int
	Attempt   int
	// AttemptCount counts the attempts of all rounds.
	AttemptCount int
	// LastAttempt is the last one that ended, without the response.
	LastAttempt   *attempt
	Lane          textOrNull
	NextAttempt   *time.Time
	WaitingBehind textOrNull
	Nearest       []nearWebhook
}

func (explanation) xmlName() string { return "Explanation" }

// nearWebhook is a webhook that does not match, and what it lacks.
type nearWebhook struct {
	WebhookID int32 `json:"WebhookId"`
	Name      textOrNull
	Reasons   []explaining.Reason
}

func showExplanation(x explaining.Explanation) explanation {
	shown := explanation{
		Matches: x.Matches, Pattern: textOrNull(x.Pattern), Reasons: x.Reasons, Status: deliveryStatus(x.Status), Round: x.Round, Attempt: x.Attempt,
		AttemptCount: x.AttemptCount, LastAttempt: showLast(x), Lane: textOrNull(x.Lane), NextAttempt: timeOrNull(x.NextAttempt), WaitingBehind: textOrNull(x.WaitingBehind),
		Nearest: []nearWebhook{},
	}
	if x.Webhook != 0 {
		shown.WebhookID = &x.Webhook
	}
	if x.Revision != 0 {
		shown.Revision = &x.Revision
	}
	for _, n := range x.Nearest {
		shown.Nearest = append(shown.Nearest, nearWebhook{n.Webhook, textOrNull(n.Name), n.Reasons})
	}
	return shown
}

// showLast shows the last attempt of a delivery, nil without one.
func showLast(x explaining.Explanation) *attempt {
	if x.Last == nil {
		return nil
	}
	shown := showAttempt(*x.Last, "")
	return &shown
}

// explainEvent explains a stored event, for one webhook or for all.
func (a *api) explainEvent(c *call) (reply, error) {
	id, err := int64(0), error(nil)
	text := c.query("webhook")
	if text != "" {
		if id, err = strconv.ParseInt(text, 10, 32); err != nil {
			return reply{}, webhook.Invalid("webhook must be the id of a webhook")
		}
	}
	e, _, err := a.seenEvent(c, c.PathValue("eventId"))
	if err != nil {
		return reply{}, err
	}
	var x explaining.Explanation
	if text == "" {
		x, err = a.Explainer.All(c.Context(), c.who, e, false)
	} else {
		x, err = a.Explainer.One(c.Context(), c.who, e, int32(id))
	}
	if err != nil {
		return reply{}, webhookNotFound(err, int32(id))
	}
	shown := showExplanation(x)
	shown.EventID = textOrNull(e.ID)
	return ok(shown), nil
}

// explainHypothetical explains an event that is not stored, or a webhook as it might
// be, or both. It stores nothing.
func (a *api) explainHypothetical(c *call) (reply, error) {
	text, label, err := wire.ReadText(c.Request)
	switch {
	case err != nil:
		return reply{}, err
	case text != nil && !label.IsJSON():
		return reply{}, wire.Unsupported("Events are read as JSON only; send Content-Type: application/json")
	}
	body := wire.Raw(text)
	if text == nil || jsonscan.CheckValue(text) != nil || body.Kind() != wire.KindObject {
		return reply{}, webhook.Invalid("the body must be a JSON object with Event and Webhook")
	}
	var event, subject wire.Tree
	var f webhook.Faults
	for _, m := range body.Members() {
		switch {
		case strings.EqualFold(m.Name, "Event"):
			event = m.Value
		case strings.EqualFold(m.Name, "Webhook"):
			subject = m.Value
		default:
			f.AddText(m.Name, "unknown member %q; the known ones are Event and Webhook", wire.Shorten(m.Name))
		}
	}
	e, stored, err := a.explainedEvent(c, event, f)
	if err != nil {
		return reply{}, err
	}
	var x explaining.Explanation
	switch w, changed, err := a.explainedWebhook(c, subject); {
	case err != nil:
		return reply{}, err
	case w == nil:
		x, err = a.Explainer.All(c.Context(), c.who, e, !stored)
		if err != nil {
			return reply{}, err
		}
	case stored && !changed:
		x, err = a.Explainer.One(c.Context(), c.who, e, w.ID)
		if err != nil {
			return reply{}, webhookNotFound(err, w.ID)
		}
	default:
		x, err = a.Explainer.Try(c.Context(), e, *w, changed)
		if err != nil {
			return reply{}, err
		}
	}
	shown := showExplanation(x)
	if stored {
		shown.EventID = textOrNull(e.ID)
	}
	return ok(shown), nil
}

// explainedEvent reads the event of a call: one that is stored if it states an
// EventId, otherwise one that a caller might submit. f holds the faults of the call.
func (a *api) explainedEvent(c *call, object wire.Tree, f webhook.Faults) (e webhook.Event, stored bool, err error) {
	if object.Kind() != wire.KindObject || object.IsZero() {
		f.Add("Event", "must be an object with an EventId, or with the members of an event")
		return webhook.Event{}, false, f.Err()
	}
	if id, found := object.Named("EventId"); found {
		text := memberValue("Event.EventId", id, &f).text()
		if len(object.Members()) > 1 {
			f.Add("Event", "must have an EventId alone, or the members of an event")
		}
		if err := f.Err(); err != nil {
			return webhook.Event{}, false, err
		}
		e, _, err = a.seenEvent(c, text)
		return e, true, err
	}
	var s webhook.Submission
	readEventMembers(&s, object, "Event.", eventMembers)
	if _, stated := object.Named("Event"); !stated {
		s.Faults.AddText("Event", "Event.Event is required")
	}
	read := len(s.Faults)
	e, err = a.Publisher.Preview(c.who, s)
	var invalid *webhook.ValidationError
	if errors.As(err, &invalid) {
		for i, fault := range invalid.Faults {
			if i >= read { // those of the domain do not know where the event is
				fault.Text = "Event." + fault.Text
			}
			f.AddText(fault.Member, "%s", fault.Text)
		}
	}
	if faults := f.Err(); faults != nil {
		return webhook.Event{}, false, faults
	}
	return e, false, err
}

// explainedWebhook reads the webhook of a call: nil for all, one that is stored, or one
// as it might be, which changed reports. Members that are not stated are those of the
// stored webhook, if WebhookId names one.
func (a *api) explainedWebhook(c *call, subject wire.Tree) (w *webhook.Webhook, changed bool, err error) {
	switch {
	case subject.IsZero() || subject.Kind() == wire.KindNull:
		return nil, false, nil
	case subject.Kind() == wire.KindNumber:
		var f webhook.Faults
		id := memberValue("Webhook", subject, &f).number()
		if err := f.Err(); err != nil {
			return nil, false, err
		}
		stored, err := a.Registry.Get(c.Context(), c.who, id)
		return &stored, false, webhookNotFound(err, id)
	case subject.Kind() != wire.KindObject:
		return nil, false, webhook.Invalid("Webhook must be the id of a webhook, or an object with members of a webhook")
	}
	s := c.readMembers(subject.Members(), webhookMembers)
	if err := s.faults.Err(); err != nil {
		return nil, false, err
	}
	stored := webhook.Webhook{Tenant: c.who.Tenant, App: c.who.App}
	if s.id != 0 {
		if stored, err = a.Registry.Get(c.Context(), c.who, s.id); err != nil {
			return nil, false, webhookNotFound(err, s.id)
		}
		if s, err = c.patch(stored, webhook.Health{}, mergeChanges(subject)); err != nil {
			return nil, false, err
		}
		if err := s.faults.Err(); err != nil {
			return nil, false, err
		}
	}
	preview, err := s.draft.Preview(stored)
	return &preview, true, err
}

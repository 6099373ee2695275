package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// entity is a webhook as it is shown. Its fields have the wire's order, and the
// zero value of each is the wire's empty value. It may hold a secret in clear:
// encode it, never print it.
type entity struct {
	WebhookID           int32 `json:"WebhookId"`
	Name                textOrNull
	Events              []string
	TargetURL           textOrNull `json:"TargetUrl"`
	Secret              textOrNull
	State               wireState
	Type                textOrNull
	Headers             members
	Properties          json.RawMessage
	Registered          wireTime
	RegisteredAssociate *associate
	Updated             wireTime
	UpdatedAssociate    *associate
	ErrorsEmail         textOrNull
	ErrorEmails         []string
	ErrorAssociates     json.RawMessage
	Description         textOrNull
	NotifyVia           wireNotifyVia
	NotifyWhen          wireNotifyWhen
	TotalCalls          int32
	TotalErrors         int32
	ConsecutiveErrors   int32
	LastError           textOrNull
	Links               *links `json:"_Links,omitempty"`
}

type associate struct {
	AssociateID     int32 `json:"AssociateId"`
	Name            textOrNull
	PersonID        int32 `json:"PersonId"`
	Rank            int32
	Tooltip         textOrNull
	Type            wireAssociateType
	GroupIdx        int32
	FullName        textOrNull
	FormalName      textOrNull
	Deleted         bool
	EjUserID        int32 `json:"EjUserId"`
	UserName        textOrNull
	TableRight      *tableRight
	FieldProperties *fieldProperties
}

// tableRight and fieldProperties are base members of SuperOffice's carriers.
// Nothing here restricts a field, so they are constant.
type tableRight struct{ Mask, Reason string }

type fieldProperties struct{}

var fullRight = &tableRight{Mask: "FULL"}

type links struct{ Self, Archive string }

type wireState webhook.State

func (s wireState) MarshalJSON() ([]byte, error) { return wire.EncodeJSON(webhook.State(s).String()) }

type wireAssociateType string

func (t wireAssociateType) MarshalJSON() ([]byte, error) {
	if t == "" {
		t = "Unknown"
	}
	return wire.EncodeJSON(string(t))
}

var (
	stateNames      = []string{"Unknown", "Active", "Stopped", "TooManyErrors"}
	notifyViaNames  = []string{"None", "Email", "InApp"}
	notifyWhenNames = []string{"None", "FirstFailure", "Disabling", "FirstFailure, Disabling"} // by bits
)

type wireNotifyVia int32

func (n wireNotifyVia) MarshalJSON() ([]byte, error) { return enumName(notifyViaNames, int32(n)) }

type wireNotifyWhen int32

func (n wireNotifyWhen) MarshalJSON() ([]byte, error) { return enumName(notifyWhenNames, int32(n)) }

func enumName(names []string, n int32) ([]byte, error) {
	if n < 0 || int(n) >= len(names) {
		return nil, fmt.Errorf("no name for %d among %v", n, names)
	}
	return wire.EncodeJSON(names[n])
}

// clearTexts holds those of a webhook's secrets that a response shows in clear.
// The others are masked.
type clearTexts struct {
	secret  webhook.Secret
	headers map[string]webhook.Secret // by folded name
}

// clearIn returns the secrets that the call itself sent in clear: only these are
// returned.
func clearIn(d webhook.Draft) clearTexts {
	visible := clearTexts{headers: map[string]webhook.Secret{}}
	if d.Secret != nil && d.Secret.Reveal() != webhook.MaskedSecret {
		visible.secret = *d.Secret
	}
	for _, h := range d.Headers {
		if h.Value.Reveal() != webhook.MaskedSecret {
			visible.headers[strings.ToLower(h.Name)] = h.Value
		}
	}
	return visible
}

// clearOf returns all secrets, for deployments that show them.
func clearOf(doc webhook.SecretDocument) clearTexts {
	visible := clearTexts{secret: doc.Current, headers: map[string]webhook.Secret{}}
	for name, value := range doc.Headers {
		visible.headers[strings.ToLower(name)] = value
	}
	return visible
}

// showWebhook returns a webhook as it is shown, without links.
func showWebhook(w webhook.Webhook, health webhook.Health, visible clearTexts) entity {
	e := entity{
		WebhookID: w.ID, Name: textOrNull(w.Name), Events: w.Events, TargetURL: textOrNull(w.TargetURL),
		State: wireState(w.State), Type: textOrNull(w.Type), Properties: w.Properties,
		Registered: wireTime{Time: w.Registered}, RegisteredAssociate: showAssociate(w.RegisteredBy),
		Updated: wireTime{Time: w.Updated}, UpdatedAssociate: showAssociate(w.UpdatedBy),
		ErrorsEmail: textOrNull(w.ErrorsEmail), ErrorEmails: w.ErrorEmails, ErrorAssociates: w.ErrorAssociates,
		Description: textOrNull(w.Description),
		NotifyVia:   wireNotifyVia(w.NotifyVia), NotifyWhen: wireNotifyWhen(w.NotifyWhen),
		TotalCalls: health.TotalCalls, TotalErrors: health.TotalErrors, LastError: textOrNull(health.LastError),
	}
	if health.Activation == w.Activation {
		e.ConsecutiveErrors = health.ConsecutiveErrors
	}
	if w.Secret.Signed {
		e.Secret = maskUnlessClear(visible.secret)
	}
	if w.Headers != nil {
		e.Headers = members{}
	}
	for _, h := range w.Headers {
		if h.Secret {
			h.Value = string(maskUnlessClear(visible.headers[strings.ToLower(h.Name)]))
		}
		e.Headers = append(e.Headers, member{h.Name, h.Value})
	}
	// These two are lists, which are never null.
	if e.ErrorEmails == nil {
		e.ErrorEmails = []string{}
	}
	if len(e.ErrorAssociates) == 0 {
		e.ErrorAssociates = json.RawMessage("[]")
	}
	return e
}

func maskUnlessClear(s webhook.Secret) textOrNull {
	if s.IsZero() {
		return webhook.MaskedSecret
	}
	return textOrNull(s.Reveal())
}

// showAssociate returns a user as SuperOffice shows users; nil for the zero Associate.
func showAssociate(a webhook.Associate) *associate {
	if a == (webhook.Associate{}) {
		return nil
	}
	return &associate{
		AssociateID: a.ID, Name: textOrNull(a.Name), Type: wireAssociateType(a.Type),
		FullName: textOrNull(a.FullName), UserName: textOrNull(a.UserName),
		TableRight: fullRight, FieldProperties: &fieldProperties{},
	}
}

// links returns a webhook's addresses. They have a tenant segment only if the
// call's address had one.
func (a *api) links(c *call, id int32) *links {
	archive := a.tenantBase(c) + "/api/v1/Webhook/"
	return &links{Self: fmt.Sprintf("%s%d/", archive, id), Archive: archive}
}

// tenantBase is base, with the tenant if the call's address has it.
func (a *api) tenantBase(c *call) string {
	if c.tenantSegment == "" {
		return a.base(c)
	}
	return a.base(c) + "/" + string(c.tenantSegment)
}

// base returns the URL that links begin with: PublicURL, else the scheme and
// Host of the call. It has no trailing slash.
func (a *api) base(c *call) string {
	if a.PublicURL != "" {
		return a.PublicURL
	}
	scheme := c.URL.Scheme
	switch {
	case scheme != "":
	case c.TLS != nil:
		scheme = "https"
	default:
		scheme = "http"
	}
	return scheme + "://" + c.Host
}

package outbound

import (
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/template"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxTemplateBytes bounds the memory of a process's compiled templates.
const maxTemplateBytes = 4 << 20

// templated returns the body that the webhook's template makes of the post's event. The
// error is template.ErrTooLarge, or that of a template that this version of the service
// cannot compile: a body of another shape is never sent in its place.
func (s *Sender) templated(post webhook.Post) ([]byte, error) {
	source, tenant := string(post.Webhook.Options.Template), string(post.Webhook.Tenant)
	compiled, known := s.templates.Get(tenant, source)
	if !known {
		var err error
		if compiled, err = template.Compile(post.Webhook.Options.Template); err != nil {
			return nil, fmt.Errorf("template of webhook %d: %w", post.Webhook.ID, err)
		}
		s.templates.Put(tenant, source, compiled, len(source)+compiled.Bytes())
	}
	return compiled.Append(nil, paths(post, s.config.OmitFieldValues))
}

// paths returns the event of a post as templates see it: with what its body would have.
func paths(post webhook.Post, namesOnly bool) *template.Event {
	e := post.Event
	all := e.Carried(namesOnly)
	seen := &template.Event{
		EventID: e.PublicID(), Timestamp: string(e.At.UTC().AppendFormat(nil, timestampLayout)), Event: typeOf(e), Entity: e.Entity(), Key: e.Key,
		ContextIdentifier: string(e.Tenant), WebhookName: post.Webhook.Name, PrimaryKey: e.PrimaryKey, ChangedByAssociateId: e.ChangedBy,
		Changes: all.Changes, FieldValues: all.FieldValues, Values: all.Values, Previous: all.Previous,
	}
	if e.Content != nil {
		seen.ContextIdentifier, seen.Source = contextOf(e), e.Content.Source
	}
	return seen
}

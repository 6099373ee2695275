package dispatch

import (
	"context"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxCopyBytes bounds the memory of a process's copies.
const maxCopyBytes = 12 << 20

// copies caches webhooks across invocations, with what their POSTs need: one copy
// of each, however many lists it is in. A revision never changes, so a copy is
// valid for as long as lists name its revision.
type copies struct {
	webhooks Webhooks
	held     *bytecache.Cache[int32, webhook.Webhook] // by tenant and id
}

func newCopies(w Webhooks) copies {
	return copies{webhooks: w, held: bytecache.New[int32, webhook.Webhook](maxCopyBytes)}
}

// keep caches what deliveries need of a webhook.
func (c copies) keep(w webhook.Webhook) {
	w = forDelivery(w)
	c.held.Put(string(w.Tenant), w.ID, w, webhookBytes(w))
}

// complete returns a webhook that a list names, in the revision that the list
// names, with all that its POST needs: the cached copy, which is shared and must
// not be changed, or the stored webhook. webhook.ErrConflict if the store has
// another revision by now.
//
// Only attempts that hold a slot call it: a batch that matches many large webhooks
// must not hold them all.
func (c copies) complete(ctx context.Context, w webhook.Webhook) (webhook.Webhook, error) {
	if have, ok := c.held.Get(string(w.Tenant), w.ID); ok && have.Revision == w.Revision {
		return have, nil
	}
	have, err := c.webhooks.Get(ctx, w.Tenant, w.ID)
	if err != nil {
		return webhook.Webhook{}, fmt.Errorf("webhook %d: %w", w.ID, err)
	}
	if have.Revision != w.Revision {
		return webhook.Webhook{}, fmt.Errorf("webhook %d: %w", w.ID, webhook.ErrConflict)
	}
	c.keep(have)
	return forDelivery(have), nil
}

// forDelivery returns the webhook with what deciding about a delivery and making
// its POST need. It drops most of a large one: the patterns, the description, whom
// to notify of errors, who created it, and which events it takes.
func forDelivery(w webhook.Webhook) webhook.Webhook {
	return webhook.Webhook{
		Tenant: w.Tenant, ID: w.ID, Name: w.Name, TargetURL: w.TargetURL, State: w.State, Headers: w.Headers, Properties: w.Properties,
		Options: w.Options.WithoutSelection(), Secret: w.Secret, Revision: w.Revision, Activation: w.Activation, ActivatedAt: w.ActivatedAt,
	}
}

// webhookBytes estimates the memory of a copy.
func webhookBytes(w webhook.Webhook) int {
	const empty, header = 768, 48 // of the structures themselves
	n := empty + len(w.Tenant) + len(w.Name) + len(w.TargetURL) + len(w.Properties) + len(w.Options.Template) + len(w.Secret.Name) + len(w.Secret.Version) + len(w.Secret.Sealed)
	for _, field := range w.Options.Fields {
		n += 16 + len(field)
	}
	for _, h := range w.Headers {
		n += header + len(h.Name) + len(h.Value)
	}
	return n
}

package httpapi

import (
	"context"
	"errors"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func (a *api) defaultWebhook(*call) (reply, error) {
	return ok(showWebhook(webhook.Default(), webhook.Health{}, clearTexts{})), nil
}

// createWebhook always creates: an id in the body is ignored.
func (a *api) createWebhook(c *call) (reply, error) {
	s, err := a.readWebhook(c)
	if err != nil {
		return reply{}, err
	}
	if err := s.check(a.rules(c)); err != nil {
		return reply{}, err
	}
	shown, err := a.create(c, s.draft)
	if err != nil {
		return reply{}, err
	}
	return c.selected(a.linked(c, shown)), nil
}

// create creates a webhook, under the call's Idempotency-Key if it has one, and
// gives it as it is shown.
func (a *api) create(c *call, d webhook.Draft) (entity, error) {
	key := c.Header.Get(headerIdempotencyKey)
	if key == "" {
		w, err := a.Registry.Create(c.Context(), c.who, d, a.ownHost(c))
		if err != nil {
			return entity{}, err
		}
		return a.saved(c, w, webhook.Health{}, d), nil
	}
	w, repeated, err := a.Registry.CreateOnce(c.Context(), c.who, key, d, a.ownHost(c))
	if err != nil {
		return entity{}, err
	}
	if !repeated {
		return a.saved(c, w, webhook.Health{}, d), nil
	}
	// This call set no secret: it sees what a read sees.
	shown, err := a.show(c.Context(), c.who.Tenant, w)
	if err != nil {
		return entity{}, err
	}
	return shown[0], nil
}

func (a *api) getWebhook(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	w, err := a.Registry.Get(c.Context(), c.who, id)
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	shown, err := a.show(c.Context(), c.who.Tenant, w)
	if err != nil {
		return reply{}, err
	}
	return c.selected(a.linked(c, shown[0])), nil
}

// putWebhook replaces a webhook. The address says which one.
func (a *api) putWebhook(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	s, err := a.readWebhook(c)
	if err != nil {
		return reply{}, err
	}
	if s.id != 0 && s.id != id {
		s.faults.Add("WebhookId", "is %d, and the address says %d", s.id, id)
	}
	if err := s.check(a.rules(c)); err != nil {
		return reply{}, err
	}
	unmodified, err := unmodifiedSince(c)
	if err != nil {
		return reply{}, err
	}
	w, err := a.Registry.Save(c.Context(), c.who, id, func(w webhook.Webhook) (webhook.Draft, error) {
		return s.draft, unmodified(w)
	}, a.ownHost(c))
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	return c.selected(a.linked(c, a.saved(c, w, a.healthIfKnown(c.Context(), w), s.draft))), nil
}

// patchWebhook changes some members of a webhook.
func (a *api) patchWebhook(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	changes, err := readPatch(c)
	if err != nil {
		return reply{}, err
	}
	unmodified, err := unmodifiedSince(c)
	if err != nil {
		return reply{}, err
	}
	tests := slices.ContainsFunc(changes, func(ch change) bool { return ch.op == "test" })
	var s stated
	w, err := a.Registry.Save(c.Context(), c.who, id, func(w webhook.Webhook) (webhook.Draft, error) {
		if err := unmodified(w); err != nil {
			return webhook.Draft{}, err
		}
		var health webhook.Health
		if tests {
			health = a.healthIfKnown(c.Context(), w)
		}
		if s, err = c.patch(w, health, changes); err != nil {
			return webhook.Draft{}, err
		}
		if s.id != 0 && s.id != id {
			s.faults.Add("WebhookId", "is %d, and the address says %d", s.id, id)
		}
		return s.draft, s.check(a.rules(c))
	}, a.ownHost(c))
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	return c.selected(a.linked(c, a.saved(c, w, a.healthIfKnown(c.Context(), w), s.draft))), nil
}

func (a *api) deleteWebhook(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	unmodified, err := unmodifiedSince(c)
	if err != nil {
		return reply{}, err
	}
	if err := a.Registry.Delete(c.Context(), c.who, id, unmodified); err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	return noContent(nil), nil
}

// endOverlap makes a secret that was replaced stop signing at once.
func (a *api) endOverlap(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	if err := a.Registry.EndOverlap(c.Context(), c.who, id); err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	return noContent(nil), nil
}

// readWebhook reads the webhook that a call's body must hold.
func (a *api) readWebhook(c *call) (stated, error) {
	object, err := wire.ReadObject(c.Request, carriers)
	if err != nil {
		return stated{}, err
	}
	if object.IsZero() {
		return stated{}, webhook.Invalid("the body holds no webhook")
	}
	return c.readMembers(object.Members(), webhookMembers), nil
}

// saved shows what a save stored. It is done whatever happens now: what cannot
// be read any more is masked or zero.
func (a *api) saved(c *call, w webhook.Webhook, health webhook.Health, d webhook.Draft) entity {
	clear := clearIn(d)
	if a.SecretVisible {
		if doc, err := a.Registry.Document(c.Context(), w); err == nil {
			clear = clearOf(doc)
		}
	}
	return showWebhook(w, health, clear)
}

// linked adds the links that REST shows and the agent does not.
func (a *api) linked(c *call, e entity) entity {
	e.Links = a.links(c, e.WebhookID)
	return e
}

// show gives stored webhooks of a tenant as they are shown to everyone.
func (a *api) show(ctx context.Context, tenant webhook.Tenant, webhooks ...webhook.Webhook) ([]entity, error) {
	ids := make([]int32, len(webhooks))
	for i, w := range webhooks {
		ids[i] = w.ID
	}
	healths, err := a.Health(ctx, tenant, ids)
	if _, err = webhook.Readable(err); err != nil { // counters that cannot be read are shown as 0
		return nil, err
	}
	shown := make([]entity, len(webhooks))
	for i, w := range webhooks {
		var clear clearTexts
		if a.SecretVisible {
			doc, err := a.Registry.Document(ctx, w)
			if err != nil && !errors.Is(err, webhook.ErrSecretUnavailable) {
				return nil, err
			}
			clear = clearOf(doc) // of a secret that is lost: nothing, so it is masked
		}
		shown[i] = showWebhook(w, healths[w.ID], clear)
	}
	return shown, nil
}

// healthIfKnown reads a webhook's counters for an answer that must not fail.
func (a *api) healthIfKnown(ctx context.Context, w webhook.Webhook) webhook.Health {
	healths, err := a.Health(ctx, w.Tenant, []int32{w.ID})
	if err != nil {
		return webhook.Health{}
	}
	return healths[w.ID]
}

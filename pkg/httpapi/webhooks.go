package httpapi

import (
	"context"
	"errors"
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// defaultWebhook shows the webhook that SuperOffice offers as a start. It is not
// stored.
func (a *api) defaultWebhook(*call) (reply, error) {
	w := webhook.Webhook{Events: []string{"contact.created", "contact.deleted"}, State: webhook.StateActive, Type: "webhook"}
	return ok(showWebhook(w, webhook.Health{}, clearTexts{})), nil
}

// createWebhook always creates a webhook: an id in the body is ignored.
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
// returns it as it is shown.
func (a *api) create(c *call, d webhook.Draft) (entity, error) {
	registry, err := a.founding(c, d)
	if err != nil {
		return entity{}, err
	}
	key := c.Header.Get(headerIdempotencyKey)
	if key == "" {
		w, err := registry.Create(c.Context(), c.who, d, a.ownHost(c))
		if err != nil {
			return entity{}, err
		}
		return a.saved(c, w, webhook.Health{}, d), nil
	}
	w, repeated, err := registry.CreateOnce(c.Context(), c.who, key, d, a.ownHost(c))
	if err != nil {
		return entity{}, err
	}
	if !repeated {
		return a.saved(c, w, webhook.Health{}, d), nil
	}
	// This call set no secret, so its response is that of a read.
	shown, err := a.show(c.Context(), c.who.Tenant, w)
	if err != nil {
		return entity{}, err
	}
	return shown[0], nil
}

// founding returns the registry for a create: with the query parameter since, one that
// also creates a replay of the events since then.
func (a *api) founding(c *call, d webhook.Draft) (*webhook.Registry, error) {
	var wrong webhook.Faults
	since := c.instant("since", &wrong)
	if err := wrong.Err(); err != nil || since.IsZero() {
		return a.Registry, err
	}
	stored, err := a.Replays.Since(a.Registry.Webhooks, c.who, d, since)
	if err != nil {
		return nil, err
	}
	registry := *a.Registry
	registry.Webhooks = stored
	return &registry, nil
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

// putWebhook replaces the webhook whose id is in the address.
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
		s.faults.Add("WebhookId", "is %d, but the id in the address is %d", s.id, id)
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
			s.faults.Add("WebhookId", "is %d, but the id in the address is %d", s.id, id)
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

// endOverlap stops signing with the previous secret at once.
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

// readWebhook reads the webhook in a call's body, which is required.
func (a *api) readWebhook(c *call) (stated, error) {
	object, err := webhookObject(c)
	if err != nil {
		return stated{}, err
	}
	return c.readMembers(object.Members(), webhookMembers), nil
}

// webhookObject reads a body that must be a webhook.
func webhookObject(c *call) (wire.Tree, error) {
	object, err := wire.ReadObject(c.Request, carriers)
	if err != nil {
		return wire.Tree{}, err
	}
	if object.IsZero() {
		return wire.Tree{}, webhook.Invalid("the body must be a webhook")
	}
	return object, nil
}

// saved returns the webhook that a save stored, as it is shown. The save has
// succeeded, so nothing may fail now: a value that cannot be read is masked or
// zero.
func (a *api) saved(c *call, w webhook.Webhook, health webhook.Health, d webhook.Draft) entity {
	visible := clearIn(d)
	if a.SecretVisible {
		if doc, err := a.Registry.Document(c.Context(), w); err == nil {
			visible = clearOf(doc)
		}
	}
	return showWebhook(w, health, visible)
}

// linked adds the links, which REST shows and the agent does not.
func (a *api) linked(c *call, e entity) entity {
	e.Links = a.links(c, e.WebhookID)
	return e
}

// show returns stored webhooks of a tenant as every read shows them.
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
		var visible clearTexts
		if a.SecretVisible {
			doc, err := a.Registry.Document(ctx, w)
			if err != nil && !errors.Is(err, webhook.ErrSecretUnavailable) {
				return nil, err
			}
			visible = clearOf(doc) // empty for a lost secret, which is then masked
		}
		shown[i] = showWebhook(w, healths[w.ID], visible)
	}
	return shown, nil
}

// healthIfKnown reads a webhook's counters for a response that must not fail.
func (a *api) healthIfKnown(ctx context.Context, w webhook.Webhook) webhook.Health {
	healths, err := a.Health(ctx, w.Tenant, []int32{w.ID})
	if err != nil {
		return webhook.Health{}
	}
	return healths[w.ID]
}

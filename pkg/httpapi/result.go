package httpapi

import (
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// result is SuperOffice's WebhookResult.
type result struct {
	Success         bool
	Message         textOrNull
	TableRight      *tableRight
	FieldProperties *fieldProperties
}

// testWebhook sends the test event to the target of a webhook that need not be
// stored. That the target did not take it is an answer like any other.
func (a *api) testWebhook(c *call) (reply, error) {
	s, err := a.readWebhook(c)
	if err != nil {
		return reply{}, err
	}
	return a.test(c, s, func(err error) error { return err })
}

// test tests the webhook that a body states; misread words what cannot be read of
// it.
func (a *api) test(c *call, s stated, misread func(error) error) (reply, error) {
	s.draft = s.draft.Tried()
	if err := s.check(a.rules(c)); err != nil {
		return reply{}, misread(err)
	}
	r, err := a.Registry.TestDraft(c.Context(), c.who, s.id, s.draft, a.ownHost(c))
	if err != nil {
		return reply{}, err
	}
	message := r.Response
	if message == "" {
		message = r.Failure()
	}
	return c.selected(result{r.Error == webhook.AttemptOK, textOrNull(message), fullRight, &fieldProperties{}}), nil
}

// lastError gives what a webhook's target last answered that was no success.
func (a *api) lastError(c *call) (reply, error) {
	id, err := c.webhookID()
	if err != nil {
		return reply{}, err
	}
	return a.lastErrorOf(c, id)
}

func (a *api) lastErrorOf(c *call, id int32) (reply, error) {
	w, err := a.Registry.Get(c.Context(), c.who, id)
	if err != nil {
		return reply{}, webhookNotFound(err, id)
	}
	healths, err := a.Health(c.Context(), w.Tenant, []int32{id})
	if err != nil {
		return reply{}, err
	}
	return ok(textOrNull(healths[id].LastError)), nil
}

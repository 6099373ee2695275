package httpapi

import (
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// result is SuperOffice's WebhookResult.
type result struct {
	Success         bool
	Message         textOrNull
	TableRight      *tableRight
	FieldProperties *fieldProperties
}

// testWebhook sends the test event to the target of a webhook, which need not be
// stored. A target that refuses the event is a normal result.
func (a *api) testWebhook(c *call) (reply, error) {
	object, err := webhookObject(c)
	if err != nil {
		return reply{}, err
	}
	s, err := a.tested(c, object, c.readMembers(object.Members(), webhookMembers))
	if err != nil {
		return reply{}, err
	}
	if name := c.query("event"); name != "" {
		return a.testSample(c, s, name)
	}
	return a.test(c, s)
}

// tested returns the webhook to test, which an object states as s. An object with the
// id of a stored webhook and without a target means that webhook: members that are
// missing or null are the stored ones.
func (a *api) tested(c *call, object wire.Tree, s stated) (stated, error) {
	if s.id != 0 && !states(object, "TargetUrl") && len(s.faults) == 0 {
		w, err := a.Registry.Get(c.Context(), c.who, s.id)
		if err != nil {
			return s, webhookNotFound(err, s.id)
		}
		if s, err = c.patch(w, webhook.Health{}, statedChanges(object)); err != nil {
			return s, err
		}
	}
	s.draft = s.draft.Tried()
	return s, s.check(a.rules(c))
}

func (a *api) test(c *call, s stated) (reply, error) {
	r, err := a.Registry.TestDraft(c.Context(), c.who, s.id, s.draft, a.ownHost(c))
	if err != nil {
		return reply{}, err
	}
	return c.selected(showResult(r)), nil
}

// showResult shows the result of a test.
func showResult(r webhook.Result) result {
	message := r.Response
	if message == "" {
		message = r.Failure()
	}
	return result{r.Error == failure.None, textOrNull(message), fullRight, &fieldProperties{}}
}

// states reports whether an object has a member that is not null.
func states(object wire.Tree, name string) bool {
	member, _ := object.Named(name)
	return !member.IsZero() && member.Kind() != wire.KindNull
}

// statedChanges returns the changes that set the writable members of an object
// which are not null.
func statedChanges(object wire.Tree) []change {
	return slices.DeleteFunc(mergeChanges(object), func(ch change) bool { return ch.value.Kind() == wire.KindNull })
}

// lastError returns the last error of a webhook's target.
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

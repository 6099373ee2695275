package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
)

// ping tests a target before it is saved, if that matters: the result is Active,
// and the webhook is new or re-activated, its target or headers changed, or its
// secrets may change. So a dead target never prevents stopping the webhook, or
// renaming it by a draft that masks its secrets.
func (r *Registry) ping(ctx context.Context, old, w Webhook, doc SecretDocument, secretsMayChange bool) error {
	if !r.checksTargets() || w.State != StateActive || !secretsMayChange && !r.pings(old, w) {
		return nil
	}
	trial, err := r.test(ctx, w, doc, testEvent)
	if err != nil {
		return err
	}
	result := trial.Result
	if result.Error == failure.None {
		return nil
	}
	text := "did not accept the test event: " + result.Failure()
	if result.StatusCode != 0 {
		text = fmt.Sprintf("responded to the test event with %d", result.StatusCode)
	}
	if result.Location != "" {
		text += ", a redirect to " + result.Location + "; redirects are not followed"
	}
	if result.Response != "" {
		text += ": " + Truncate(result.Response, maxShownResponse)
	}
	return invalidMember("TargetUrl", "%s", text)
}

// maxShownResponse is how much of a target's response to the test event an error
// repeats, in bytes.
const maxShownResponse = 512

func (r *Registry) checksTargets() bool { return r.Ping != nil && !r.SkipTargetCheck }

// pings reports whether the change of a webhook, apart from its secrets, requires a
// test of its target.
func (r *Registry) pings(old, w Webhook) bool {
	return r.checksTargets() && w.State == StateActive &&
		(old.State != StateActive || old.TargetURL != w.TargetURL || !slices.Equal(old.Headers, w.Headers))
}

// Trial is a test of a target: the event that was sent to a webhook, stored or not,
// and what came of it.
type Trial struct {
	Webhook Webhook
	Event   Event
	Result  Result
}

// TestDraft sends the test event to the target of a draft, which need not be
// stored, and returns the result. id is the stored webhook that the draft is based
// on, 0 for none: its secrets take the place of those that the draft masks or
// leaves out, and a masked header value is sent to the origin of its target only. A
// webhook that the principal does not see counts as none.
//
// Errors: *ValidationError, ErrSecretUnavailable, ErrUnavailable (also if Ping is
// nil). A failed test is a Result, not an error.
func (r *Registry) TestDraft(ctx context.Context, who Principal, id int32, d Draft, ownHosts ...string) (Result, error) {
	trial, err := r.TestSample(ctx, who, id, d, testEvent, ownHosts...)
	return trial.Result, err
}

// testEvent is what a test sends unless it has a sample.
var testEvent = Event{Name: TestEventName}

// TestSample is TestDraft with an event of the caller's: its Name, Data, Content and
// ChangedBy. It is about no record: its PrimaryKey is 0, and it has no Key.
func (r *Registry) TestSample(ctx context.Context, who Principal, id int32, d Draft, e Event, ownHosts ...string) (Trial, error) {
	d = d.Tried()
	var (
		stored Webhook
		old    SecretDocument
		err    error
	)
	if id != 0 {
		stored, err = r.Get(ctx, who, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Trial{}, err
		}
	}
	if err := d.validate(stored, r.Rules.Own(ownHosts...)); err != nil {
		return Trial{}, err
	}
	if old, _, err = r.documentToChange(ctx, stored, d); err != nil {
		return Trial{}, fmt.Errorf("webhook %d: %w", id, err)
	}
	stored.Tenant = who.Tenant
	doc, err := d.document(old, time.Time{})
	if err != nil {
		return Trial{}, err
	}
	return r.test(ctx, d.webhook(stored), doc, e)
}

// test sends a signed event, marked as a test, to a webhook's target. The webhook
// need not be stored.
func (r *Registry) test(ctx context.Context, w Webhook, doc SecretDocument, e Event) (Trial, error) {
	if r.Ping == nil {
		return Trial{}, fmt.Errorf("test webhook: %w", ErrUnavailable)
	}
	now := r.Now().UTC()
	id, err := NewEventID(now, r.Random)
	if err != nil {
		return Trial{}, err
	}
	event := Event{Tenant: w.Tenant, ID: id, Name: e.Name, Data: e.Data, Content: e.Content, ChangedBy: e.ChangedBy, At: now}
	unchanged := func(ctx context.Context) bool {
		stored, err := r.Webhooks.Get(ctx, w.Tenant, w.ID)
		return err == nil && stored.Secret == w.Secret
	}
	result := r.Ping(ctx, Post{Webhook: w, Event: event, Secrets: doc, Test: true, Timeout: pingTimeout, Unchanged: unchanged})
	return Trial{w, event, result}, nil
}

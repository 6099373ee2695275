package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ping checks a target before it is saved, where that matters: the result is
// Active, and the webhook is new or re-activated, its target or headers
// changed, or its secrets may have. A dead target thus never prevents stopping,
// nor renaming by a draft that masks its secrets.
func (r *Registry) ping(ctx context.Context, old, w Webhook, doc SecretDocument, secretsMayChange bool) error {
	if !r.checksTargets() || w.State != StateActive || !secretsMayChange && !r.pings(old, w) {
		return nil
	}
	result, err := r.test(ctx, w, doc)
	if err != nil {
		return err
	}
	if result.Error == AttemptOK {
		return nil
	}
	text := "did not accept the test event: " + result.Failure()
	if result.StatusCode != 0 {
		text = fmt.Sprintf("answered the test event with %d", result.StatusCode)
	}
	if result.Location != "" {
		text += ", a redirect to " + result.Location + "; redirects are not followed"
	}
	if result.Response != "" {
		text += ": " + truncate(result.Response, MaxStoredResponse)
	}
	return InvalidMember("TargetUrl", "%s", text)
}

func (r *Registry) checksTargets() bool { return r.Ping != nil && !r.SkipTargetCheck }

// pings reports whether the change of a webhook, leaving its secrets aside, asks
// for a test of its target.
func (r *Registry) pings(old, w Webhook) bool {
	return r.checksTargets() && w.State == StateActive &&
		(old.State != StateActive || old.TargetURL != w.TargetURL || !slices.Equal(old.Headers, w.Headers))
}

// TestDraft sends the test event to the target of a draft that need not be
// stored, and returns what came of it. id is the stored webhook that the draft
// was made of, 0 for none: what the draft masks or leaves unsaid is signed and
// sent as that one's; a masked header value goes to that one's origin alone. A
// webhook that the principal does not see has nothing to lend.
//
// Errors: *ValidationError, ErrSecretUnavailable, ErrUnavailable (also where
// Ping is nil). That the target did not answer well is no error.
func (r *Registry) TestDraft(ctx context.Context, who Principal, id int32, d Draft, ownHosts ...string) (Result, error) {
	d = d.Tried()
	var (
		stored Webhook
		old    SecretDocument
		err    error
	)
	if id != 0 {
		stored, err = r.Get(ctx, who, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Result{}, err
		}
	}
	if err := d.validate(stored, r.Rules.Own(ownHosts...)); err != nil {
		return Result{}, err
	}
	if old, _, err = r.documentToChange(ctx, stored, d); err != nil {
		return Result{}, fmt.Errorf("webhook %d: %w", id, err)
	}
	stored.Tenant = who.Tenant
	doc, err := d.document(old, time.Time{})
	if err != nil {
		return Result{}, err
	}
	return r.test(ctx, d.webhook(stored), doc)
}

// test sends the test event to a webhook's target, signed, and returns what
// came of it. The webhook need not be stored.
func (r *Registry) test(ctx context.Context, w Webhook, doc SecretDocument) (Result, error) {
	if r.Ping == nil {
		return Result{}, fmt.Errorf("test webhook: %w", ErrUnavailable)
	}
	now := r.Now().UTC()
	id, err := NewEventID(now, r.Random)
	if err != nil {
		return Result{}, err
	}
	event := Event{Tenant: w.Tenant, ID: id, Name: TestEventName, At: now}
	unchanged := func(ctx context.Context) bool {
		stored, err := r.Webhooks.Get(ctx, w.Tenant, w.ID)
		return err == nil && stored.Secret == w.Secret
	}
	return r.Ping(ctx, Post{Webhook: w, Event: event, Secrets: doc, Test: true, Timeout: pingTimeout, Unchanged: unchanged}), nil
}

// TargetHost gives the host of a target, the only part of it that may be
// logged. "" if the target cannot be read.
func TargetHost(target string) string {
	_, rest, ok := strings.Cut(target, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

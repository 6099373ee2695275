package dispatch

import (
	"context"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// signer returns the secret to start with: the one that the target accepted last,
// as far as this process knows. A wrong guess costs one POST.
func (s *healths) signer(w webhook.Webhook) webhook.Signer {
	known, _ := s.remembered.Get(string(w.Tenant), w.ID)
	return known.health.Signing.For(w.Secret)
}

// learn caches which secret a target accepted, or did not refuse, before its health
// is written: concurrent attempts start with that secret.
func (s *healths) learn(w webhook.Webhook, p webhook.Preference) {
	if p.Signer == webhook.SignerNone {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.remembered.Get(string(w.Tenant), w.ID); ok {
		r.health.Signing = p
		s.remembered.Put(string(w.Tenant), w.ID, r, healthBytes)
	}
}

// preference returns the secret to start with after a result; the zero Preference
// if the result does not show one.
func preference(w webhook.Webhook, r webhook.Result) webhook.Preference {
	if r.Signer == webhook.SignerNone {
		return webhook.Preference{}
	}
	return webhook.Preference{Version: w.Secret.Version, Signer: r.Signer}
}

// unchanged returns a function that reports whether the webhook has not changed
// since an attempt in the fast lane read it, in a view fresh enough for another
// POST.
func (b *batch) unchanged(d firstAttempt) func(context.Context) bool {
	return func(ctx context.Context) bool {
		w, _, matches, err := b.view.rematch(ctx, d.event, b.records[d.record].Accepted, d.webhook.ID)
		return err == nil && matches && w.Revision == d.webhook.Revision
	}
}

// unchanged returns a function that reports whether the webhook has not changed
// since a leased attempt read it.
func (c *consumer) unchanged(m delivery.Message, a leasedAttempt) func(context.Context) bool {
	return func(ctx context.Context) bool {
		w, _, err := c.subject(ctx, m)
		return err == nil && w.Revision == a.webhook.Revision
	}
}

// undecided enqueues a delivery whose target refused one secret, and was not sent
// the other in time. The rest of the batch for the webhook is enqueued too.
// Health learns which secret to start with, at once. Attempts that were in flight
// by then only count their POSTs, with the batch's last write.
func (b *batch) undecided(ctx context.Context, d firstAttempt, result webhook.Result) {
	b.queue(d)
	b.mu.Lock()
	again := b.slow[d.webhookKey()]
	b.slow[d.webhookKey()] = true
	b.mu.Unlock()
	if again {
		result.Signer = webhook.SignerNone
	}
	b.reports.add(d.webhook, result)
	if !again {
		b.reports.flushOne(ctx, d.webhookKey())
	}
}

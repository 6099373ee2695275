package dispatch

import (
	"context"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// signer returns the secret to start with: the one that the target accepted
// last, as far as this process remembers. A wrong guess costs one POST.
func (s *healths) signer(w webhook.Webhook) webhook.Signer {
	known, _ := s.remembered.Get(string(w.Tenant), w.ID)
	return known.health.Signing.For(w.Secret)
}

// learn remembers which secret a target accepted, or did not refuse, before its
// health is written: attempts beside this one start with it.
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

// preference is what a result says about the webhook's secrets.
func preference(w webhook.Webhook, r webhook.Result) webhook.Preference {
	if r.Signer == webhook.SignerNone {
		return webhook.Preference{}
	}
	return webhook.Preference{Version: w.Secret.Version, Signer: r.Signer}
}

// unchanged reports whether the webhook is still as an attempt in the fast lane
// has it, in a view that is fresh enough to start another POST.
func (b *batch) unchanged(d delivery) func(context.Context) bool {
	return func(ctx context.Context) bool {
		w, _, matches, err := b.view.rematch(ctx, d.event, b.records[d.record].Accepted, d.webhook.ID)
		return err == nil && matches && w.Revision == d.webhook.Revision
	}
}

// unchanged reports whether the webhook is still as a leased attempt has it.
func (c *consumer) unchanged(m webhook.Message, a leasedAttempt) func(context.Context) bool {
	return func(ctx context.Context) bool {
		w, _, err := c.subject(ctx, m)
		return err == nil && w.Revision == a.webhook.Revision
	}
}

// undecided hands a delivery to the queue whose target refused one secret and
// was not asked about the other in time. The rest of the batch goes there too.
// Health learns which secret to start with, at once. Attempts that were in flight
// by then only count their POSTs, with the batch's last write.
func (b *batch) undecided(ctx context.Context, d delivery, result webhook.Result) {
	b.queue(d)
	b.mu.Lock()
	again := b.slow[d.webhookKey()]
	b.slow[d.webhookKey()] = true
	b.mu.Unlock()
	if again {
		result.Signer = webhook.SignerNone
	}
	b.reports.add(d.webhook, result, "")
	if !again {
		b.reports.flushOne(ctx, d.webhookKey())
	}
}

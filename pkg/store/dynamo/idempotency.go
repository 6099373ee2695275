package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Remember claims an idempotency key for an event or a webhook. The markers are
// stored in the Events table under keys that begin with K#, which the stream
// mapping's filter excludes.
func (s *Events) Remember(ctx context.Context, tenant webhook.Tenant, hash string, claim webhook.IdempotencyClaim, now time.Time) (webhook.IdempotencyClaim, error) {
	return s.claim(ctx, tenant, hash, claim, expiredBy(now))
}

// Reclaim is Remember, except that a claim for the replaced webhook counts as
// free.
func (s *Events) Reclaim(ctx context.Context, tenant webhook.Tenant, hash string, replaced int32, claim webhook.IdempotencyClaim, now time.Time) (webhook.IdempotencyClaim, error) {
	free := expiredBy(now)
	free.text += " OR webhook = :replaced"
	free.values[":replaced"] = number(replaced)
	return s.claim(ctx, tenant, hash, claim, free)
}

// claim puts a marker if there is none or the existing one counts as free.
func (s *Events) claim(ctx context.Context, tenant webhook.Tenant, hash string, claim webhook.IdempotencyClaim, free condition) (webhook.IdempotencyClaim, error) {
	it := markerKey(tenant, hash)
	it.setText("event", string(claim.Event))
	it.setInt("webhook", int64(claim.Webhook))
	it.setText("body", claim.Body)
	it.setExpiry(claim.Expires)
	free.text = "attribute_not_exists(pk) OR " + free.text
	existing, ok, err := s.put(ctx, it, free)
	if err != nil {
		return webhook.IdempotencyClaim{}, wrap(err, "claim idempotency key")
	}
	if ok {
		existing = it
	}
	return decodeClaim(existing)
}

// Recall reads a marker.
func (s *Events) Recall(ctx context.Context, tenant webhook.Tenant, hash string, now time.Time) (webhook.IdempotencyClaim, error) {
	it, err := s.get(ctx, markerKey(tenant, hash))
	if err != nil {
		return webhook.IdempotencyClaim{}, wrap(err, "read idempotency key")
	}
	if it == nil || it.expired(now) {
		return webhook.IdempotencyClaim{}, fmt.Errorf("read idempotency key: %w", webhook.ErrNotFound)
	}
	return decodeClaim(it)
}

func markerKey(tenant webhook.Tenant, hash string) item {
	return key(fmt.Sprintf("K#%s#%s", tenant, hash), "K")
}

func decodeClaim(it item) (webhook.IdempotencyClaim, error) {
	r := reader{item: it}
	return webhook.IdempotencyClaim{
		Event: webhook.EventID(r.text("event")), Webhook: r.int32("webhook"), Body: r.text("body"), Expires: r.time(attrExpiresMS),
	}, r.err
}

// expiredBy is met by an item that counts as absent at now.
func expiredBy(now time.Time) condition {
	return condition{text: "expires_ms <= :now", values: item{":now": millis(now)}}
}

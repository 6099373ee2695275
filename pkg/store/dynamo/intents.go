package dynamo

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// intentPK is the single partition of all intents, so that the sweep lists them
// by key. The secret store, which creates and deletes at most 50 secrets per
// second each, bounds its traffic.
const intentPK = "O"

// PutIntent records that a secret may exist that its webhook does not
// reference.
func (s *Webhooks) PutIntent(ctx context.Context, intent webhook.Intent) error {
	it := key(intentPK, intent.Secret)
	it["tenant"] = text(string(intent.Tenant))
	it["id"] = number(intent.Webhook)
	it["at"] = millis(intent.At)
	_, _, err := s.put(ctx, it, condition{})
	return wrap(err, "put intent for webhook %d", intent.Webhook)
}

// RemoveIntent removes the intent unless it was put again at another time.
func (s *Webhooks) RemoveIntent(ctx context.Context, intent webhook.Intent) error {
	same := condition{text: "#at = :at", names: []string{"at"}, values: item{":at": millis(intent.At)}}
	_, err := s.remove(ctx, key(intentPK, intent.Secret), same)
	return wrap(err, "remove intent")
}

// Intents lists intents, oldest first. It sorts them in memory: there are only
// those of crashed and of running calls.
func (s *Webhooks) Intents(ctx context.Context, before time.Time, limit int) ([]webhook.Intent, error) {
	var found []webhook.Intent
	var broken unreadable
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(intentPK)},
		ConsistentRead:            aws.Bool(true),
	}, func(it item) bool {
		r := reader{item: it}
		intent := webhook.Intent{
			Secret: r.text(attrSK), Tenant: webhook.Tenant(r.text("tenant")), Webhook: r.int32("id"), At: r.time("at"),
		}
		switch {
		case r.err != nil:
			broken.add(it, r.err)
		case intent.At.Before(before):
			found = append(found, intent)
		}
		return true
	})
	if err != nil {
		return nil, wrap(err, "list intents")
	}
	slices.SortStableFunc(found, func(a, b webhook.Intent) int { return a.At.Compare(b.At) })
	return found[:min(len(found), max(limit, 0))], broken.err()
}

package dynamo

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Erasure removes a tenant's stored data; see tenancy.Erasure. Removals reach
// the stream, but not as INSERT, so they trigger nothing.
type Erasure struct{ webhooks, events, deliveries table }

var _ tenancy.Erasure = (*Erasure)(nil)

// eraseAtOnce is how many deletions run at a time.
const eraseAtOnce = 16

// EraseEvents removes events, partition by partition.
func (s *Erasure) EraseEvents(ctx context.Context, tenant webhook.Tenant, limit int) (int, error) {
	n, err := erase(ctx, &s.events, eventPartitions, limit, "", func(n int) string { return eventPK(tenant, n) })
	return n, wrap(err, "erase events of %s", tenant)
}

// EraseDeliveries removes the webhook's timer, and rows and responses, partition by
// partition.
func (s *Erasure) EraseDeliveries(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	if _, err := s.deliveries.remove(ctx, timerKey(webhook.Key{Tenant: tenant, ID: id}), condition{}); err != nil {
		return 0, wrap(err, "erase timer of webhook %d", id)
	}
	n, err := erase(ctx, &s.deliveries, 2*deliveryPartitions, limit, "", func(n int) string {
		if n < deliveryPartitions {
			return deliveryPK(tenant, id, n)
		}
		return responsePK(tenant, id, n-deliveryPartitions)
	})
	return n, wrap(err, "erase deliveries of webhook %d", id)
}

// EraseSubscriptions removes pointers, also those that a create or an update left over.
func (s *Erasure) EraseSubscriptions(ctx context.Context, tenant webhook.Tenant, limit int) (int, error) {
	n, err := erase(ctx, &s.webhooks, 1, limit, pointerPrefix, func(int) string { return tenantPK(tenant) })
	return n, wrap(err, "erase subscriptions of %s", tenant)
}

// EraseHistory removes the replaced revisions of a webhook.
func (s *Erasure) EraseHistory(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	n, err := erase(ctx, &s.webhooks, 1, limit, "", func(int) string { return historyPK(tenant, id) })
	return n, wrap(err, "erase history of webhook %d", id)
}

// EraseStatistics removes the statistics of a webhook.
func (s *Erasure) EraseStatistics(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	n, err := erase(ctx, &s.webhooks, 1, limit, "", func(int) string { return statisticsPK(tenant, id) })
	return n, wrap(err, "erase statistics of webhook %d", id)
}

// erase removes up to limit items, whose sk begins with a prefix, from some partitions.
// No live writer may put any of them again.
func erase(ctx context.Context, t *table, partitions, limit int, prefix string, pk func(int) string) (int, error) {
	found, err := eachPartition(partitions, func(n int) (keys []item, err error) {
		where, values := "pk = :pk", item{":pk": text(pk(n))}
		if prefix != "" { // a condition must not have an empty string
			where, values[":prefix"] = where+" AND begins_with(sk, :prefix)", text(prefix)
		}
		err = t.query(ctx, dynamodb.QueryInput{
			KeyConditionExpression:    aws.String(where),
			ExpressionAttributeValues: values,
			ProjectionExpression:      aws.String("pk, sk"),
			ConsistentRead:            aws.Bool(true),
			Limit:                     pageLimit(limit),
		}, func(it item) bool {
			keys = append(keys, item{attrPK: it[attrPK], attrSK: it[attrSK]})
			return len(keys) < limit
		})
		return keys, err
	})
	if err != nil {
		return 0, err
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		errs   []error
		erased int
	)
	slots := make(chan struct{}, eraseAtOnce)
	for _, keys := range found {
		for _, k := range keys {
			if erased == limit {
				break
			}
			erased++
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				if _, err := t.remove(ctx, k, condition{}); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, err)
				}
			})
		}
	}
	wg.Wait()
	return erased, errors.Join(errs...)
}

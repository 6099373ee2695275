package dynamo

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Events is the store of events; see webhook.Events.
type Events struct{ table }

// eventPartitions spreads a tenant's events, so that its busiest second is not
// bound to what one partition of DynamoDB takes (1,000 writes).
const eventPartitions = 16

func eventPK(tenant webhook.Tenant, n int) string { return fmt.Sprintf("T#%s#%d", tenant, n) }

func eventKey(tenant webhook.Tenant, id webhook.EventID) item {
	return key(eventPK(tenant, id.Partition(eventPartitions)), string(id))
}

// Put stores an event under its id if there is none.
func (s *Events) Put(ctx context.Context, e webhook.Event) error {
	it, err := encodeEvent(e)
	if err != nil {
		return err
	}
	stands, ok, err := s.put(ctx, it, absent)
	if err == nil && !ok && stands.expired(s.now()) {
		// Overwriting the old one would be a MODIFY in the stream, which
		// nobody delivers: remove it, then insert.
		if err = s.remove(ctx, eventKey(e.Tenant, e.ID), expiredBy(s.now())); err == nil {
			_, _, err = s.put(ctx, it, absent)
		}
	}
	return fault(err, "put event %s", e.ID)
}

// Get reads an event.
func (s *Events) Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error) {
	it, err := s.get(ctx, eventKey(tenant, id))
	if err != nil {
		return webhook.Event{}, fault(err, "get event %s", id)
	}
	if it == nil || it.expired(s.now()) {
		return webhook.Event{}, fmt.Errorf("get event %s: %w", id, webhook.ErrNotFound)
	}
	return decodeEvent(it)
}

// List merges the tenant's partitions by id.
func (s *Events) List(ctx context.Context, tenant webhook.Tenant, first, last webhook.EventID, limit int) ([]webhook.Event, error) {
	if limit <= 0 || first > last {
		return nil, nil
	}
	parts, err := eachPartition(eventPartitions, func(n int) ([]webhook.Event, error) {
		var found []webhook.Event
		var broken error
		now := s.now()
		err := s.query(ctx, dynamodb.QueryInput{
			KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :first AND :last"),
			ExpressionAttributeValues: item{
				":pk": text(eventPK(tenant, n)), ":first": text(string(first)), ":last": text(string(last)),
			},
			ConsistentRead: aws.Bool(true),
			Limit:          pageLimit(limit),
		}, func(it item) bool {
			if it.expired(now) {
				return true
			}
			e, err := decodeEvent(it)
			if err != nil {
				broken = err
				return false
			}
			found = append(found, e)
			return len(found) < limit
		})
		if err != nil {
			return nil, fault(err, "list events of %s", tenant)
		}
		return found, broken
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(parts...)
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID }) // slices.SortFunc is 20 KB of code for each large type
	return all[:min(len(all), limit)], nil
}

// eachPartition reads n partitions at once and returns when all reads have
// ended.
func eachPartition[T any](n int, read func(n int) ([]T, error)) ([][]T, error) {
	parts, errs := make([][]T, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { parts[i], errs[i] = read(i) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

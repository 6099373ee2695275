package dynamo

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Events stores events; see webhook.Events.
type Events struct{ table }

// eventPartitions is how many partitions a tenant's events are spread over, so
// that a tenant can exceed the 1,000 writes per second of one DynamoDB
// partition.
const eventPartitions = 16

func eventPK(tenant webhook.Tenant, n int) string { return fmt.Sprintf("T#%s#%d", tenant, n) }

func eventKey(tenant webhook.Tenant, id webhook.EventID) item {
	return key(eventPK(tenant, id.Partition(eventPartitions)), string(id))
}

// Put stores an event unless its id is taken.
func (s *Events) Put(ctx context.Context, e webhook.Event) error {
	it, err := encodeEvent(e)
	if err != nil {
		return err
	}
	existing, ok, err := s.put(ctx, it, absent)
	if err == nil && !ok && existing.expired(s.now()) {
		// Overwriting the expired item would be a MODIFY in the stream, which
		// dispatch ignores: remove it, then insert.
		if _, err = s.remove(ctx, eventKey(e.Tenant, e.ID), expiredBy(s.now())); err == nil {
			_, _, err = s.put(ctx, it, absent)
		}
	}
	return wrap(err, "put event %s", e.ID)
}

// Get returns an event.
func (s *Events) Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error) {
	it, err := s.get(ctx, eventKey(tenant, id))
	if err != nil {
		return webhook.Event{}, wrap(err, "get event %s", id)
	}
	if it == nil || it.expired(s.now()) {
		return webhook.Event{}, fmt.Errorf("get event %s: %w", id, webhook.ErrNotFound)
	}
	return decodeEvent(it)
}

// List merges the tenant's partitions by id. Events are large, so it holds only
// those items of each partition that are likely to be returned, and decodes
// only those that are.
func (s *Events) List(ctx context.Context, tenant webhook.Tenant, first, last webhook.EventID, limit int) ([]webhook.Event, error) {
	if limit <= 0 || first > last {
		return nil, nil
	}
	parts, err := eachPartition(eventPartitions, func(n int) ([]*eventTape, error) {
		tape := &eventTape{in: dynamodb.QueryInput{
			TableName:              &s.name,
			KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :first AND :last"),
			ExpressionAttributeValues: item{
				":pk": text(eventPK(tenant, n)), ":first": text(string(first)), ":last": text(string(last)),
			},
			ConsistentRead: aws.Bool(true),
			Limit:          pageLimit(2*limit/eventPartitions + 1),
		}}
		return []*eventTape{tape}, s.wind(ctx, tape)
	})
	if err != nil {
		return nil, wrap(err, "list events of %s", tenant)
	}
	tapes := slices.Concat(parts...)
	var found []webhook.Event
	var broken unreadable
	for len(found) < limit {
		var next *eventTape
		for _, tape := range tapes {
			if len(tape.read) > 0 && (next == nil || tape.id() < next.id()) {
				next = tape
			}
		}
		if next == nil {
			break
		}
		e, err := decodeEvent(next.read[0])
		if err != nil {
			broken.add(next.read[0], err)
		} else {
			found = append(found, e)
		}
		next.read = next.read[1:]
		if err := s.wind(ctx, next); err != nil {
			return nil, wrap(err, "list events of %s", tenant)
		}
	}
	return found, broken.err()
}

// eventTape is one partition of a tenant's events, read from the start.
type eventTape struct {
	in   dynamodb.QueryInput
	read []item // but not taken yet; empty at the end of the partition
	end  bool   // nothing follows read
}

func (t *eventTape) id() string { return (&reader{item: t.read[0]}).text(attrSK) }

// wind reads until t has an event that has not expired or is at its end.
func (s *Events) wind(ctx context.Context, t *eventTape) error {
	for len(t.read) == 0 && !t.end {
		out, err := s.client.Query(ctx, &t.in)
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			if it := item(it); !it.expired(s.now()) {
				t.read = append(t.read, it)
			}
		}
		t.in.ExclusiveStartKey, t.end = out.LastEvaluatedKey, len(out.LastEvaluatedKey) == 0
	}
	return nil
}

// eachPartition reads n partitions concurrently and returns when all reads have
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

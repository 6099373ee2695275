package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// parkedIndex is the sparse index of parked rows. Its sort key is an attribute of its
// own, because every row has an sk.
const parkedIndex = "parked"

// Parked reads the index, which is always eventually consistent.
func (s *Deliveries) Parked(ctx context.Context, key webhook.Key, partition int, after webhook.EventID, limit int) ([]delivery.ParkedRow, error) {
	if limit <= 0 {
		return nil, nil
	}
	in := dynamodb.QueryInput{
		IndexName:                 aws.String(parkedIndex),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(deliveryPK(key.Tenant, key.ID, partition))},
		Limit:                     pageLimit(limit),
	}
	if after != "" {
		in.KeyConditionExpression = aws.String("pk = :pk AND parked > :after")
		in.ExpressionAttributeValues[":after"] = text(string(after))
	}
	var found []delivery.ParkedRow
	var broken unreadable
	err := s.query(ctx, in, func(it item) bool {
		r := reader{item: it}
		row := delivery.ParkedRow{
			Key: readDeliveryKey(&r), Round: r.int("round"), Attempt: r.int("attempt"), AttemptCount: r.int("count"), Replay: r.text("replay"),
		}
		if r.err != nil {
			broken.add(it, r.err)
			return true
		}
		found = append(found, row)
		return len(found) < limit
	})
	if err != nil {
		return nil, wrap(err, "parked deliveries of webhook %d", key.ID)
	}
	return found, broken.err()
}

// Waiting counts in the index, one partition after the other.
func (s *Deliveries) Waiting(ctx context.Context, key webhook.Key, limit int) (n int, err error) {
	for partition := range delivery.ParkedPartitions {
		in := dynamodb.QueryInput{
			TableName: &s.name, IndexName: aws.String(parkedIndex), Select: types.SelectCount,
			KeyConditionExpression:    aws.String("pk = :pk"),
			ExpressionAttributeValues: item{":pk": text(deliveryPK(key.Tenant, key.ID, partition))},
		}
		for n < limit {
			in.Limit = aws.Int32(int32(min(limit-n, 10_000)))
			out, err := s.client.Query(ctx, &in)
			if err != nil {
				return 0, wrap(err, "count parked deliveries of webhook %d", key.ID)
			}
			n += int(out.Count)
			if in.ExclusiveStartKey = out.LastEvaluatedKey; len(out.LastEvaluatedKey) == 0 {
				break
			}
		}
	}
	return min(n, limit), nil
}

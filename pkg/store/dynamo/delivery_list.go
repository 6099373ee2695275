package dynamo

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// dueIndex is the sparse index of unfinished rows.
const dueIndex = "due"

// List merges the webhook's partitions, newest event first.
func (s *Deliveries) List(ctx context.Context, tenant webhook.Tenant, id int32, before webhook.EventID, limit int) ([]delivery.Row, error) {
	if limit <= 0 {
		return nil, nil
	}
	var broken unreadable
	parts, err := eachPartition(deliveryPartitions, func(n int) ([]delivery.Row, error) {
		in := dynamodb.QueryInput{
			KeyConditionExpression:    aws.String("pk = :pk"),
			ExpressionAttributeValues: item{":pk": text(deliveryPK(tenant, id, n))},
			ConsistentRead:            aws.Bool(true),
			ScanIndexForward:          aws.Bool(false),
			Limit:                     pageLimit(limit),
		}
		if before != "" {
			in.KeyConditionExpression = aws.String("pk = :pk AND sk < :before")
			in.ExpressionAttributeValues[":before"] = text(string(before))
		}
		var found []delivery.Row
		err := s.query(ctx, in, func(it item) bool {
			row, err := s.row(it)
			if err != nil {
				broken.add(it, err)
			}
			if row.Exists() {
				found = append(found, row)
			}
			return len(found) < limit
		})
		if err != nil {
			return nil, wrap(err, "list deliveries of webhook %d", id)
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(parts...)
	sort.Slice(all, func(i, j int) bool { return all[i].Event > all[j].Event }) // smaller code than slices.SortFunc
	return all[:min(len(all), limit)], broken.err()
}

// Due reads the index, which is always eventually consistent.
func (s *Deliveries) Due(ctx context.Context, shard int, before time.Time, after delivery.DueRow, limit int) ([]delivery.DueRow, error) {
	if limit <= 0 {
		return nil, nil
	}
	var found []delivery.DueRow
	var broken unreadable
	in := dynamodb.QueryInput{
		IndexName:                 aws.String(dueIndex),
		KeyConditionExpression:    aws.String("due_shard = :shard AND sweep_at <= :before"),
		ExpressionAttributeValues: item{":shard": number(shard), ":before": millis(before)},
		Limit:                     pageLimit(limit),
	}
	switch {
	case after == (delivery.DueRow{}):
	case after.Event == "":
		if !after.SweepAt.Before(before) {
			return nil, nil
		}
		in.KeyConditionExpression = aws.String("due_shard = :shard AND sweep_at BETWEEN :from AND :before")
		in.ExpressionAttributeValues[":from"] = millis(after.SweepAt.Add(time.Millisecond))
	default:
		start := deliveryKey(after.Key)
		start[attrDueShard], start[attrSweepAt] = number(shard), millis(after.SweepAt)
		in.ExclusiveStartKey = start
	}
	err := s.query(ctx, in, func(it item) bool {
		r := reader{item: it}
		d := delivery.DueRow{
			Key: readDeliveryKey(&r), SweepAt: r.time(attrSweepAt), NextAt: r.time(attrNextAt), Resends: r.int(attrResends), Parked: r.text(attrParked) != "",
		}
		if r.err != nil {
			broken.add(it, r.err)
			return true
		}
		found = append(found, d)
		return len(found) < limit
	})
	if err != nil {
		return nil, wrap(err, "due deliveries of shard %d", shard)
	}
	return found, broken.err()
}

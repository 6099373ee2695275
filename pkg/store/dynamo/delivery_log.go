package dynamo

import (
	"context"
	"sort"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// logShare is the part of a webhook's log that was read of one partition, newest
// first.
type logShare struct {
	items []item
	// unread is the id down to which the partition was read. Empty: to its end.
	unread webhook.EventID
}

// Log reads one page of each partition at once. Together they show the log down to the
// newest of the ids at which the partitions' pages end: what a partition has below that
// is left to the next page.
func (s *Deliveries) Log(ctx context.Context, q delivery.LogQuery) (delivery.LogPage, error) {
	shares, err := eachPartition(deliveryPartitions, func(n int) ([]logShare, error) {
		share, err := s.logShare(ctx, q, n)
		return []logShare{share}, wrap(err, "log of webhook %d", q.Webhook)
	})
	if err != nil {
		return delivery.LogPage{}, err
	}
	var page delivery.LogPage
	var items []item
	for _, part := range shares {
		items = append(items, part[0].items...)
		page.Next = max(page.Next, part[0].unread)
	}
	sort.Slice(items, func(i, j int) bool { return eventOf(items[i]) > eventOf(items[j]) })
	var broken unreadable
	for _, it := range items {
		id := eventOf(it)
		if id < page.Next {
			break
		}
		page.Examined++
		row, err := s.row(it)
		if err != nil {
			broken.add(it, err)
		}
		if !row.Exists() || !q.Filter.Matches(row) {
			continue
		}
		if page.Deliveries = append(page.Deliveries, row); len(page.Deliveries) == q.Limit {
			page.Next = id
			break
		}
	}
	return page, broken.err()
}

// logShare reads a page of one partition.
func (s *Deliveries) logShare(ctx context.Context, q delivery.LogQuery, n int) (logShare, error) {
	in := dynamodb.QueryInput{
		TableName:                 &s.name,
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(deliveryPK(q.Tenant, q.Webhook, n))},
		ConsistentRead:            aws.Bool(true),
		ScanIndexForward:          aws.Bool(false),
		Limit:                     pageLimit((max(q.Examine, 1) + deliveryPartitions - 1) / deliveryPartitions),
	}
	switch {
	case q.First != "" && q.Before != "":
		if q.First >= q.Before {
			return logShare{}, nil // DynamoDB refuses it
		}
		// A key may be bounded once, and BETWEEN includes both bounds.
		*in.KeyConditionExpression += " AND sk BETWEEN :first AND :last"
		last := len(q.Before) - 1
		in.ExpressionAttributeValues[":last"] = text(string(q.Before[:last]) + string(q.Before[last]-1) + "~") // between Before and all smaller ids
	case q.First != "":
		*in.KeyConditionExpression += " AND sk >= :first"
	case q.Before != "":
		*in.KeyConditionExpression += " AND sk < :before"
		in.ExpressionAttributeValues[":before"] = text(string(q.Before))
	}
	if q.First != "" {
		in.ExpressionAttributeValues[":first"] = text(string(q.First))
	}
	out, err := s.client.Query(ctx, &in)
	if err != nil {
		return logShare{}, err
	}
	share := logShare{unread: eventOf(out.LastEvaluatedKey)}
	for _, it := range out.Items {
		share.items = append(share.items, it)
	}
	return share, nil
}

// eventOf returns the event id in the key of a row, "" without a key.
func eventOf(key item) webhook.EventID {
	r := reader{item: key}
	return webhook.EventID(r.text(attrSK))
}

package dynamo

import (
	"context"
	"slices"
	"sort"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// eventShare is the page that was read of one partition, newest first.
type eventShare struct {
	items []item
	// unread is the id down to which the partition was read. Empty: to its end.
	unread webhook.EventID
}

// Search reads one page of each partition, of at most 1 MB. Together they show the
// tenant's events down to the newest of the ids at which the pages end: what a
// partition has below that is left to the next page.
func (s *Events) Search(ctx context.Context, q webhook.EventQuery) (webhook.EventPage, error) {
	if q.First != "" && q.Before != "" && q.First >= q.Before {
		return webhook.EventPage{}, nil // DynamoDB refuses it
	}
	parts, err := eachPartition(eventPartitions, func(n int) ([]eventShare, error) {
		share, err := s.eventShare(ctx, q, n)
		return []eventShare{share}, wrap(err, "search events of %s", q.Tenant)
	})
	if err != nil {
		return webhook.EventPage{}, err
	}
	var page webhook.EventPage
	var items []item
	for _, share := range slices.Concat(parts...) {
		items = append(items, share.items...)
		page.Next = max(page.Next, share.unread)
	}
	sort.Slice(items, func(i, j int) bool { return sortKey(items[i]) > sortKey(items[j]) })
	var broken unreadable
	for _, it := range items {
		id := sortKey(it)
		if id < page.Next {
			break
		}
		page.Examined++
		e, err := s.selected(it, q)
		if err != nil {
			broken.add(it, err)
		}
		if e.ID == "" {
			continue
		}
		if page.Events = append(page.Events, e); len(page.Events) == q.Limit {
			page.Next = id
			break
		}
	}
	return page, broken.err()
}

// selected decodes an event that the query selects. The zero Event: it does not, or
// the event has expired. Data and Content, which may be packed, are decoded last.
func (s *Events) selected(it item, q webhook.EventQuery) (webhook.Event, error) {
	if it.expired(s.now()) {
		return webhook.Event{}, nil
	}
	head, err := decodeEventHead(it)
	if err == nil && !q.Head(head) {
		return webhook.Event{}, nil
	}
	e, err := decodeEvent(it)
	if err != nil || !q.Filter.Matches(e) {
		return webhook.Event{}, err
	}
	return e, nil
}

// eventShare reads a page of one partition. A query for all events needs little more
// of it than its share of the page.
func (s *Events) eventShare(ctx context.Context, q webhook.EventQuery, n int) (eventShare, error) {
	in := dynamodb.QueryInput{
		TableName:                 &s.name,
		KeyConditionExpression:    aws.String("pk = :pk AND sk BETWEEN :first AND :last"),
		ExpressionAttributeValues: item{":pk": text(eventPK(q.Tenant, n)), ":first": text(string(q.First)), ":last": text(justBelow(q.Before))},
		ConsistentRead:            aws.Bool(true),
		ScanIndexForward:          aws.Bool(false),
	}
	if q.First == "" {
		in.ExpressionAttributeValues[":first"] = text(" ")
	}
	if q.All() {
		in.Limit = pageLimit(2*q.Limit/eventPartitions + 1)
	}
	out, err := s.client.Query(ctx, &in)
	if err != nil {
		return eventShare{}, err
	}
	share := eventShare{unread: sortKey(out.LastEvaluatedKey)}
	for _, it := range out.Items {
		share.items = append(share.items, it)
	}
	return share, nil
}

// justBelow returns a sort key between an id and all smaller ones: a condition may
// bound a key once, and BETWEEN includes both bounds. For no id it is above all ids.
func justBelow(id webhook.EventID) string {
	if id == "" {
		return "~"
	}
	last := len(id) - 1
	return string(id[:last]) + string(id[last]-1) + "~"
}

// sortKey returns the event id in a key, "" without one.
func sortKey(it item) webhook.EventID {
	r := reader{item: it}
	return webhook.EventID(r.text(attrSK))
}

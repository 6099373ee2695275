package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Webhooks stores webhooks; see webhook.Webhooks.
type Webhooks struct {
	table
	events string // table for raised events
	limit  int    // webhooks per tenant; 0: unlimited
}

// Limited returns the store with a limit of webhooks per tenant; 0 means
// unlimited.
func (s *Webhooks) Limited(limit int) *Webhooks {
	limited := *s
	limited.limit = limit
	return &limited
}

func tenantPK(tenant webhook.Tenant) string { return "T#" + string(tenant) }

func webhookKey(tenant webhook.Tenant, id int32) item {
	return key(tenantPK(tenant), webhookSK(id))
}

// webhookSK pads the id so that keys sort in order of id.
func webhookSK(id int32) string { return fmt.Sprintf("W#%010d", id) }

// NextID returns the tenant's next webhook id.
func (s *Webhooks) NextID(ctx context.Context, tenant webhook.Tenant) (int32, error) {
	after, _, err := s.update(ctx, key(tenantPK(tenant), "SEQ"), "ADD n :one",
		condition{values: item{":one": number(1)}})
	if err != nil {
		return 0, wrap(err, "next webhook id of %s", tenant)
	}
	r := reader{item: after}
	n := r.int64("n")
	if r.err != nil || n > math.MaxInt32 {
		return 0, fmt.Errorf("next webhook id of %s: ids exhausted", tenant)
	}
	return int32(n), nil
}

// Epoch returns the number that every change of a webhook increments.
func (s *Webhooks) Epoch(ctx context.Context, tenant webhook.Tenant) (int64, error) {
	it, err := s.get(ctx, epochKey(tenant))
	if err != nil {
		return 0, wrap(err, "epoch of %s", tenant)
	}
	r := reader{item: it}
	return r.int64("n"), r.err
}

func epochKey(tenant webhook.Tenant) item { return key(tenantPK(tenant), "EPOCH") }

// Get returns a webhook.
func (s *Webhooks) Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	it, err := s.get(ctx, webhookKey(tenant, id))
	if err != nil {
		return webhook.Webhook{}, wrap(err, "get webhook %d", id)
	}
	if it == nil {
		return webhook.Webhook{}, fmt.Errorf("get webhook %d: %w", id, webhook.ErrNotFound)
	}
	return decodeWebhook(it)
}

// List returns webhooks in order of id, one DynamoDB page (at most 1 MB) at a
// time.
func (s *Webhooks) List(ctx context.Context, tenant webhook.Tenant, after int32, limit int) (page []webhook.Webhook, more bool, err error) {
	if limit <= 0 || after == math.MaxInt32 {
		return nil, false, nil
	}
	in := &dynamodb.QueryInput{
		TableName:              &s.name,
		KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :first AND :last"),
		ExpressionAttributeValues: item{
			":pk": text(tenantPK(tenant)), ":first": text(webhookSK(max(after, 0) + 1)), ":last": text(webhookSK(math.MaxInt32)),
		},
		ConsistentRead: aws.Bool(true),
		Limit:          pageLimit(limit),
	}
	var broken unreadable
	for {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return nil, false, wrap(err, "list webhooks of %s", tenant)
		}
		for _, it := range out.Items {
			w, err := decodeWebhook(it)
			if err != nil {
				broken.add(it, err)
				continue
			}
			page = append(page, w)
		}
		// A page without decodable items yields no id to continue after.
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(page) > 0 || len(out.LastEvaluatedKey) == 0 {
			return page, len(out.LastEvaluatedKey) > 0, broken.err()
		}
	}
}

// Create stores a new webhook with its pointers, unless the id has a tombstone.
func (s *Webhooks) Create(ctx context.Context, w webhook.Webhook) error {
	return s.create(ctx, w)
}

// CreateWith stores a new webhook with its pointers and its first job.
func (s *Webhooks) CreateWith(ctx context.Context, w webhook.Webhook, j job.Job) error {
	return s.create(ctx, w, s.founding(j)...)
}

func (s *Webhooks) create(ctx context.Context, w webhook.Webhook, also ...types.TransactWriteItem) error {
	if w.Revision != 1 {
		return fmt.Errorf("create webhook %d: revision is %d, not 1", w.ID, w.Revision)
	}
	if err := s.point(ctx, w, w.PointerKeys()); err != nil {
		return wrap(err, "create webhook %d: pointers", w.ID)
	}
	c := absent
	writes := []types.TransactWriteItem{{Put: &types.Put{
		TableName: &s.name, Item: encodeWebhook(w), ConditionExpression: &c.text,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}, {ConditionCheck: &types.ConditionCheck{
		TableName: &s.name, Key: healthKey(w.Tenant, w.ID), ConditionExpression: aws.String("attribute_not_exists(" + attrGone + ")"),
	}}}
	err := s.transact(ctx, append(append(writes, also...), s.epochChange(w.Tenant, 1))...)
	if existing, failed := failedCondition(err); failed || slices.Contains(failedConditions(err), 1) { // the id is taken or has a tombstone
		s.withdraw(ctx, w, w.PointerKeys(), existing)
		return fmt.Errorf("create webhook %d: %w", w.ID, webhook.ErrExists)
	}
	if epochRefused(err) {
		// Keep its pointers: a concurrent Create of the same id, which by now
		// is under the limit, may rely on them.
		return fmt.Errorf("create webhook %d: %w", w.ID, &webhook.LimitError{Webhooks: s.limit})
	}
	return wrap(err, "create webhook %d", w.ID)
}

// Update replaces a webhook. The revision it replaces is read first, since it
// determines which pointers to add and to prune.
func (s *Webhooks) Update(ctx context.Context, w webhook.Webhook, by webhook.Change, raised ...webhook.Event) error {
	old, err := s.revision(ctx, w.Tenant, w.ID, w.Revision-1)
	if err != nil {
		return fmt.Errorf("update webhook %d: %w", w.ID, err)
	}
	added, removed := without(w.PointerKeys(), old.PointerKeys()), without(old.PointerKeys(), w.PointerKeys())
	if err := s.point(ctx, w, added); err != nil {
		return wrap(err, "update webhook %d: pointers", w.ID)
	}
	writes := []types.TransactWriteItem{{Put: &types.Put{
		TableName: &s.name, Item: encodeWebhook(w), ConditionExpression: aws.String("rev = :old"),
		ExpressionAttributeValues:           item{":old": number(old.Revision)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}
	for _, e := range raised {
		it, err := encodeEvent(e)
		if err != nil {
			return fmt.Errorf("update webhook %d: %w", w.ID, err)
		}
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{
			TableName: &s.events, Item: it, ConditionExpression: &absent.text,
		}})
	}
	writes = append(append(writes, s.remember(by.Replaces(old))...), s.epochChange(w.Tenant, 0))
	err = s.transact(ctx, writes...)
	if existing, failed := failedCondition(err); failed {
		s.withdraw(ctx, w, added, existing)
		return fmt.Errorf("update webhook %d: %w", w.ID, lost(existing))
	}
	if err != nil {
		return wrap(err, "update webhook %d", w.ID)
	}
	s.prune(ctx, w.Tenant, w.ID, removed, w.Revision)
	return nil
}

// Delete removes a webhook with its pointers and health.
func (s *Webhooks) Delete(ctx context.Context, tenant webhook.Tenant, id int32, revision int64, by webhook.Change) error {
	old, err := s.revision(ctx, tenant, id, revision)
	if err != nil {
		return fmt.Errorf("delete webhook %d: %w", id, err)
	}
	grave := healthKey(tenant, id)
	grave[attrGone] = number(1)
	grave.setExpiry(s.now().Add(webhook.IDLife))
	writes := []types.TransactWriteItem{
		{Delete: &types.Delete{
			TableName: &s.name, Key: webhookKey(tenant, id), ConditionExpression: aws.String("rev = :old"),
			ExpressionAttributeValues:           item{":old": number(revision)},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		{Put: &types.Put{TableName: &s.name, Item: grave}},
		s.epochChange(tenant, -1),
	}
	err = s.transact(ctx, append(writes, s.remember(by.Replaces(old))...)...)
	if existing, failed := failedCondition(err); failed {
		return fmt.Errorf("delete webhook %d: %w", id, lost(existing))
	}
	if err != nil {
		return wrap(err, "delete webhook %d", id)
	}
	s.prune(ctx, tenant, id, old.PointerKeys(), revision)
	return nil
}

// revision reads a webhook and requires it to have this revision.
func (s *Webhooks) revision(ctx context.Context, tenant webhook.Tenant, id int32, revision int64) (webhook.Webhook, error) {
	w, err := s.Get(ctx, tenant, id)
	if err == nil && w.Revision != revision {
		return webhook.Webhook{}, webhook.ErrConflict
	}
	return w, err
}

// lost returns why a write did not find the revision it expected.
func lost(existing item) error {
	if existing == nil {
		return webhook.ErrNotFound
	}
	return webhook.ErrConflict
}

// Subscribed reads the webhooks that have a pointer for a key, one batch at a
// time.
func (s *Webhooks) Subscribed(ctx context.Context, tenant webhook.Tenant, subscription string, each func(webhook.Webhook)) error {
	ids, err := s.pointed(ctx, tenant, subscription)
	if err != nil {
		return wrap(err, "webhooks subscribed to %s", subscription)
	}
	for ids := range slices.Chunk(ids, batchKeys) {
		keys := make([]item, len(ids))
		for i, id := range ids {
			keys[i] = webhookKey(tenant, id)
		}
		items, err := s.getAll(ctx, keys, true)
		if err != nil {
			return wrap(err, "webhooks subscribed to %s", subscription)
		}
		found := make([]webhook.Webhook, 0, len(items))
		var broken error
		for _, it := range items {
			w, err := decodeWebhook(it)
			broken = errors.Join(broken, err)
			found = append(found, w)
		}
		if broken != nil {
			return fmt.Errorf("webhooks subscribed to %s: %w", subscription, broken)
		}
		slices.SortFunc(found, func(a, b webhook.Webhook) int { return int(a.ID) - int(b.ID) })
		for _, w := range found {
			each(w)
		}
	}
	return nil
}

func pageLimit(n int) *int32 { return aws.Int32(int32(min(n, 1000))) }

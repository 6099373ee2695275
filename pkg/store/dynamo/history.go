package dynamo

import (
	"context"
	"fmt"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func historyPK(tenant webhook.Tenant, id int32) string { return fmt.Sprintf("V#%s#%d", tenant, id) }

func historyKey(tenant webhook.Tenant, id int32, revision int64) item {
	return key(historyPK(tenant, id), historySK(revision))
}

// historySK pads the revision so that keys sort in order of revision.
func historySK(revision int64) string { return fmt.Sprintf("%019d", revision) }

// remember returns the writes that add a replaced webhook to the history and drop
// the one that is then too many.
func (s *Webhooks) remember(r webhook.Replaced) []types.TransactWriteItem {
	writes := []types.TransactWriteItem{{Put: &types.Put{TableName: &s.name, Item: encodeReplaced(r)}}}
	if w := r.Webhook; w.Revision > webhook.HistoryLength {
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.name, Key: historyKey(w.Tenant, w.ID, w.Revision-webhook.HistoryLength),
		}})
	}
	return writes
}

// encodeReplaced returns the item of a replaced webhook: the webhook's, and what
// replaced it.
func encodeReplaced(r webhook.Replaced) item {
	w := r.Webhook
	it := encodeWebhook(w)
	for name, v := range historyKey(w.Tenant, w.ID, w.Revision) {
		it[name] = v
	}
	it.setText("action", string(r.Action))
	it.setTime("replaced_at", r.At)
	it.setAssociate("replaced_by", r.By)
	it.setText("replaced_app", r.App)
	setTexts(it, "changed", r.Members)
	it.setBool("partial", r.Partial)
	it.setExpiry(r.ExpiresAt)
	return it
}

func decodeReplaced(it item) (webhook.Replaced, error) {
	w, err := decodeWebhook(it)
	if err != nil {
		return webhook.Replaced{}, err
	}
	r := reader{item: it}
	replaced := webhook.Replaced{
		Change: webhook.Change{
			Action: webhook.Action(r.text("action")), At: r.time("replaced_at"), By: r.associate("replaced_by"), App: r.text("replaced_app"),
			Members: readTexts[string](&r, "changed"), ExpiresAt: r.time(attrExpiresMS),
		},
		Webhook: w, Partial: r.bool("partial"),
	}
	if r.err != nil {
		return webhook.Replaced{}, fmt.Errorf("read history of webhook %d: %w", w.ID, r.err)
	}
	return replaced, nil
}

// History returns the replaced revisions of a webhook, newest first.
func (s *Webhooks) History(ctx context.Context, tenant webhook.Tenant, id int32, before int64, limit int) ([]webhook.Replaced, error) {
	if limit <= 0 {
		return nil, nil
	}
	if before <= 0 {
		before = math.MaxInt64
	}
	var page []webhook.Replaced
	var broken unreadable
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND sk < :before"),
		ExpressionAttributeValues: item{":pk": text(historyPK(tenant, id)), ":before": text(historySK(before))},
		ConsistentRead:            aws.Bool(true),
		ScanIndexForward:          aws.Bool(false),
		Limit:                     pageLimit(limit),
	}, func(it item) bool {
		replaced, err := decodeReplaced(it)
		switch {
		case err != nil:
			broken.add(it, err)
		case !it.expired(s.now()):
			page = append(page, replaced)
		}
		return len(page) < limit
	})
	if err != nil {
		return nil, wrap(err, "history of webhook %d", id)
	}
	return page, broken.err()
}

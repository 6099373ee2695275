package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// attrWebhooks counts the tenant's webhooks. It is on the EPOCH item, which
// every create and delete updates already.
const attrWebhooks = "webhooks"

// HasRoom returns a LimitError if the tenant's webhooks are at the limit.
func (s *Webhooks) HasRoom(ctx context.Context, tenant webhook.Tenant) error {
	if s.limit <= 0 {
		return nil
	}
	it, err := s.get(ctx, epochKey(tenant))
	if err != nil {
		return wrap(err, "count webhooks of %s", tenant)
	}
	r := reader{item: it}
	if n := r.int64(attrWebhooks); n >= int64(s.limit) && r.err == nil {
		return fmt.Errorf("count webhooks of %s: %w", tenant, &webhook.LimitError{Webhooks: s.limit})
	}
	return r.err
}

// epochChange increments the tenant's epoch in a transaction that adds
// webhooks, or removes them if more is negative. Only adding is refused at the
// limit. It is the transaction's last write: callers read the failed conditions of
// the others by their index.
func (s *Webhooks) epochChange(tenant webhook.Tenant, more int) types.TransactWriteItem {
	change := &types.Update{
		TableName: &s.name, Key: epochKey(tenant), UpdateExpression: aws.String("ADD n :one"),
		ExpressionAttributeValues: item{":one": number(1)},
	}
	if more != 0 {
		change.UpdateExpression = aws.String("ADD n :one, " + attrWebhooks + " :more")
		change.ExpressionAttributeValues[":more"] = number(more)
	}
	if more > 0 && s.limit > 0 {
		change.ConditionExpression = aws.String("attribute_not_exists(" + attrWebhooks + ") OR " + attrWebhooks + " < :limit")
		change.ExpressionAttributeValues[":limit"] = number(s.limit)
	}
	return types.TransactWriteItem{Update: change}
}

// epochRefused reports whether the limit, the condition of the last write,
// cancelled a transaction.
func epochRefused(err error) bool {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) == 0 {
		return false
	}
	return code(cancelled.CancellationReasons[len(cancelled.CancellationReasons)-1]) == reasonCondition
}

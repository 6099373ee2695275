package dynamo

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// table makes the few calls that the stores need on one table. It returns the
// client's own errors; the stores wrap them with fault.
type table struct {
	client Client
	name   string
	now    func() time.Time
	random io.Reader
}

// get reads an item and returns nil if there is none. The read is consistent:
// it sees every write that returned before it.
func (t *table) get(ctx context.Context, key item) (item, error) {
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// put writes an item under an optional condition. If the condition fails, ok is
// false and existing is the existing item, or nil if there was none.
func (t *table) put(ctx context.Context, it item, c condition) (existing item, ok bool, err error) {
	err = t.retry(ctx, func() error {
		in := &dynamodb.PutItemInput{
			TableName: &t.name, Item: it, ExpressionAttributeNames: c.nameMap(), ExpressionAttributeValues: c.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
		if c.text != "" {
			in.ConditionExpression = &c.text
		}
		_, err := t.client.PutItem(ctx, in)
		return err
	})
	return refusal(err)
}

// update changes an item under a condition and returns the new item. If the
// condition fails, ok is false and the result is the existing item.
func (t *table) update(ctx context.Context, key item, change string, c condition) (after item, ok bool, err error) {
	err = t.retry(ctx, func() error {
		in := &dynamodb.UpdateItemInput{
			TableName: &t.name, Key: key, UpdateExpression: &change,
			ExpressionAttributeNames: c.nameMap(), ExpressionAttributeValues: c.values,
			ReturnValues:                        types.ReturnValueAllNew,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
		if c.text != "" {
			in.ConditionExpression = &c.text
		}
		out, err := t.client.UpdateItem(ctx, in)
		if err == nil {
			after = out.Attributes
		}
		return err
	})
	if err != nil {
		return refusal(err)
	}
	return after, true, nil
}

// remove deletes an item if the condition is met, and reports whether it is.
func (t *table) remove(ctx context.Context, key item, c condition) (met bool, err error) {
	err = t.retry(ctx, func() error {
		in := &dynamodb.DeleteItemInput{
			TableName: &t.name, Key: key, ExpressionAttributeNames: c.nameMap(), ExpressionAttributeValues: c.values,
		}
		if c.text != "" {
			in.ConditionExpression = &c.text
		}
		_, err := t.client.DeleteItem(ctx, in)
		return err
	})
	_, met, err = refusal(err)
	return met, err
}

// transact applies all the writes or none. The SDK adds a token, so that its
// retries after a lost response are one transaction.
func (t *table) transact(ctx context.Context, writes ...types.TransactWriteItem) error {
	return t.retry(ctx, func() error {
		_, err := t.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		return err
	})
}

// refusal separates a failed condition from other errors.
func refusal(err error) (existing item, ok bool, other error) {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return failed.Item, false, nil
	}
	return nil, err == nil, err
}

// query calls each with the matching items, page by page, until it returns
// false or there are no more.
func (t *table) query(ctx context.Context, in dynamodb.QueryInput, each func(item) bool) error {
	in.TableName = &t.name
	for {
		out, err := t.client.Query(ctx, &in)
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			if !each(it) {
				return nil
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// batchKeys is the maximum number of keys in one BatchGetItem.
const batchKeys = 100

// getAll reads the items of distinct keys, in any order, without those that are
// absent.
func (t *table) getAll(ctx context.Context, keys []item, consistent bool) ([]item, error) {
	var found []item
	for len(keys) > 0 {
		n := min(len(keys), batchKeys)
		want := types.KeysAndAttributes{ConsistentRead: aws.Bool(consistent)}
		for _, k := range keys[:n] {
			want.Keys = append(want.Keys, k)
		}
		ask := map[string]types.KeysAndAttributes{t.name: want}
		keys = keys[n:]
		err := contention.Retry(ctx, t.random, unprocessed, func() error {
			out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: ask})
			if err != nil {
				return err
			}
			for _, it := range out.Responses[t.name] {
				found = append(found, it)
			}
			if ask = out.UnprocessedKeys; len(ask) > 0 {
				return errUnprocessed
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

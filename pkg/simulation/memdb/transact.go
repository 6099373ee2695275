package memdb

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	maxActions          = 100
	maxTransactionBytes = 4 << 20
	// idempotence is how long a client request token is remembered.
	idempotence = 10 * time.Minute
)

// repeat is a transaction that was committed under a client request token.
type repeat struct {
	at    time.Time
	items []types.TransactWriteItem
}

// TransactWriteItems imitates the SDK client's method. Calls are serialized, so
// conflicts do not occur unless a hook returns one.
func (db *DB) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	op := Operation{Name: "TransactWriteItems", Write: true}
	var texts []string
	for i, item := range in.TransactItems {
		if r, err := requestOf(item); err == nil {
			if i == 0 {
				op.Table = aws.ToString(r.table)
			}
			texts = append(texts, db.keyText(r.table, r.anyKey()))
		}
	}
	op.Key = strings.Join(texts, " ")
	return run(ctx, db, op, func() (*dynamodb.TransactWriteItemsOutput, error) {
		return new(dynamodb.TransactWriteItemsOutput), db.transact(in)
	})
}

func (db *DB) transact(in *dynamodb.TransactWriteItemsInput) error {
	if n := len(in.TransactItems); n == 0 || n > maxActions {
		return invalid("Member must have length less than or equal to %d, and greater than or equal to 1; got %d", maxActions, n)
	}
	token := aws.ToString(in.ClientRequestToken)
	if earlier, ok := db.repeats[token]; ok && db.config.Now().Sub(earlier.at) < idempotence {
		if !reflect.DeepEqual(earlier.items, in.TransactItems) {
			return &types.IdempotentParameterMismatchException{Message: aws.String("The token was used with other parameters")}
		}
		return nil
	}
	actions, err := db.prepareAll(in.TransactItems)
	if err != nil {
		return err
	}
	type result struct{ old, item Item }
	results := make([]result, len(actions))
	reasons := make([]types.CancellationReason, len(actions))
	codes := make([]string, len(actions))
	cancelled := false
	for i := range actions {
		old, item, met, err := actions[i].try(db.commit)
		results[i] = result{old, item}
		db.usedByWrite("TransactWriteItems", 2, &actions[i], old, item)
		codes[i] = "None"
		switch {
		case err != nil:
			codes[i] = "ValidationError"
			reasons[i].Message = aws.String(message(err))
		case !met:
			codes[i] = "ConditionalCheckFailed"
			reasons[i].Message = aws.String("The conditional request failed")
			reasons[i].Item = actions[i].refusedItem(old)
		}
		reasons[i].Code = aws.String(codes[i])
		cancelled = cancelled || codes[i] != "None"
	}
	if cancelled {
		return &types.TransactionCanceledException{
			Message:             aws.String("Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"),
			CancellationReasons: reasons,
		}
	}
	raised := false
	for i, r := range results {
		if !changes(r.old, r.item) {
			continue
		}
		if !raised {
			db.commit++
			raised = true
		}
		db.store(actions[i].table, actions[i].key, r.old, r.item)
	}
	if token != "" {
		db.repeats[token] = repeat{db.config.Now(), in.TransactItems}
	}
	return nil
}

// prepareAll checks each action, and then the actions against each other.
func (db *DB) prepareAll(items []types.TransactWriteItem) ([]action, error) {
	type place struct {
		table *table
		key   primary
	}
	taken := make(map[place]bool)
	actions := make([]action, len(items))
	total := 0
	for i, item := range items {
		r, err := requestOf(item)
		if err != nil {
			return nil, err
		}
		if actions[i], err = db.prepare(r); err != nil {
			return nil, err
		}
		at := place{actions[i].table, actions[i].key}
		if taken[at] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		taken[at] = true
		total += itemBytes(actions[i].item)
	}
	if total > maxTransactionBytes {
		return nil, invalid("Transaction request size has exceeded the maximum allowed size")
	}
	return actions, nil
}

// requestOf returns the single action of an entry.
func requestOf(item types.TransactWriteItem) (request, error) {
	var found []request
	if c := item.ConditionCheck; c != nil {
		if c.ConditionExpression == nil {
			return request{}, invalid("The ConditionExpression of a ConditionCheck must not be null")
		}
		found = append(found, request{
			table: c.TableName, key: c.Key, checkOnly: true, condition: c.ConditionExpression, names: c.ExpressionAttributeNames,
			values: c.ExpressionAttributeValues, onFailure: c.ReturnValuesOnConditionCheckFailure,
		})
	}
	if p := item.Put; p != nil {
		put := p.Item
		if put == nil {
			put = Item{}
		}
		found = append(found, request{
			table: p.TableName, put: put, condition: p.ConditionExpression, names: p.ExpressionAttributeNames,
			values: p.ExpressionAttributeValues, onFailure: p.ReturnValuesOnConditionCheckFailure,
		})
	}
	if d := item.Delete; d != nil {
		found = append(found, request{
			table: d.TableName, key: d.Key, remove: true, condition: d.ConditionExpression, names: d.ExpressionAttributeNames,
			values: d.ExpressionAttributeValues, onFailure: d.ReturnValuesOnConditionCheckFailure,
		})
	}
	if u := item.Update; u != nil {
		if u.UpdateExpression == nil {
			return request{}, invalid("The UpdateExpression of an Update must not be null")
		}
		found = append(found, request{
			table: u.TableName, key: u.Key, update: u.UpdateExpression, condition: u.ConditionExpression, names: u.ExpressionAttributeNames,
			values: u.ExpressionAttributeValues, onFailure: u.ReturnValuesOnConditionCheckFailure,
		})
	}
	if len(found) != 1 {
		return request{}, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	return found[0], nil
}

// anyKey returns an item that contains the request's key.
func (r request) anyKey() Item {
	if r.put != nil {
		return r.put
	}
	return r.key
}

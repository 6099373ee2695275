package memdb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// PutItem imitates the SDK client's method.
func (db *DB) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return run(ctx, db, db.operation("PutItem", in.TableName, in.Item), func() (*dynamodb.PutItemOutput, error) {
		if in.Expected != nil || in.ConditionalOperator != "" {
			return nil, unmodelled("Expected")
		}
		if err := returnsOnly(in.ReturnValues, types.ReturnValueAllOld); err != nil {
			return nil, err
		}
		put := in.Item
		if put == nil {
			put = Item{}
		}
		old, _, _, err := db.write("PutItem", request{
			table: in.TableName, put: put, condition: in.ConditionExpression, names: in.ExpressionAttributeNames,
			values: in.ExpressionAttributeValues, onFailure: in.ReturnValuesOnConditionCheckFailure,
		})
		out := new(dynamodb.PutItemOutput)
		if in.ReturnValues == types.ReturnValueAllOld {
			out.Attributes = give(old)
		}
		return out, err
	})
}

// DeleteItem imitates the SDK client's method.
func (db *DB) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return run(ctx, db, db.operation("DeleteItem", in.TableName, in.Key), func() (*dynamodb.DeleteItemOutput, error) {
		if in.Expected != nil || in.ConditionalOperator != "" {
			return nil, unmodelled("Expected")
		}
		if err := returnsOnly(in.ReturnValues, types.ReturnValueAllOld); err != nil {
			return nil, err
		}
		old, _, _, err := db.write("DeleteItem", request{
			table: in.TableName, key: in.Key, remove: true, condition: in.ConditionExpression, names: in.ExpressionAttributeNames,
			values: in.ExpressionAttributeValues, onFailure: in.ReturnValuesOnConditionCheckFailure,
		})
		out := new(dynamodb.DeleteItemOutput)
		if in.ReturnValues == types.ReturnValueAllOld {
			out.Attributes = give(old)
		}
		return out, err
	})
}

// UpdateItem imitates the SDK client's method.
func (db *DB) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return run(ctx, db, db.operation("UpdateItem", in.TableName, in.Key), func() (*dynamodb.UpdateItemOutput, error) {
		if in.Expected != nil || in.AttributeUpdates != nil || in.ConditionalOperator != "" {
			return nil, unmodelled("AttributeUpdates and Expected")
		}
		old, item, a, err := db.write("UpdateItem", request{
			table: in.TableName, key: in.Key, update: in.UpdateExpression, condition: in.ConditionExpression,
			names: in.ExpressionAttributeNames, values: in.ExpressionAttributeValues, onFailure: in.ReturnValuesOnConditionCheckFailure,
		})
		if err != nil {
			return nil, err
		}
		out := new(dynamodb.UpdateItemOutput)
		switch in.ReturnValues {
		case "", types.ReturnValueNone:
		case types.ReturnValueAllOld:
			out.Attributes = give(old)
		case types.ReturnValueAllNew:
			out.Attributes = give(item)
		case types.ReturnValueUpdatedOld:
			out.Attributes = a.updated(old)
		case types.ReturnValueUpdatedNew:
			out.Attributes = a.updated(item)
		}
		return out, nil
	})
}

// updated returns the attributes of an item that the update wrote, or nil if
// there are none.
func (a *action) updated(item Item) Item {
	if a.update == nil || item == nil {
		return nil
	}
	picked := give(pick(item, a.update.targets(a.bound), bindings{}))
	if len(picked) == 0 {
		return nil
	}
	return picked
}

// write performs a single write.
func (db *DB) write(operation string, r request) (old, item Item, a action, err error) {
	if a, err = db.prepare(r); err != nil {
		return nil, nil, a, err
	}
	old, item, met, err := a.try(db.commit)
	if err != nil {
		return nil, nil, a, err
	}
	db.usedByWrite(operation, 1, &a, old, item)
	if !met {
		return nil, nil, a, &types.ConditionalCheckFailedException{
			Message: aws.String("The conditional request failed"),
			Item:    a.refusedItem(old),
		}
	}
	if changes(old, item) {
		db.commit++
		db.store(a.table, a.key, old, item)
	}
	return old, item, a, nil
}

func returnsOnly(got, allowed types.ReturnValue) error {
	if got != "" && got != types.ReturnValueNone && got != allowed {
		return invalid("Return values set to invalid value")
	}
	return nil
}

// operation describes a write of one item to the hooks.
func (db *DB) operation(name string, tableName *string, item Item) Operation {
	return Operation{Name: name, Table: aws.ToString(tableName), Key: db.keyText(tableName, item), Write: true}
}

// keyText returns "" for a key that will be refused.
func (db *DB) keyText(tableName *string, item Item) string {
	t, ok := db.tables[aws.ToString(tableName)]
	if !ok || (db.config.Before == nil && db.config.After == nil) {
		return ""
	}
	k, _ := keyOf(t.PK, t.SK, item)
	return k.text()
}

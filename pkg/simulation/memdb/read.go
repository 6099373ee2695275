package memdb

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const maxBatchKeys = 100

// GetItem imitates the SDK client's method.
func (db *DB) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	op := Operation{Name: "GetItem", Table: aws.ToString(in.TableName), Key: db.keyText(in.TableName, in.Key)}
	return run(ctx, db, op, func() (*dynamodb.GetItemOutput, error) {
		if in.AttributesToGet != nil {
			return nil, unmodelled("AttributesToGet")
		}
		t, err := db.table(in.TableName)
		if err != nil {
			return nil, err
		}
		paths, b, err := db.projection(in.ProjectionExpression, in.ExpressionAttributeNames)
		if err != nil {
			return nil, err
		}
		k, err := t.key(in.Key)
		if err != nil {
			return nil, err
		}
		item := t.base.get(k.partition, k.sort, "", db.readAt(t, in.ConsistentRead))
		db.used(Use{Operation: op.Name, Table: t.Name, Partition: k.partition, Read: readUnits(itemBytes(item), in.ConsistentRead)})
		return &dynamodb.GetItemOutput{Item: give(pick(item, paths, b))}, nil
	})
}

// readAt returns the commit at which a read of a table is served.
func (db *DB) readAt(t *table, consistent *bool) int {
	if aws.ToBool(consistent) || db.config.Lag == nil {
		return db.commit
	}
	return db.asOf(db.config.Lag(t.Name))
}

// projection parses and binds a projection without other expressions.
func (db *DB) projection(text *string, names map[string]string) ([]path, bindings, error) {
	e, err := db.parse("ProjectionExpression", text, parseProjection)
	if err != nil {
		return nil, bindings{}, err
	}
	b, err := bind(names, nil, e)
	if err != nil || e == nil {
		return nil, b, err
	}
	return e.paths, b, checkProjection(e.paths, b)
}

func checkProjection(paths []path, b bindings) error {
	for i, p := range paths {
		for _, q := range paths[:i] {
			if p.resolve(b).overlaps(q.resolve(b)) {
				return invalid("Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths")
			}
		}
	}
	return nil
}

// BatchGetItem imitates the SDK client's method. Items are returned in the
// order of the request's keys; DynamoDB specifies no order.
func (db *DB) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	var names, texts []string
	for name := range in.RequestItems {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, key := range in.RequestItems[name].Keys {
			texts = append(texts, db.keyText(&name, key))
		}
	}
	op := Operation{Name: "BatchGetItem", Key: strings.Join(texts, " ")}
	if len(names) > 0 {
		op.Table = names[0]
	}
	return run(ctx, db, op, func() (*dynamodb.BatchGetItemOutput, error) {
		if len(texts) == 0 || len(texts) > maxBatchKeys {
			return nil, invalid("Too many items requested for the BatchGetItem call, or none: %d", len(texts))
		}
		out := &dynamodb.BatchGetItemOutput{
			Responses:       make(map[string][]Item),
			UnprocessedKeys: make(map[string]types.KeysAndAttributes),
		}
		left := len(texts)
		if db.config.BatchKeys > 0 {
			left = db.config.BatchKeys
		}
		for _, name := range names {
			request := in.RequestItems[name]
			answered := min(left, len(request.Keys))
			left -= answered
			items, err := db.batch(name, request, answered)
			if err != nil {
				return nil, err
			}
			out.Responses[name] = items
			if answered < len(request.Keys) {
				rest := request
				rest.Keys = nil
				for _, key := range request.Keys[answered:] {
					rest.Keys = append(rest.Keys, give(key))
				}
				out.UnprocessedKeys[name] = rest
			}
		}
		return out, nil
	})
}

// batch reads the first keys of one table, up to answered.
func (db *DB) batch(name string, in types.KeysAndAttributes, answered int) ([]Item, error) {
	if in.AttributesToGet != nil {
		return nil, unmodelled("AttributesToGet")
	}
	t, err := db.table(&name)
	if err != nil {
		return nil, err
	}
	paths, b, err := db.projection(in.ProjectionExpression, in.ExpressionAttributeNames)
	if err != nil {
		return nil, err
	}
	items := []Item{}
	seen := make(map[primary]bool)
	for i, key := range in.Keys {
		k, err := t.key(key)
		if err != nil {
			return nil, err
		}
		if seen[k] {
			return nil, invalid("Provided list of item keys contains duplicates")
		}
		seen[k] = true
		if i >= answered {
			continue
		}
		item := t.base.get(k.partition, k.sort, "", db.readAt(t, in.ConsistentRead))
		db.used(Use{Operation: "BatchGetItem", Table: t.Name, Partition: k.partition, Read: readUnits(itemBytes(item), in.ConsistentRead)})
		if item != nil {
			items = append(items, give(pick(item, paths, b)))
		}
	}
	return items, nil
}

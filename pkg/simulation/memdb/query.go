package memdb

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// relation is what a query reads: a table or one of its indexes.
type relation struct {
	*table
	tree   *tree
	index  *Index // nil for the table itself
	pk, sk Attribute
	commit int // the state to read
}

// Query imitates the SDK client's method. Index items that share a sort key are
// ordered by their own keys; DynamoDB specifies no order.
func (db *DB) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	op := Operation{Name: "Query", Table: aws.ToString(in.TableName), Key: aws.ToString(in.IndexName)}
	return run(ctx, db, op, func() (*dynamodb.QueryOutput, error) { return db.query(in) })
}

func (db *DB) query(in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	if in.KeyConditions != nil || in.QueryFilter != nil || in.AttributesToGet != nil || in.ConditionalOperator != "" {
		return nil, unmodelled("KeyConditions, QueryFilter and AttributesToGet")
	}
	from, err := db.relation(in)
	if err != nil {
		return nil, err
	}
	if in.Limit != nil && *in.Limit < 1 {
		return nil, invalid("Limit must be greater than or equal to 1")
	}
	if in.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request")
	}
	keyed, err := db.parse("KeyConditionExpression", in.KeyConditionExpression, parseCondition)
	if err != nil {
		return nil, err
	}
	filter, err := db.parse("FilterExpression", in.FilterExpression, parseCondition)
	if err != nil {
		return nil, err
	}
	projection, err := db.parse("ProjectionExpression", in.ProjectionExpression, parseProjection)
	if err != nil {
		return nil, err
	}
	b, err := bind(in.ExpressionAttributeNames, in.ExpressionAttributeValues, keyed, filter, projection)
	if err != nil {
		return nil, err
	}
	partition, condition, err := from.keyCondition(keyed.condition, b)
	if err != nil {
		return nil, err
	}
	if filter != nil {
		if err := from.checkFilter(filter.condition, b); err != nil {
			return nil, err
		}
	}
	slots, err := from.after(in, partition)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.QueryOutput{Items: []Item{}}
	size := 0
	for _, s := range slots {
		item := s.at(from.commit)
		if item == nil || !condition.holds(item, b) {
			continue
		}
		out.ScannedCount++
		size += itemBytes(item)
		if filter == nil || filter.condition.holds(item, b) {
			out.Count++
			if in.Select != types.SelectCount {
				shown := item
				if projection != nil {
					shown = pick(item, projection.paths, b)
				}
				out.Items = append(out.Items, give(shown))
			}
		}
		if size >= db.config.PageBytes || in.Limit != nil && out.ScannedCount >= *in.Limit {
			out.LastEvaluatedKey = from.position(item)
			break
		}
	}
	use := Use{Operation: "Query", Table: from.Name, Index: aws.ToString(in.IndexName), Partition: partition, Read: readUnits(size, in.ConsistentRead)}
	db.used(use)
	if in.Select == types.SelectCount {
		out.Items = nil
	}
	return out, nil
}

// relation returns the table or index that a query reads.
func (db *DB) relation(in *dynamodb.QueryInput) (relation, error) {
	t, err := db.table(in.TableName)
	if err != nil {
		return relation{}, err
	}
	if in.IndexName == nil {
		return relation{table: t, tree: t.base, pk: t.PK, sk: t.SK, commit: db.readAt(t, in.ConsistentRead)}, nil
	}
	i := slices.IndexFunc(t.Indexes, func(x Index) bool { return x.Name == *in.IndexName })
	if i < 0 {
		return relation{}, invalid("The table does not have the specified index: %s", *in.IndexName)
	}
	if aws.ToBool(in.ConsistentRead) {
		return relation{}, invalid("Consistent reads are not supported on global secondary indexes")
	}
	commit := db.commit
	if db.config.IndexLag != nil {
		commit = db.asOf(db.config.IndexLag(t.Name, *in.IndexName))
	}
	x := &t.Indexes[i]
	return relation{table: t, tree: t.indexes[i], index: x, pk: x.PK, sk: x.SK, commit: commit}, nil
}

// position returns an item's key in the form of LastEvaluatedKey.
func (r *relation) position(item Item) Item {
	out := make(Item)
	for _, name := range append(keyNames(r.PK, r.SK), keyNames(r.pk, r.sk)...) {
		out[name] = giveValue(item[name])
	}
	return out
}

// after returns the partition's slots in the query's direction, starting after
// its start key. The start key's item need not exist.
func (r *relation) after(in *dynamodb.QueryInput, partition string) ([]*slot, error) {
	slots := r.tree.partitions[partition]
	backward := in.ScanIndexForward != nil && !*in.ScanIndexForward
	if start := in.ExclusiveStartKey; start != nil {
		names := append(keyNames(r.PK, r.SK), keyNames(r.pk, r.sk)...)
		slices.Sort(names)
		if len(start) != len(slices.Compact(names)) {
			return nil, invalid("The provided starting key is invalid")
		}
		own, err := keyOf(r.PK, r.SK, start)
		if err != nil {
			return nil, invalid("The provided starting key is invalid: %s", message(err))
		}
		at, err := keyOf(r.pk, r.sk, start)
		if err != nil {
			return nil, invalid("The provided starting key is invalid: %s", message(err))
		}
		if at.partition != partition {
			return nil, invalid("The provided starting key is outside query boundaries based on provided conditions")
		}
		tie := ""
		if r.index != nil {
			tie = own.tie()
		}
		i, found := r.tree.find(partition, at.sort, tie)
		switch {
		case backward:
			slots = slots[:i]
		case found:
			slots = slots[i+1:]
		default:
			slots = slots[i:]
		}
	}
	if backward {
		slots = slices.Clone(slots)
		slices.Reverse(slots)
	}
	return slots, nil
}

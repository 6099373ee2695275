package memdb_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
)

// What operations take is rounded as DynamoDB documents it: reads to 4 KB, writes to
// 1 KB of the larger of the old and the new item, and indexes only if their entries
// change.
func TestConsumed(t *testing.T) {
	t.Parallel()
	var uses []memdb.Use
	db := open(func(c *memdb.Config) { c.Consumed = func(u memdb.Use) { uses = append(uses, u) } })
	name := aws.String("rows")
	key := item{"pk": s("a"), "sk": s("b")}
	due := item{"pk": s("a"), "sk": s("b"), "part": s("p"), "due_at": n("7")}
	large := item{"pk": s("a"), "sk": s("b"), "data": s(strings.Repeat("x", 9000))}
	use := func(operation, index string, read, write float64, stored int) memdb.Use {
		return memdb.Use{Operation: operation, Table: "rows", Index: index, Partition: "a", Read: read, Write: write, Stored: stored}
	}
	update := func(expression string, values item) func() error {
		return func() error {
			_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: name, Key: key, UpdateExpression: &expression, ExpressionAttributeValues: values})
			return err
		}
	}
	put := func(it item, condition *string) func() error {
		return func() error {
			_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: name, Item: it, ConditionExpression: condition})
			return err
		}
	}
	get := func(consistent bool) func() error {
		return func() error {
			_, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: name, Key: key, ConsistentRead: &consistent})
			return err
		}
	}
	query := func(index *string, condition string) func() error {
		return func() error {
			_, err := db.Query(t.Context(), &dynamodb.QueryInput{
				TableName: name, IndexName: index, KeyConditionExpression: &condition, ExpressionAttributeValues: item{":v": s("a")},
			})
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func() error
		fail bool
		want []memdb.Use
	}{
		{"a read of nothing", get(false), false, []memdb.Use{use("GetItem", "", 0.5, 0, 0)}},
		{"the same, consistent", get(true), false, []memdb.Use{use("GetItem", "", 1, 0, 0)}},
		{"a put with an index entry", put(due, nil), false, []memdb.Use{use("PutItem", "", 0, 1, 119), use("PutItem", "due", 0, 1, 119)}},
		{"a put that changes nothing", put(due, nil), false, []memdb.Use{use("PutItem", "", 0, 1, 0)}},
		{"a condition that fails", put(large, aws.String("attribute_not_exists(pk)")), true, []memdb.Use{use("PutItem", "", 0, 1, 0)}},
		{"an attribute that the index lacks", update("SET hint = :v", item{":v": s("1")}), false, []memdb.Use{use("UpdateItem", "", 0, 1, 5)}},
		{"a move in the index", update("SET due_at = :v", item{":v": n("8")}), false, []memdb.Use{use("UpdateItem", "", 0, 1, 0), use("UpdateItem", "due", 0, 2, 0)}},
		{"a large item that leaves the index", put(large, nil), false, []memdb.Use{use("PutItem", "", 0, 9, 8986), use("PutItem", "due", 0, 1, -119)}},
		{"a read of 9 KB", get(false), false, []memdb.Use{use("GetItem", "", 1.5, 0, 0)}},
		{"a page", query(nil, "pk = :v"), false, []memdb.Use{use("Query", "", 1.5, 0, 0)}},
		{"an empty page of an index", query(aws.String("due"), "part = :v"), false, []memdb.Use{use("Query", "due", 0.5, 0, 0)}},
		{"a batch", func() error {
			_, err := db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
				"rows": {Keys: []item{key, {"pk": s("a"), "sk": s("c")}}},
			}})
			return err
		}, false, []memdb.Use{use("BatchGetItem", "", 1.5, 0, 0), use("BatchGetItem", "", 0.5, 0, 0)}},
		{"a transaction", func() error {
			_, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{TableName: name, Item: item{"pk": s("a"), "sk": s("c")}}},
			}})
			return err
		}, false, []memdb.Use{use("TransactWriteItems", "", 0, 2, 106)}},
		{"a removal", func() error {
			_, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: name, Key: key})
			return err
		}, false, []memdb.Use{use("DeleteItem", "", 0, 9, -9110)}},
	} {
		uses = nil
		if err := step.do(); (err != nil) != step.fail {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, uses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

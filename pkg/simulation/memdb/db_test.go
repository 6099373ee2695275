package memdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
)

type item = memdb.Item

func s(v string) types.AttributeValue     { return &types.AttributeValueMemberS{Value: v} }
func n(v string) types.AttributeValue     { return &types.AttributeValueMemberN{Value: v} }
func ss(v ...string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: v} }
func list(v ...types.AttributeValue) types.AttributeValue {
	return &types.AttributeValueMemberL{Value: v}
}
func object(v item) types.AttributeValue { return &types.AttributeValueMemberM{Value: v} }

var start = time.Date(2026, 11, 24, 10, 0, 0, 500e6, time.UTC)

var rows = memdb.Table{
	Name: "rows", PK: memdb.Attribute{Name: "pk"}, SK: memdb.Attribute{Name: "sk"}, Stream: true,
	Indexes: []memdb.Index{{
		Name: "due", PK: memdb.Attribute{Name: "part"}, SK: memdb.Attribute{Name: "due_at", Type: types.ScalarAttributeTypeN},
		Projection: types.ProjectionTypeKeysOnly,
	}},
}

func open(change func(*memdb.Config)) *memdb.DB {
	c := memdb.Config{Tables: []memdb.Table{rows}, Now: func() time.Time { return start }}
	if change != nil {
		change(&c)
	}
	return memdb.New(c)
}

func put(t *testing.T, db *memdb.DB, it item) {
	t.Helper()
	if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("rows"), Item: it}); err != nil {
		t.Fatal(err)
	}
}

// code returns the error's code as AWS names it.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func show(it item) string {
	out := ""
	for _, k := range []string{"pk", "sk", "part", "due_at", "a"} {
		switch v := it[k].(type) {
		case *types.AttributeValueMemberS:
			out += v.Value + " "
		case *types.AttributeValueMemberN:
			out += v.Value + " "
		}
	}
	return out
}

func query(t *testing.T, db *memdb.DB, change func(*dynamodb.QueryInput)) ([]string, *dynamodb.QueryOutput) {
	t.Helper()
	in := &dynamodb.QueryInput{
		TableName: aws.String("rows"), KeyConditionExpression: aws.String("pk = :p"),
		ExpressionAttributeValues: item{":p": s("p")}, ConsistentRead: aws.Bool(true),
	}
	change(in)
	out, err := db.Query(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, it := range out.Items {
		got = append(got, show(it))
	}
	return got, out
}

func TestQuery(t *testing.T) {
	t.Parallel()
	db := open(nil)
	for i := range 5 {
		put(t, db, item{"pk": s("p"), "sk": s(fmt.Sprint(i)), "part": s("x"), "due_at": n(fmt.Sprint(100 - i*7))})
	}
	put(t, db, item{"pk": s("q"), "sk": s("0")})
	from := item{"pk": s("p"), "sk": s("2")}
	for _, c := range []struct {
		name   string
		change func(*dynamodb.QueryInput)
		want   []string
		last   string
	}{
		{"a partition in order", func(*dynamodb.QueryInput) {}, []string{"p 0 x 100 ", "p 1 x 93 ", "p 2 x 86 ", "p 3 x 79 ", "p 4 x 72 "}, ""},
		{"backward with a limit", func(in *dynamodb.QueryInput) {
			in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(2)
		}, []string{"p 4 x 72 ", "p 3 x 79 "}, "p 3 "},
		{"after a start key", func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = from }, []string{"p 3 x 79 ", "p 4 x 72 "}, ""},
		{"backward from a start key", func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey, in.ScanIndexForward = from, aws.Bool(false)
		}, []string{"p 1 x 93 ", "p 0 x 100 "}, ""},
		{"a sparse index by number", func(in *dynamodb.QueryInput) {
			in.IndexName, in.ConsistentRead = aws.String("due"), nil
			in.KeyConditionExpression = aws.String("part = :p AND due_at <= :d")
			in.ExpressionAttributeValues = item{":p": s("x"), ":d": n("93")}
			in.Limit = aws.Int32(2)
		}, []string{"p 4 x 72 ", "p 3 x 79 "}, "p 3 x 79 "},
		{"a limit counts the items that a filter excludes", func(in *dynamodb.QueryInput) {
			in.FilterExpression, in.Limit = aws.String("due_at < :d"), aws.Int32(3)
			in.ExpressionAttributeValues[":d"] = n("90")
		}, []string{"p 2 x 86 "}, "p 2 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, out := query(t, db, c.change)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if got := show(out.LastEvaluatedKey); got != c.last {
				t.Errorf("last key %q, want %q", got, c.last)
			}
		})
	}
}

func TestAPageEndsByItsSize(t *testing.T) {
	t.Parallel()
	db := open(func(c *memdb.Config) { c.PageBytes = 100 })
	for i := range 5 {
		put(t, db, item{"pk": s("p"), "sk": s(fmt.Sprint(i)), "text": s(fmt.Sprintf("%060d", i))})
	}
	got, out := query(t, db, func(*dynamodb.QueryInput) {})
	if len(got) != 2 || out.LastEvaluatedKey == nil {
		t.Errorf("%d items, last key %v", len(got), out.LastEvaluatedKey)
	}
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	lag := 0
	db := open(func(c *memdb.Config) {
		c.Lag = func(string) int { return lag }
		c.IndexLag = func(string, string) int { return lag }
	})
	put(t, db, item{"pk": s("p"), "sk": s("0"), "part": s("x"), "due_at": n("1")})
	put(t, db, item{"pk": s("p"), "sk": s("0"), "part": s("x"), "due_at": n("2")})
	put(t, db, item{"pk": s("p"), "sk": s("0")})
	for back, want := range []string{"", "p 0 x 2 ", "p 0 x 1 ", ""} {
		lag = back
		got, _ := query(t, db, func(in *dynamodb.QueryInput) {
			in.IndexName, in.ConsistentRead, in.KeyConditionExpression = aws.String("due"), nil, aws.String("part = :p")
			in.ExpressionAttributeValues = item{":p": s("x")}
		})
		if fmt.Sprint(got) != "["+want+"]" {
			t.Errorf("%d commits back the index shows %q, want %q", back, got, want)
		}
	}
	lag = 1
	for consistent, want := range map[bool]string{true: "p 0 ", false: "p 0 x 2 "} {
		out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String("rows"), Key: item{"pk": s("p"), "sk": s("0")}, ConsistentRead: &consistent,
		})
		if err != nil || show(out.Item) != want {
			t.Errorf("consistent %v: %q, %v, want %q", consistent, show(out.Item), err, want)
		}
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	db := open(nil)
	key := item{"pk": s("p"), "sk": s("0")}
	put(t, db, item{"pk": s("p"), "sk": s("0"), "a": n("1")})
	put(t, db, item{"pk": s("p"), "sk": s("0"), "a": n("1.0")}) // changes nothing
	put(t, db, item{"pk": s("p"), "sk": s("0"), "a": n("2")})
	for range 2 { // the second removes nothing
		if _, err := db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("rows"), Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, c := range db.Changes("rows", 0) {
		got = append(got, fmt.Sprint(c.Sequence, " ", c.EventName, " ", show(c.Keys), show(c.NewImage)))
		if !c.ApproximateCreationTime.Equal(start.Truncate(time.Second)) {
			t.Errorf("stamp %v", c.ApproximateCreationTime)
		}
	}
	if diff := cmp.Diff([]string{"1 INSERT p 0 p 0 1 ", "2 MODIFY p 0 p 0 2 ", "3 REMOVE p 0 "}, got); diff != "" {
		t.Error(diff)
	}
	if rest := db.Changes("rows", 2); len(rest) != 1 || db.Commits() != 3 {
		t.Errorf("%d changes after the second, %d commits", len(rest), db.Commits())
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	var seen []memdb.Operation
	var before, after error
	db := open(func(c *memdb.Config) {
		c.Before = func(_ context.Context, op memdb.Operation) error { seen = append(seen, op); return before }
		c.After = func(context.Context, memdb.Operation) error { return after }
	})
	in := &dynamodb.PutItemInput{TableName: aws.String("rows"), Item: item{"pk": s("p"), "sk": s("0")}}
	before = boom
	if _, err := db.PutItem(t.Context(), in); !errors.Is(err, boom) || db.Commits() != 0 {
		t.Errorf("error before: %v, %d commits", err, db.Commits())
	}
	before, after = nil, boom
	if _, err := db.PutItem(t.Context(), in); !errors.Is(err, boom) || db.Commits() != 1 {
		t.Errorf("error after: %v, %d commits", err, db.Commits())
	}
	if want := (memdb.Operation{Name: "PutItem", Table: "rows", Key: "p/0", Write: true}); seen[0] != want {
		t.Errorf("operation %+v", seen[0])
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	db := open(nil)
	put(t, db, item{"pk": s("p"), "sk": s("0"), "a": n("1")})
	write := func(sk string, condition string) types.TransactWriteItem {
		w := &types.Put{
			TableName: aws.String("rows"), Item: item{"pk": s("p"), "sk": s(sk)},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
		if condition != "" {
			w.ConditionExpression = &condition
		}
		return types.TransactWriteItem{Put: w}
	}
	_, err := db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{write("1", ""), write("0", "attribute_not_exists(pk)")},
	})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		t.Fatal(err)
	}
	r := cancelled.CancellationReasons
	if *r[0].Code != "None" || *r[1].Code != "ConditionalCheckFailed" || show(r[1].Item) != "p 0 1 " || db.Commits() != 1 {
		t.Errorf("%v %v %v, %d commits", *r[0].Code, *r[1].Code, r[1].Item, db.Commits())
	}
	_, err = db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{write("1", ""), write("1", "")},
	})
	if code(err) != "ValidationException" {
		t.Errorf("two actions on one item: %v", err)
	}
	if _, err = db.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{write("1", ""), write("2", "attribute_not_exists(pk)")},
	}); err != nil || db.Commits() != 2 {
		t.Errorf("%v, %d commits", err, db.Commits())
	}
}

func TestBatchLeavesKeysUnprocessed(t *testing.T) {
	t.Parallel()
	db := open(func(c *memdb.Config) { c.BatchKeys = 1 })
	put(t, db, item{"pk": s("p"), "sk": s("0")})
	out, err := db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		"rows": {Keys: []item{{"pk": s("p"), "sk": s("0")}, {"pk": s("p"), "sk": s("1")}}},
	}})
	if err != nil || len(out.Responses["rows"]) != 1 || len(out.UnprocessedKeys["rows"].Keys) != 1 {
		t.Errorf("%v, %v", out, err)
	}
}

func BenchmarkConditionalUpdate(b *testing.B) {
	db := open(nil)
	in := &dynamodb.UpdateItemInput{
		TableName: aws.String("rows"), Key: item{"pk": s("p"), "sk": s("0")}, ReturnValues: types.ReturnValueAllNew,
		UpdateExpression:          aws.String("SET #s = :s, attempt = if_not_exists(attempt, :zero) + :one, part = :s, due_at = :one"),
		ConditionExpression:       aws.String("attribute_not_exists(pk) OR #s = :s AND attempt >= :zero"),
		ExpressionAttributeNames:  map[string]string{"#s": "status"},
		ExpressionAttributeValues: item{":s": s("pending"), ":zero": n("0"), ":one": n("1")},
	}
	for b.Loop() {
		if _, err := db.UpdateItem(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// asError is errors.As for the SDK's pointer types.
func asError[T error](err error, target *T) bool { return errors.As(err, target) }

package memdb_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// local connects to the DynamoDB Local at DYNAMODB_ENDPOINT and creates the
// test's table there under a unique name.
func local(t *testing.T) (*dynamodb.Client, *string) {
	t.Helper()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMODB_ENDPOINT is not set")
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	name := aws.String(fmt.Sprintf("memdb-%d-%s", os.Getpid(), t.Name()))
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	kind := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: kind}
	}
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{kind("pk", "S"), kind("sk", "S"), kind("part", "S"), kind("due_at", "N")},
		KeySchema:            []types.KeySchemaElement{key("pk", "HASH"), key("sk", "RANGE")},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("due"), KeySchema: []types.KeySchemaElement{key("part", "HASH"), key("due_at", "RANGE")},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: name}); err != nil {
			t.Error(err)
		}
	})
	return client, name
}

// TestDynamoDBLocalAgreesOnExpressions runs the tables of expression_test.go.
func TestDynamoDBLocalAgreesOnExpressions(t *testing.T) {
	client, name := local(t)
	reset := func() {
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: name, Item: sample()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range conditions {
		reset()
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: name, Item: sample(), ConditionExpression: &c.text, ExpressionAttributeValues: values(c.text),
		})
		if got := code(err); got != c.want {
			t.Errorf("condition %q: got %v, want %q", c.text, err, c.want)
		}
	}
	for _, c := range updates {
		reset()
		out, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: name, Key: item{"pk": s("p"), "sk": s("0")}, UpdateExpression: &c.text,
			ExpressionAttributeValues: values(c.text), ReturnValues: types.ReturnValueAllNew,
		})
		if got := code(err); got != c.want {
			t.Errorf("update %q: got %v, want %q", c.text, err, c.want)
			continue
		}
		if c.check != nil {
			want := sample()
			c.check(want)
			if diff := cmp.Diff(want, out.Attributes, ignored, inAnyOrder); diff != "" {
				t.Errorf("update %q: %s", c.text, diff)
			}
		}
	}
}

var inAnyOrder = cmp.Transformer("sorted", func(v *types.AttributeValueMemberSS) []string {
	return slices.Sorted(slices.Values(v.Value))
})

// client is the interface that the two databases share.
type client interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// outcome is everything a caller can see of a write.
type outcome struct {
	Code    string
	Item    item
	Reasons []string
}

func outcomeOf(attributes item, err error) outcome {
	o := outcome{Code: code(err), Item: attributes}
	if failed := new(types.ConditionalCheckFailedException); asError(err, &failed) {
		o.Item = failed.Item
	}
	if cancelled := new(types.TransactionCanceledException); asError(err, &cancelled) {
		for _, r := range cancelled.CancellationReasons {
			if aws.ToString(r.Code) == "ValidationError" {
				// AWS and memdb return it as a cancellation reason, DynamoDB
				// Local as the error.
				return outcome{Code: invalid}
			}
			o.Reasons = append(o.Reasons, aws.ToString(r.Code)+" "+show(r.Item))
		}
	}
	return o
}

// TestDynamoDBLocalAgreesOnRandomWrites runs the same random conditional writes
// and queries on both.
func TestDynamoDBLocalAgreesOnRandomWrites(t *testing.T) {
	real, name := local(t)
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		partition := fmt.Sprint("p", run)
		db := open(nil)
		steps := rapid.IntRange(1, 12).Draw(r, "steps")
		for range steps {
			play := drawStep(r, partition)
			want, got := play(real, name), play(db, aws.String("rows"))
			if diff := cmp.Diff(want, got, ignored); diff != "" {
				r.Fatalf("DynamoDB Local (-), memdb (+): %s", diff)
			}
		}
		for _, index := range []bool{false, true} {
			want, got := readAll(r, real, name, partition, index), readAll(r, db, aws.String("rows"), partition, index)
			if diff := cmp.Diff(want, got, ignored); diff != "" {
				r.Fatalf("index %v: DynamoDB Local (-), memdb (+): %s", index, diff)
			}
		}
	})
}

func drawStep(r *rapid.T, partition string) func(client, *string) outcome {
	ctx := context.Background()
	sk := func() types.AttributeValue { return s(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "sk")) }
	condition := rapid.SampledFrom([]string{
		"attribute_not_exists(pk)", "attribute_exists(pk)", "a = :a", "a < :a OR attribute_not_exists(a)", "NOT (a <> :a AND a >= :b)",
		"a BETWEEN :a AND :b", "a IN (:a, :b)", "due_at > :a", "attribute_type(a, :t)", "size(a) > :a", "a <> :a", "NOT a < :a",
	}).Draw(r, "condition")
	change := rapid.SampledFrom([]string{
		"SET a = :a", "SET a = a + :a", "SET a = if_not_exists(a, :a) - :b", "REMOVE a", "ADD a :a", "SET due_at = :a, part = :p",
		"REMOVE due_at, part", "SET a = :t", "SET a = due_at REMOVE due_at", "ADD x :a SET a = x",
	}).Draw(r, "change")
	low := rapid.IntRange(-3, 6).Draw(r, "a")
	bound := item{
		":a": n(fmt.Sprint(low)), ":b": n(fmt.Sprint(low + rapid.IntRange(0, 3).Draw(r, "b"))),
		":t": s(rapid.SampledFrom([]string{"S", "N"}).Draw(r, "t")), ":p": s(partition),
	}
	whole := item{"pk": s(partition), "sk": sk(), "a": bound[":a"], "part": s(partition), "due_at": bound[":b"]}
	if rapid.Bool().Draw(r, "sparse") {
		delete(whole, "due_at")
	}
	key := item{"pk": s(partition), "sk": sk()}
	onFailure := types.ReturnValuesOnConditionCheckFailureAllOld
	uses := func(texts ...string) item {
		used := make(item)
		for name, v := range bound {
			if strings.Contains(strings.Join(texts, " "), name) {
				used[name] = v
			}
		}
		if len(used) == 0 {
			return nil
		}
		return used
	}
	switch rapid.IntRange(0, 3).Draw(r, "operation") {
	case 0:
		return func(c client, table *string) outcome {
			out, err := c.PutItem(ctx, &dynamodb.PutItemInput{
				TableName: table, Item: whole, ConditionExpression: &condition, ExpressionAttributeValues: uses(condition),
				ReturnValues: types.ReturnValueAllOld, ReturnValuesOnConditionCheckFailure: onFailure,
			})
			if err != nil {
				return outcomeOf(nil, err)
			}
			return outcomeOf(out.Attributes, nil)
		}
	case 1:
		returned := rapid.SampledFrom([]types.ReturnValue{"NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"}).Draw(r, "returned")
		return func(c client, table *string) outcome {
			out, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: table, Key: key, UpdateExpression: &change, ConditionExpression: &condition,
				ExpressionAttributeValues: uses(condition, change), ReturnValues: returned, ReturnValuesOnConditionCheckFailure: onFailure,
			})
			if err != nil {
				return outcomeOf(nil, err)
			}
			return outcomeOf(out.Attributes, nil)
		}
	case 2:
		return func(c client, table *string) outcome {
			out, err := c.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: table, Key: key, ConditionExpression: &condition, ExpressionAttributeValues: uses(condition),
				ReturnValues: types.ReturnValueAllOld, ReturnValuesOnConditionCheckFailure: onFailure,
			})
			if err != nil {
				return outcomeOf(nil, err)
			}
			return outcomeOf(out.Attributes, nil)
		}
	default:
		// memdb and AWS always refuse two actions on one item, DynamoDB Local
		// only if no condition fails.
		key["sk"] = s("other")
		return func(c client, table *string) outcome {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{
					TableName: table, Item: whole, ConditionExpression: &condition, ExpressionAttributeValues: uses(condition),
					ReturnValuesOnConditionCheckFailure: onFailure,
				}},
				{Update: &types.Update{
					TableName: table, Key: key, UpdateExpression: &change, ExpressionAttributeValues: uses(change),
					ReturnValuesOnConditionCheckFailure: onFailure,
				}},
			}})
			return outcomeOf(nil, err)
		}
	}
}

func readAll(r *rapid.T, c client, table *string, partition string, index bool) []item {
	in := &dynamodb.QueryInput{
		TableName: table, KeyConditionExpression: aws.String("pk = :p AND sk >= :s"), Limit: aws.Int32(2),
		ExpressionAttributeValues: item{":p": s(partition), ":s": s("a")},
	}
	if index {
		in.IndexName, in.KeyConditionExpression = aws.String("due"), aws.String("part = :p")
		delete(in.ExpressionAttributeValues, ":s")
	}
	var all []item
	for {
		out, err := c.Query(context.Background(), in)
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, out.Items...)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			break
		}
	}
	if index { // the order of equal sort keys is unspecified
		slices.SortStableFunc(all, func(a, b item) int { return strings.Compare(show(a), show(b)) })
	}
	return all
}

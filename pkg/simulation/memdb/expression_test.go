package memdb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sample is the item that the expressions below are evaluated on.
func sample() item {
	return item{
		"pk": s("p"), "sk": s("0"), "num": n("7"), "word": s("hello"), "tags": ss("a", "b"),
		"seq": list(n("1"), s("x")), "doc": object(item{"x": n("1.5")}), "no": &types.AttributeValueMemberBOOL{},
	}
}

var standard = item{
	":n7": n("7"), ":n9": n("9"), ":text": s("hello"), ":he": s("he"), ":a": s("a"), ":S": s("S"),
	":set": ss("b", "c"), ":one": list(n("3")), ":true": &types.AttributeValueMemberBOOL{Value: true}, ":n15": n("1.5"), ":bad": s("string"),
}

// values returns the standard values that the expressions use.
func values(texts ...string) item {
	out := make(item)
	for _, text := range texts {
		for i := 0; i < len(text); i++ {
			if text[i] != ':' {
				continue
			}
			j := i + 1
			for j < len(text) && (text[j] >= '0' && text[j] <= '9' || text[j] >= 'A' && text[j] <= 'z') {
				j++
			}
			if v, ok := standard[text[i:j]]; ok {
				out[text[i:j]] = v
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

const (
	yes     = ""
	refused = "ConditionalCheckFailedException"
	invalid = "ValidationException"
)

// conditions also run on DynamoDB Local; see differential_test.go.
var conditions = []struct{ text, want string }{
	{"num = :n7", yes},
	{"num = :n9", refused},
	{"num <> :n9", yes},
	{"absent <> :n9", yes},
	{"absent = :n9", refused},
	{"absent < :n9", refused},
	{"num < :n9 AND num <= :n7 AND num >= :n7 AND NOT num > :n7", yes},
	{"num < :text", refused},
	{"NOT num < :text", yes},
	{"num <> :text", yes},
	{"num = :n9 OR num = :n7 AND word = :text", yes},
	{"(num = :n9 OR num = :n7) AND word = :he", refused},
	{"NOT num = :n9 AND word = :text", yes},
	{"num BETWEEN :n7 AND :n9 and word = :text", yes},
	{"num BETWEEN :n9 AND :n7", invalid},
	{"num IN (:n9, :n7)", yes},
	{"num IN (:n9, :text)", refused},
	{"attribute_exists(num) AND attribute_not_exists(absent)", yes},
	{"attribute_exists(doc.x) AND attribute_not_exists(doc.y) AND attribute_exists(seq[1]) AND attribute_not_exists(seq[2])", yes},
	{"doc.x = :n15", yes},
	{"attribute_type(word, :S)", yes},
	{"attribute_type(num, :S)", refused},
	{"attribute_type(num, :bad)", invalid},
	{"attribute_type(num, word)", invalid},
	{"begins_with(word, :he)", yes},
	{"begins_with(num, :he)", refused},
	{"begins_with(word, :n7)", invalid},
	{"contains(word, :he) AND contains(tags, :a) AND NOT contains(tags, :he)", yes},
	{"contains(seq, :n7)", refused},
	{"size(word) < :n7 AND size(tags) < size(word)", yes},
	{"size(num) < :n7", refused},
	{"num = :true", refused},
	{"num < :true", invalid},
	{"num = num", invalid},
	{"num = word", refused},
	{"((num = :n7))", invalid},
	{"(num = :n7)", yes},
	{"(num = :n7) AND (word = :text)", yes},
	{"num == :n7", invalid},
	{"num = ", invalid},
	{"num", invalid},
	{"", invalid},
	{"num = :n7 AND", invalid},
	{"num = :undefined", invalid},
	{"#undefined = :n7", invalid},
	{"status = :n7", invalid},
	{"attribute_exists(:n7)", invalid},
	{"attribute_exists(num, word)", invalid},
	{"exists(num)", invalid},
	{"num = 7", invalid},
	{"num = :n7 ; word = :text", invalid},
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for _, c := range conditions {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			db := open(nil)
			put(t, db, sample())
			_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{
				TableName: aws.String("rows"), Item: sample(), ConditionExpression: &c.text, ExpressionAttributeValues: values(c.text),
			})
			if got := code(err); got != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// updates also run on DynamoDB Local.
var updates = []struct {
	text, want string
	check      func(item) // the expected change to the sample
}{
	{"SET num = :n9", yes, func(i item) { i["num"] = n("9") }},
	{"SET num = num + :n9, word = :he", yes, func(i item) { i["num"], i["word"] = n("16"), s("he") }},
	{"SET num = :n15 - num", yes, func(i item) { i["num"] = n("-5.5") }},
	{"SET num = if_not_exists(num, :n9) + :n9, fresh = if_not_exists(fresh, :n7)", yes, func(i item) { i["num"], i["fresh"] = n("16"), n("7") }},
	{"SET seq = list_append(seq, :one)", yes, func(i item) { i["seq"] = list(n("1"), s("x"), n("3")) }},
	{"SET seq[0] = :n9, doc.#z = :n9", invalid, nil},
	{"SET seq[0] = :n9, seq[7] = :he, doc.more = :n9", yes, func(i item) {
		i["seq"], i["doc"] = list(n("9"), s("x"), s("he")), object(item{"x": n("1.5"), "more": n("9")})
	}},
	{"REMOVE seq[0], num, absent", yes, func(i item) { i["seq"] = list(s("x")); delete(i, "num") }},
	{"ADD num :n9, fresh :n7, tags :set", yes, func(i item) { i["num"], i["fresh"], i["tags"] = n("16"), n("7"), ss("a", "b", "c") }},
	{"DELETE tags :set", yes, func(i item) { i["tags"] = ss("a") }},
	{"SET num = word REMOVE word", yes, func(i item) { i["num"] = s("hello"); delete(i, "word") }},
	{"SET num = absent", invalid, nil},
	{"SET num = word + :n7", invalid, nil},
	{"SET num = :n7, num = :n9", invalid, nil},
	{"SET doc.x = :n7 REMOVE doc", invalid, nil},
	{"SET num = :n7 SET word = :he", invalid, nil},
	{"SET pk = :he", invalid, nil},
	{"SET absent.x = :n7", invalid, nil},
	{"SET num = num + :n7 + :n9", invalid, nil},
	{"SET seq = list_append(seq, :n7)", invalid, nil},
	{"ADD word :n7", invalid, nil},
	{"ADD num :he", invalid, nil},
	{"DELETE tags :he", invalid, nil},
	{"SET status = :n7", invalid, nil},
	{"SET num :n7", invalid, nil},
	{"SET", invalid, nil},
	{"", invalid, nil},
	{"FROB num", invalid, nil},
}

func TestUpdates(t *testing.T) {
	t.Parallel()
	for _, c := range updates {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			db := open(nil)
			put(t, db, sample())
			out, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: aws.String("rows"), Key: item{"pk": s("p"), "sk": s("0")}, UpdateExpression: &c.text,
				ExpressionAttributeValues: values(c.text), ReturnValues: types.ReturnValueAllNew,
			})
			if got := code(err); got != c.want {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if c.check == nil {
				return
			}
			want := sample()
			c.check(want)
			if diff := cmp.Diff(want, out.Attributes, ignored); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var ignored = cmp.Options{
	cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberL{},
		types.AttributeValueMemberM{}, types.AttributeValueMemberSS{}, types.AttributeValueMemberBOOL{}),
	cmpopts.EquateEmpty(),
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	name := aws.String("rows")
	for _, c := range []struct {
		name string
		in   dynamodb.PutItemInput
	}{
		{"an unused value", dynamodb.PutItemInput{ConditionExpression: aws.String("num = :n7"), ExpressionAttributeValues: item{":n7": n("7"), ":x": n("1")}}},
		{"an unused name", dynamodb.PutItemInput{ConditionExpression: aws.String("attribute_exists(num)"), ExpressionAttributeNames: map[string]string{"#x": "x"}}},
		{"values without an expression", dynamodb.PutItemInput{ExpressionAttributeValues: item{":x": n("1")}}},
		{"no values but not nil", dynamodb.PutItemInput{ConditionExpression: aws.String("attribute_exists(num)"), ExpressionAttributeValues: item{}}},
		{"an empty key", dynamodb.PutItemInput{Item: item{"pk": s(""), "sk": s("0")}}},
		{"a missing key", dynamodb.PutItemInput{Item: item{"pk": s("p")}}},
		{"a key of the wrong type", dynamodb.PutItemInput{Item: item{"pk": n("1"), "sk": s("0")}}},
		{"an index key of the wrong type", dynamodb.PutItemInput{Item: item{"pk": s("p"), "sk": s("0"), "due_at": s("1")}}},
		{"an empty index key", dynamodb.PutItemInput{Item: item{"pk": s("p"), "sk": s("0"), "part": s("")}}},
		{"an empty set", dynamodb.PutItemInput{Item: item{"pk": s("p"), "sk": s("0"), "x": ss()}}},
		{"an invalid number", dynamodb.PutItemInput{Item: item{"pk": s("p"), "sk": s("0"), "x": n("seven")}}},
		{"new values of a put", dynamodb.PutItemInput{ReturnValues: types.ReturnValueAllNew}},
		{"an item over 400 KB", dynamodb.PutItemInput{Item: item{"pk": s("p"), "sk": s("0"), "x": s(string(make([]byte, 400<<10)))}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.in.TableName = name
			if c.in.Item == nil {
				c.in.Item = sample()
			}
			if _, err := open(nil).PutItem(t.Context(), &c.in); code(err) != invalid {
				t.Errorf("got %v", err)
			}
		})
	}
}

package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Sources stores sources; see source.Sources.
type Sources struct{ table }

var _ source.Sources = (*Sources)(nil)

// sourcesPK is the single partition of all sources, so that they are listed by
// key. There are at most source.MaxSources, and each environment reads them
// every few seconds at most.
const sourcesPK = "SOURCES"

func sourceKey(name string) item { return key(sourcesPK, name) }

// sourceCountKey sorts before all names, which begin with a lower-case letter.
func sourceCountKey() item { return key(sourcesPK, "N") }

func countsKey(name string) item { return key("SOURCE#"+name, "COUNTS") }

// The attributes of a source. attrDocument is what source.Encode returns, with
// the version of the schema.
const attrDocument = "doc"

// List returns all sources in the order of their names.
func (s *Sources) List(ctx context.Context) ([]source.Source, error) {
	var found []source.Source
	var broken unreadable
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND sk >= :first"),
		ExpressionAttributeValues: item{":pk": text(sourcesPK), ":first": text("a")},
		ConsistentRead:            aws.Bool(true),
	}, func(it item) bool {
		each, err := decodeSource(it)
		if err != nil {
			broken.add(it, err)
			return true
		}
		found = append(found, each)
		return true
	})
	if err != nil {
		return nil, wrap(err, "list sources")
	}
	return found, broken.err()
}

// Get returns a source.
func (s *Sources) Get(ctx context.Context, name string) (source.Source, error) {
	if name < "a" { // no source's
		return source.Source{}, fmt.Errorf("get source: %w", webhook.ErrNotFound)
	}
	it, err := s.get(ctx, sourceKey(name))
	if err != nil {
		return source.Source{}, wrap(err, "get source %s", name)
	}
	if it == nil {
		return source.Source{}, fmt.Errorf("get source %s: %w", name, webhook.ErrNotFound)
	}
	return decodeSource(it)
}

// Put stores a source in a transaction, which a lost response does not repeat.
// For a new source it also counts the sources, and removes what calls that began
// before an older source of this name was deleted may have counted.
func (s *Sources) Put(ctx context.Context, put source.Source) error {
	doc, err := source.Encode(put)
	if err != nil {
		return err
	}
	it := sourceKey(put.Name)
	it[attrRev] = number(put.Revision)
	it[attrDocument] = text(string(doc))
	write := &types.Put{
		TableName: &s.name, Item: it, ConditionExpression: aws.String("rev = :old"),
		ExpressionAttributeValues:           item{":old": number(put.Revision - 1)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	writes := []types.TransactWriteItem{{Put: write}}
	if put.Revision == 1 {
		write.ConditionExpression, write.ExpressionAttributeValues = &absent.text, nil
		writes = append(writes,
			types.TransactWriteItem{Update: &types.Update{
				TableName: &s.name, Key: sourceCountKey(), UpdateExpression: aws.String("ADD n :one"),
				ConditionExpression:       aws.String("attribute_not_exists(n) OR n < :most"),
				ExpressionAttributeValues: item{":one": number(1), ":most": number(source.MaxSources)},
			}},
			types.TransactWriteItem{Delete: &types.Delete{TableName: &s.name, Key: countsKey(put.Name)}})
	}
	err = s.transact(ctx, writes...)
	stands, failed := failedCondition(err)
	switch {
	case failed && put.Revision == 1:
		return fmt.Errorf("put source %s: %w", put.Name, webhook.ErrExists)
	case failed:
		return fmt.Errorf("put source %s: %w", put.Name, lost(stands))
	case slices.Contains(failedConditions(err), 1):
		return source.FullError()
	}
	return wrap(err, "put source %s", put.Name)
}

// Delete removes a source with its counts.
func (s *Sources) Delete(ctx context.Context, name string, revision int64) error {
	err := s.transact(ctx,
		types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.name, Key: sourceKey(name), ConditionExpression: aws.String("rev = :old"),
			ExpressionAttributeValues:           item{":old": number(revision)},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		types.TransactWriteItem{Update: &types.Update{
			TableName: &s.name, Key: sourceCountKey(), UpdateExpression: aws.String("ADD n :less"),
			ExpressionAttributeValues: item{":less": number(-1)},
		}},
		types.TransactWriteItem{Delete: &types.Delete{TableName: &s.name, Key: countsKey(name)}})
	if stands, failed := failedCondition(err); failed {
		return fmt.Errorf("delete source %s: %w", name, lost(stands))
	}
	return wrap(err, "delete source %s", name)
}

func decodeSource(it item) (source.Source, error) {
	r := reader{item: it}
	name, doc := r.text(attrSK), r.text(attrDocument)
	if r.err != nil {
		return source.Source{}, fmt.Errorf("read source %s: %w", name, r.err)
	}
	s, err := source.Decode([]byte(doc))
	if err != nil {
		return source.Source{}, fmt.Errorf("read source %s: %w", name, err)
	}
	return s, nil
}

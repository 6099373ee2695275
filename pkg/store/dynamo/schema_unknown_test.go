package dynamo_test

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/store/storetest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// later is an attribute that a later version might add to any item.
const later = "of_a_later_version"

// extended is a database in which every item has that attribute from its first write
// on. It notes the kinds of items that lose it: those that are put whole over an
// existing one.
type extended struct {
	*memdb.DB
	mu         sync.Mutex
	made, lost map[string]bool
}

// putting returns the item with the attribute, and what notes the put once it has
// succeeded.
func (e *extended) putting(ctx context.Context, table *string, item map[string]types.AttributeValue) (with map[string]types.AttributeValue, note func(), err error) {
	old, err := e.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]}})
	if err != nil {
		return nil, nil, err
	}
	kind := kindOf(placeOf(*table, item))
	with = maps.Clone(item)
	with[later] = &types.AttributeValueMemberS{Value: "x"}
	return with, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.made[kind] = true
		if old.Item[later] != nil {
			e.lost[kind] = true
		}
	}, nil
}

// updating adds the attribute to an update, which may create the item.
func (e *extended) updating(table string, key map[string]types.AttributeValue, text string, values map[string]types.AttributeValue) (string, map[string]types.AttributeValue) {
	e.mu.Lock()
	e.made[kindOf(placeOf(table, key))] = true
	e.mu.Unlock()
	values = maps.Clone(values)
	if values == nil {
		values = map[string]types.AttributeValue{}
	}
	values[":later"] = &types.AttributeValueMemberS{Value: "x"}
	set := "SET " + later + " = :later"
	if !strings.Contains(text, "SET ") {
		return set + " " + text, values
	}
	return strings.Replace(text, "SET ", set+", ", 1), values
}

func (e *extended) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	item, note, err := e.putting(ctx, in.TableName, in.Item)
	if err != nil {
		return nil, err
	}
	changed := *in
	changed.Item = item
	out, err := e.DB.PutItem(ctx, &changed, o...)
	if err == nil {
		note()
	}
	return out, err
}

func (e *extended) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	changed := *in
	text, values := e.updating(*in.TableName, in.Key, *in.UpdateExpression, in.ExpressionAttributeValues)
	changed.UpdateExpression, changed.ExpressionAttributeValues = &text, values
	return e.DB.UpdateItem(ctx, &changed, o...)
}

func (e *extended) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	changed := *in
	changed.TransactItems = slices.Clone(in.TransactItems)
	var notes []func()
	for i, w := range in.TransactItems {
		switch {
		case w.Put != nil:
			put := *w.Put
			item, note, err := e.putting(ctx, put.TableName, put.Item)
			if err != nil {
				return nil, err
			}
			notes = append(notes, note)
			put.Item, changed.TransactItems[i].Put = item, &put
		case w.Update != nil:
			update := *w.Update
			text, values := e.updating(*update.TableName, update.Key, *update.UpdateExpression, update.ExpressionAttributeValues)
			update.UpdateExpression, update.ExpressionAttributeValues = &text, values
			changed.TransactItems[i].Update = &update
		}
	}
	out, err := e.DB.TransactWriteItems(ctx, &changed, o...)
	if err == nil {
		for _, note := range notes {
			note()
		}
	}
	return out, err
}

var kinds = []struct {
	key  *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`^webhooks T#[^#]+ W#`), "webhook"},
	{regexp.MustCompile(`^webhooks T#[^#]+ S#`), "pointer"},
	{regexp.MustCompile(`^webhooks T#[^#]+ C#`), "copy of a credential"},
	{regexp.MustCompile(`^webhooks T#[^#]+ EPOCH$`), "EPOCH"},
	{regexp.MustCompile(`^webhooks T#[^#]+ SEQ$`), "SEQ"},
	{regexp.MustCompile(`^webhooks T#.+#W#\d+ HOUR#`), "hour"},
	{regexp.MustCompile(`^webhooks V#`), "history"},
	{regexp.MustCompile(`^webhooks H#`), "health"},
	{regexp.MustCompile(`^webhooks O `), "intent"},
	{regexp.MustCompile(`^webhooks JOBS `), "running job"},
	{regexp.MustCompile(`^webhooks J#.+ J$`), "ended job"},
	{regexp.MustCompile(`^webhooks J#.+ RUNNING$`), "lock of a webhook's job"},
	{regexp.MustCompile(`^webhooks J#.+ [0-9a-f-]+$`), "copy of a job"},
	{regexp.MustCompile(`^webhooks TENANTS `), "tenant"},
	{regexp.MustCompile(`^webhooks C#`), "credential"},
	{regexp.MustCompile(`^webhooks SOURCES N$`), "count of sources"},
	{regexp.MustCompile(`^webhooks SOURCES `), "source"},
	{regexp.MustCompile(`^webhooks SOURCE#`), "counts of a source"},
	{regexp.MustCompile(`^events T#`), "event"},
	{regexp.MustCompile(`^events K#`), "claim"},
	{regexp.MustCompile(`^deliveries T#`), "row"},
	{regexp.MustCompile(`^deliveries R#`), "response"},
}

// kindOf names the kind of the item at a place, as the package's documentation lists
// them; a place of no kind is its own name.
func kindOf(p place) string {
	key := p.table + " " + p.pk + " " + p.sk
	for _, k := range kinds {
		if k.key.MatchString(key) {
			return k.name
		}
	}
	return key
}

// putWhole are the kinds of items that this version puts whole over an existing one,
// which loses what a later version has added, and when. docs/operating.md says what
// follows for a version that adds something.
var putWhole = map[string]string{
	"row":                  "the outcome of an attempt, a new round, an end; not a lease, a claim or a delay",
	"webhook":              "every save",
	"health":               "every write",
	"running job":          "every slice",
	"source":               "every save",
	"response":             "the response of a later attempt",
	"intent":               "a second write of the same secret",
	"claim":                "after it expired, or for the webhook that is replaced",
	"credential":           "after it expired",
	"copy of a credential": "after it expired",
}

// A version of the service meets attributes of a later one, during a deployment and
// after a rollback: it reads past them, and keeps them, except for items that it puts
// whole. The conformance suite makes every write there is.
func TestSchema_UnknownAttributesStay(t *testing.T) {
	t.Parallel()
	e := &extended{made: map[string]bool{}, lost: map[string]bool{}}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(*testing.T) storetest.Harness {
			group := &extended{DB: memdb.New(memdb.Config{Tables: schemaTables(), Now: time.Now}), made: map[string]bool{}, lost: map[string]bool{}}
			t.Cleanup(func() {
				e.mu.Lock()
				defer e.mu.Unlock()
				maps.Copy(e.made, group.made)
				maps.Copy(e.lost, group.lost)
			})
			s := dynamo.New(group, dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}, dynamo.Options{Now: time.Now, Random: webhooktest.Random(1)})
			return storetest.Harness{
				Limited: func(n int) webhook.Webhooks { return s.Webhooks().Limited(n) }, Webhooks: s.Webhooks(), Events: s.Events(), Deliveries: s.Deliveries(), Jobs: s.Jobs(),
				Sources: s.Sources(), Statistics: s.Statistics(), Tenants: s.Tenants(), Credentials: s.Credentials(), Erasure: s.Erasure(),
			}
		})
	})
	if diff := cmp.Diff(slices.Sorted(maps.Keys(putWhole)), slices.Sorted(maps.Keys(e.lost))); diff != "" {
		t.Errorf("items that lose an attribute of a later version (-accepted +found):\n%s", diff)
	}
	fixtures := map[string]bool{}
	db, s := openSchema()
	populate(t, s)
	for p := range db.places {
		fixtures[kindOf(p)] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(e.made)), slices.Sorted(maps.Keys(fixtures))); diff != "" {
		t.Errorf("kinds of items (-of the suite +with a fixture):\n%s", diff)
	}
}

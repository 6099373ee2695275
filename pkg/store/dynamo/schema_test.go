package dynamo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// schemaFolder has the fixtures: testdata/schema/README.md says what they are for.
const schemaFolder = "testdata/schema"

// place is where an item is.
type place struct{ table, pk, sk string }

// file is the name of the item's fixture.
func (p place) file() string {
	return strings.NewReplacer("#", ".", "/", "-", ":", "-", "*", "-").Replace(p.table+"_"+p.pk+"_"+p.sk) + ".json"
}

// recorder is a database that remembers which items were written.
type recorder struct {
	*memdb.DB
	places map[place]bool
}

func (r *recorder) wrote(table *string, key map[string]types.AttributeValue) {
	r.places[placeOf(*table, key)] = true
}

func placeOf(table string, key map[string]types.AttributeValue) place {
	part := func(name string) string {
		text, _ := key[name].(*types.AttributeValueMemberS)
		return text.Value
	}
	return place{table, part("pk"), part("sk")}
}

func (r *recorder) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	r.wrote(in.TableName, in.Item)
	return r.DB.PutItem(ctx, in, o...)
}

func (r *recorder) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	r.wrote(in.TableName, in.Key)
	return r.DB.UpdateItem(ctx, in, o...)
}

func (r *recorder) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	for _, w := range in.TransactItems {
		switch {
		case w.Put != nil:
			r.wrote(w.Put.TableName, w.Put.Item)
		case w.Update != nil:
			r.wrote(w.Update.TableName, w.Update.Key)
		}
	}
	return r.DB.TransactWriteItems(ctx, in, o...)
}

func schemaTables() []memdb.Table {
	pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
	return []memdb.Table{
		{Name: "webhooks", PK: pk, SK: sk},
		{Name: "events", PK: pk, SK: sk},
		{Name: "deliveries", PK: pk, SK: sk, Indexes: []memdb.Index{{
			Name: "due", PK: memdb.Attribute{Name: "due_shard", Type: types.ScalarAttributeTypeN}, SK: memdb.Attribute{Name: "sweep_at", Type: types.ScalarAttributeTypeN},
			Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends", "parked"},
		}, {
			Name: "parked", PK: memdb.Attribute{Name: "pk"}, SK: memdb.Attribute{Name: "parked"},
			Projection: types.ProjectionTypeInclude, Include: []string{"round", "attempt", "count", "replay"},
		}}},
	}
}

// openSchema returns an empty store at the time of the fixtures.
func openSchema() (*recorder, *dynamo.Store) {
	now := func() time.Time { return schemaNow }
	r := &recorder{memdb.New(memdb.Config{Now: now, Tables: schemaTables()}), map[place]bool{}}
	tables := dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}
	return r, dynamo.New(r, tables, dynamo.Options{Now: now, Random: webhooktest.Random(1)})
}

// items returns the items that were written and still exist, in DynamoDB's JSON.
func (r *recorder) items(t *testing.T) map[place]map[string]any {
	t.Helper()
	found := map[place]map[string]any{}
	for p := range r.places {
		key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: p.pk}, "sk": &types.AttributeValueMemberS{Value: p.sk}}
		out, err := r.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &p.table, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Item) > 0 {
			found[p] = map[string]any{}
			for name, v := range out.Item {
				found[p][name] = shown(t, v)
			}
		}
	}
	return found
}

func shown(t *testing.T, v types.AttributeValue) any {
	t.Helper()
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberL:
		list := []any{}
		for _, each := range v.Value {
			list = append(list, shown(t, each))
		}
		return map[string]any{"L": list}
	case *types.AttributeValueMemberM:
		members := map[string]any{}
		for name, each := range v.Value {
			members[name] = shown(t, each)
		}
		return map[string]any{"M": members}
	}
	t.Fatalf("no item has had a %T so far: show it", v)
	return nil
}

// value is the reverse of shown.
func value(t *testing.T, raw json.RawMessage) types.AttributeValue {
	t.Helper()
	var v struct {
		S, N *string
		B    []byte
		BOOL *bool
		L    []json.RawMessage
		M    map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	switch {
	case v.S != nil:
		return &types.AttributeValueMemberS{Value: *v.S}
	case v.N != nil:
		return &types.AttributeValueMemberN{Value: *v.N}
	case v.BOOL != nil:
		return &types.AttributeValueMemberBOOL{Value: *v.BOOL}
	case v.B != nil:
		return &types.AttributeValueMemberB{Value: v.B}
	case v.M != nil:
		members := map[string]types.AttributeValue{}
		for name, each := range v.M {
			members[name] = value(t, each)
		}
		return &types.AttributeValueMemberM{Value: members}
	}
	list := &types.AttributeValueMemberL{}
	for _, each := range v.L {
		list.Value = append(list.Value, value(t, each))
	}
	return list
}

// load returns a store with the items of a folder of fixtures.
func load(t *testing.T, folder string) (*recorder, *dynamo.Store) {
	t.Helper()
	r, s := openSchema()
	files, err := filepath.Glob(filepath.Join(folder, "items", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no items: %v", folder, err)
	}
	for _, file := range files {
		var raw map[string]json.RawMessage
		readJSON(t, file, &raw)
		table, _, _ := strings.Cut(filepath.Base(file), "_")
		item := map[string]types.AttributeValue{}
		for name, each := range raw {
			item[name] = value(t, each)
		}
		if _, err := r.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return r, s
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func indented(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// written returns the files that this version writes: an item of each kind, a
// message of each kind, and what it reads from them.
func written(t *testing.T) map[string]string {
	t.Helper()
	r, s := openSchema()
	populate(t, s)
	files := map[string]string{"readings.json": indented(t, readings(t.Context(), s))}
	for p, item := range r.items(t) {
		files[filepath.Join("items", p.file())] = indented(t, item)
	}
	for kind, m := range schemaMessages() {
		files[filepath.Join("messages", kind+".json")] = delivery.EncodeMessage(m) + "\n"
	}
	return files
}

// schemaMessages returns a message of each kind with every member set.
func schemaMessages() map[string]delivery.Message {
	attempt := delivery.AttemptMessage(schemaRow(delivery.StatusPending), 1, 2, schemaRunning)
	attempt.Hops, attempt.Fast = 3, schemaSeed().Fast
	success := delivery.Attempt{Round: 1, Number: 2, Lane: delivery.LaneQueue, At: schemaNow, Duration: time.Second, StatusCode: 204, Sent: webhook.Sent{Revision: 1, Signer: webhook.SignerCurrent}}
	expand := delivery.ExpandMessage(schemaStored()[0], schemaNow)
	expand.From, expand.To, expand.Missing, expand.Replay = 1, 500, true, schemaRunning
	return map[string]delivery.Message{"attempt": attempt, "record": delivery.RecordMessage(attempt, success), "expand": expand}
}

// The stored form changes only together with the fixtures, which a reviewer sees.
// UPDATE_SCHEMA=1 writes them.
func TestSchema_FixturesAreWhatIsWritten(t *testing.T) {
	t.Parallel()
	want := written(t)
	if os.Getenv("UPDATE_SCHEMA") != "" {
		for _, part := range []string{"items", "messages"} {
			if err := os.RemoveAll(filepath.Join(schemaFolder, part)); err != nil {
				t.Fatal(err)
			}
		}
		save(t, schemaFolder, want)
	}
	got := map[string]string{}
	for _, pattern := range []string{"*.json", "*/*.json"} {
		files, err := filepath.Glob(filepath.Join(schemaFolder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(schemaFolder, file)
			got[name] = string(text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fixtures (-written +stored); UPDATE_SCHEMA=1 go test ./pkg/store/dynamo -run Schema writes them:\n%s", diff)
	}
}

func save(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

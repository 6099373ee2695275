package dynamo_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
)

// local returns a client for the DynamoDB Local at DYNAMODB_ENDPOINT, which
// .ci/dynamodb-local/start starts.
func local(t testing.TB) *dynamodb.Client {
	t.Helper()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMODB_ENDPOINT is not set: start DynamoDB Local with .ci/dynamodb-local/start (make test-aws does)")
	}
	return dynamodb.New(dynamodb.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
}

var tableCount atomic.Int64

// newTables creates three empty tables like the template's.
func newTables(t testing.TB, client *dynamodb.Client) dynamo.Tables {
	t.Helper()
	prefix := fmt.Sprintf("t%d-%d-", time.Now().UnixNano(), tableCount.Add(1))
	tables := dynamo.Tables{Webhooks: prefix + "webhooks", Events: prefix + "events", Deliveries: prefix + "deliveries"}
	text := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
	}
	num := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeN}
	}
	keys := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	base := func(name string) *dynamodb.CreateTableInput {
		return &dynamodb.CreateTableInput{
			TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{text("pk"), text("sk")}, KeySchema: keys("pk", "sk"),
		}
	}
	events, deliveries := base(tables.Events), base(tables.Deliveries)
	events.StreamSpecification = &types.StreamSpecification{
		StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage,
	}
	deliveries.AttributeDefinitions = append(deliveries.AttributeDefinitions, num("due_shard"), num("sweep_at"), text("parked"))
	deliveries.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
		IndexName: aws.String("due"), KeySchema: keys("due_shard", "sweep_at"),
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"next_at", "resends", "parked"}},
	}, {
		IndexName: aws.String("parked"), KeySchema: keys("pk", "parked"),
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"round", "attempt", "count", "replay"}},
	}}
	for _, in := range []*dynamodb.CreateTableInput{base(tables.Webhooks), events, deliveries} {
		if _, err := client.CreateTable(t.Context(), in); err != nil {
			t.Fatalf("create table %s: %v", *in.TableName, err)
		}
		t.Cleanup(func() {
			_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: in.TableName})
			if err != nil {
				t.Errorf("delete table: %v", err)
			}
		})
	}
	return tables
}

// inMemory names the tables of memory.
var inMemory = dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}

// memory returns three empty tables in memory.
func memory(now func() time.Time) *memdb.DB {
	pk, sk := memdb.Attribute{Name: "pk"}, memdb.Attribute{Name: "sk"}
	return memdb.New(memdb.Config{Now: now, Tables: []memdb.Table{
		{Name: inMemory.Webhooks, PK: pk, SK: sk},
		{Name: inMemory.Events, PK: pk, SK: sk},
		{Name: inMemory.Deliveries, PK: pk, SK: sk, Indexes: []memdb.Index{{
			Name: "due", PK: memdb.Attribute{Name: "due_shard", Type: types.ScalarAttributeTypeN},
			SK:         memdb.Attribute{Name: "sweep_at", Type: types.ScalarAttributeTypeN},
			Projection: types.ProjectionTypeInclude, Include: []string{"next_at", "resends", "parked"},
		}, {
			Name: "parked", PK: pk, SK: memdb.Attribute{Name: "parked"},
			Projection: types.ProjectionTypeInclude, Include: []string{"round", "attempt", "count", "replay"},
		}}},
	}})
}

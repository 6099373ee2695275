package dynamo

import (
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Client is the part of *dynamodb.Client that the stores use. The SDK's own
// retries are expected to be on: they handle throttling and lost connections.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
}

var _ Client = (*dynamodb.Client)(nil)

// Tables names the three tables. Functions that use only some of the stores may
// leave the other names empty.
type Tables struct{ Webhooks, Events, Deliveries string }

// Options holds the stores' other dependencies. Both fields are required.
type Options struct {
	// Now decides which items have expired.
	Now func() time.Time
	// Random draws the delay before a call that lost to other writers is
	// retried.
	Random io.Reader
}

// Store holds the stores of one deployment. It is immutable and safe for
// concurrent use.
type Store struct {
	webhooks    Webhooks
	events      Events
	deliveries  Deliveries
	jobs        Jobs
	tenants     Tenants
	credentials Credentials
	erasure     Erasure
	sources     Sources
	statistics  Statistics
}

// New returns the stores. It does no I/O.
func New(client Client, tables Tables, options Options) *Store {
	table := func(name string) table {
		return table{client: client, name: name, now: options.Now, random: options.Random}
	}
	return &Store{
		webhooks:    Webhooks{table: table(tables.Webhooks), events: tables.Events},
		events:      Events{table: table(tables.Events)},
		deliveries:  Deliveries{table: table(tables.Deliveries)},
		jobs:        Jobs{table: table(tables.Webhooks)},
		tenants:     Tenants{table: table(tables.Webhooks)},
		credentials: Credentials{table: table(tables.Webhooks)},
		erasure:     Erasure{webhooks: table(tables.Webhooks), events: table(tables.Events), deliveries: table(tables.Deliveries)},
		sources:     Sources{table: table(tables.Webhooks)},
		statistics:  Statistics{table: table(tables.Webhooks)},
	}
}

// Webhooks returns the store of webhooks, their pointers, health and intents.
func (s *Store) Webhooks() *Webhooks { return &s.webhooks }

// Events returns the store of events.
func (s *Store) Events() *Events { return &s.events }

// Deliveries returns the store of delivery rows.
func (s *Store) Deliveries() *Deliveries { return &s.deliveries }

// Jobs returns the store of jobs.
func (s *Store) Jobs() *Jobs { return &s.jobs }

// Tenants returns the store of tenants.
func (s *Store) Tenants() *Tenants { return &s.tenants }

// Credentials returns the store of credentials.
func (s *Store) Credentials() *Credentials { return &s.credentials }

// Erasure returns the part that removes a tenant's stored data.
func (s *Store) Erasure() *Erasure { return &s.erasure }

// Sources returns the store of sources and their counts.
func (s *Store) Sources() *Sources { return &s.sources }

// Statistics returns the store of webhooks' statistics.
func (s *Store) Statistics() *Statistics { return &s.statistics }

var (
	_ webhook.Webhooks = (*Webhooks)(nil)
	_ webhook.Events   = (*Events)(nil)
	_ delivery.Store   = (*Deliveries)(nil)
	_ job.Jobs         = (*Jobs)(nil)
)

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/service/ingester"
	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// counted is a DynamoDB in memory that counts calls and stores no event: a put is
// encoded and sent nowhere.
type counted struct {
	*memdb.DB
	calls atomic.Int64
}

func (c *counted) PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return &dynamodb.PutItemOutput{}, nil
}

// benchIngest passes batches of changes of a table to IngestFunction's handler.
func benchIngest(b *testing.B, t *table) {
	const (
		records = 100
		turn    = time.Second
		arn     = "arn:aws:dynamodb:eu-west-1:111122223333:table/contacts"
	)
	c := &counted{}
	keys := func(name string) memdb.Table {
		return memdb.Table{Name: name, PK: memdb.Attribute{Name: "pk", Type: "S"}, SK: memdb.Attribute{Name: "sk", Type: "S"}}
	}
	c.DB = memdb.New(memdb.Config{
		Now: time.Now, Tables: []memdb.Table{keys("webhooks"), keys("events"), keys("deliveries")},
		Before: func(context.Context, memdb.Operation) error { c.calls.Add(1); return nil },
	})
	store := dynamo.New(c, dynamo.Tables{Webhooks: "webhooks", Events: "events", Deliveries: "deliveries"}, dynamo.Options{Now: time.Now, Random: rand.Reader})
	err := store.Sources().Put(b.Context(), source.Source{
		Name: "contacts", Kind: source.KindTable, Tenant: "Default", Revision: 1,
		Table: &source.Table{
			Table: arn, Entity: "contact", Fields: []string{"name", "category_idx", "business_idx", "country_id", "updated"}, Key: []string{"contact_id"}, Previous: []string{"name"},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	batches := ingester.New(service.Contracts{
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, Random: rand.Reader, Delivering: config.Delivering{EventTTL: 30 * 24 * time.Hour},
		Events: store.Events(), Tenants: store.Tenants(), Sources: store.Sources(),
	})
	handler := trigger.Ingest(batches.Bus, batches.Changes, slog.New(slog.DiscardHandler))
	image := func(name string, category int) string {
		return fmt.Sprintf(`{"contact_id":{"N":"7"},"name":{"S":%q},"category_idx":{"N":"%d"},"business_idx":{"N":"7"},"associate_id":{"N":"5"},"country_id":{"N":"578"},`+
			`"updated":{"S":"2026-11-24T08:00:%02d"},"registered":{"S":"2026-11-24T08:00:00"},"department":{"S":"Development"},"number":{"S":"A-1234"}}`, name, category, category)
	}
	var list []string
	for n := range records {
		// Ahead of the clock, so that each batch reads the sources, as with new changes.
		list = append(list, fmt.Sprintf(`{"eventID":"c4ca4238a0b923820dcc509a6f75%04d","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-west-1",`+
			`"dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"contact_id":{"N":"7"}},"NewImage":%s,"OldImage":%s,"SequenceNumber":"1111111111111111111%04d",`+
			`"SizeBytes":600,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"%s/stream/2026-11-24T08:00:00.000"}`,
			n, time.Now().Add(time.Hour).Unix(), image("Blåbær AS", 3), image("Blueberry Ltd", 4), n, arn))
	}
	payload := []byte(`{"Records":[` + strings.Join(list, ",") + `]}`)
	var turns []row
	perRecord := 0.0
	for range 3 {
		before := c.calls.Load()
		taken := 0
		turns = append(turns, benchTurn(turn, func() int {
			for until := time.Now().Add(turn); time.Now().Before(until); taken += records {
				response, err := handler.Invoke(b.Context(), payload)
				if err != nil || string(response) != `{"batchItemFailures":[]}` {
					b.Fatalf("%s, %v", response, err)
				}
			}
			return taken
		}))
		perRecord = float64(c.calls.Load()-before)/float64(taken) + 1 // and the put
	}
	r := best(turns)
	r.what = "IngestFunction's handler: decode, map, encode the event"
	r.note = fmt.Sprintf("%.2f calls of the store per record", perRecord)
	t.add(r)
}

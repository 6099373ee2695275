package dynamo_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// hurried is a database where another writer always wins: it runs before each
// put and counts.
type hurried struct {
	dynamo.Client
	first func()
	puts  atomic.Int64
}

// endless is a number of puts that only an unbounded loop reaches.
const endless = 1000

func (h *hurried) PutItem(ctx context.Context, in *dynamodb.PutItemInput, edit ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if h.puts.Add(1) < endless {
		h.first()
	}
	return h.Client.PutItem(ctx, in, edit...)
}

func TestStore_GivesUpWhenOthersAreAlwaysFaster(t *testing.T) {
	t.Parallel()
	key := delivery.Key{Tenant: "Default", Webhook: 1, Event: "019e0000-0000-7000-8000-000000000001"}
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	next := func(h webhook.Health) webhook.Health { h.TotalCalls++; return h }
	due := delivery.MakeDue{Key: key, Round: 1, Attempt: 1, Now: at, SweepAt: at}
	for name, tt := range map[string]struct {
		write func(context.Context, *dynamo.Store) error
		other func(context.Context, *dynamo.Store) error
	}{
		"the health of a webhook": {
			write: func(ctx context.Context, s *dynamo.Store) error {
				_, err := s.Webhooks().UpdateHealth(ctx, "Default", 1, next)
				return err
			},
			other: func(ctx context.Context, s *dynamo.Store) error {
				_, err := s.Webhooks().UpdateHealth(ctx, "Default", 1, next)
				return err
			},
		},
		"a delivery's row": {
			write: func(ctx context.Context, s *dynamo.Store) error {
				_, err := s.Deliveries().MakeDue(ctx, due)
				return err
			},
			other: func(ctx context.Context, s *dynamo.Store) error {
				_, err := s.Deliveries().MakeDue(ctx, due)
				return err
			},
		},
	} {
		for way, limit := range map[string]time.Duration{"after some tries": time.Hour, "with its context": 20 * time.Millisecond} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					options := dynamo.Options{Now: func() time.Time { return at }, Random: webhooktest.Random(1)}
					db := memory(time.Now)
					others := dynamo.New(db, inMemory, options)
					client := &hurried{Client: db, first: func() {
						if err := tt.other(t.Context(), others); err != nil {
							t.Error(err)
						}
					}}
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					began := time.Now()
					err := tt.write(ctx, dynamo.New(client, inMemory, options))
					if !errors.Is(err, webhook.ErrUnavailable) {
						t.Errorf("got %v, want ErrUnavailable", err)
					}
					if puts := client.puts.Load(); puts < 2 || puts > 20 {
						t.Errorf("tried %d times", puts)
					}
					if took := time.Since(began); took == 0 || took > min(limit, 2*time.Second) {
						t.Errorf("took %s", took)
					}
				})
			})
		}
	}
}

package sweep

import (
	"context"
	"log/slog"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Deliveries is what the sweep needs of webhook.Deliveries.
type Deliveries interface {
	Due(ctx context.Context, shard int, before time.Time, after webhook.DueDelivery, limit int) ([]webhook.DueDelivery, error)
	Claim(ctx context.Context, c webhook.Claim) (webhook.Delivery, error)
	Defer(ctx context.Context, d webhook.Defer) (webhook.Delivery, error)
	MakeDue(ctx context.Context, m webhook.MakeDue) (webhook.Delivery, error)
	End(ctx context.Context, e webhook.End) (webhook.Delivery, error)
}

// Events is what the sweep needs of webhook.Events.
type Events interface {
	Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error)
}

// Webhooks is what the sweep needs of webhook.Webhooks.
type Webhooks interface {
	Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error)
	Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
	Intents(ctx context.Context, before time.Time, limit int) ([]webhook.Intent, error)
	RemoveIntent(ctx context.Context, intent webhook.Intent) error
}

// Secrets deletes a secret that no webhook names.
type Secrets interface {
	Delete(ctx context.Context, name string) error
}

// DeadLetters is the queue of messages that were received too often.
type DeadLetters interface {
	// Receive takes up to limit messages; they stay until they are removed.
	// None is an empty slice.
	Receive(ctx context.Context, limit int) ([]webhook.Received, error)
	// Remove forgets a received message.
	Remove(ctx context.Context, receipt string) error
	// Bury puts what cannot be read where a person finds it.
	Bury(ctx context.Context, raw []byte) error
}

// Failures is what the stream gave up: batches of records, each under a name,
// until it is removed.
type Failures interface {
	// List returns up to limit names that come after one (empty: from the first
	// on), in the order of the names. A short list means there are no more.
	List(ctx context.Context, after string, limit int) ([]string, error)
	// Open reads a batch. webhook.ErrNotFound if it is gone; a
	// *webhook.ValidationError if it can never be read.
	Open(ctx context.Context, name string) ([]webhook.Record, error)
	// Remove forgets a batch. One that is gone is fine.
	Remove(ctx context.Context, name string) error
}

// Config holds what a Sweeper is made of. All members must be set but those
// whose comment says otherwise.
type Config struct {
	Deliveries  Deliveries
	Webhooks    Webhooks
	Events      Events
	Secrets     Secrets
	Messages    webhook.Queue
	DeadLetters DeadLetters
	// Failures are sent on. nil: the stream never gives up.
	Failures Failures
	Logger   *slog.Logger
	Now      func() time.Time
	// RowLife is how long a delivery row is kept after its last write.
	RowLife time.Duration
	// Jobs are what Runners work on, a slice at a time. nil: there are none.
	Jobs    Jobs
	Runners map[webhook.JobKind]JobRunner
}

const (
	resendStep    = 5 * time.Minute
	maxResendStep = 6 * time.Hour
	alarmResends  = 8
	intentAge     = time.Hour
	intentPage    = 100    // intents that one Run clears
	intentList    = 10_000 // of so many, if some stay since they have a fault
	deadPage      = 10
	maxDeadPages  = 50
	failurePage   = 50  // batches that one Run sends on
	failureList   = 500 // names that are listed at a time
)

// Sweeper sweeps. Several may run at once: claims keep them apart.
type Sweeper struct {
	Config
	told told
}

// New makes a Sweeper.
func New(c Config) *Sweeper { return &Sweeper{Config: c} }

func (s *Sweeper) send(ctx context.Context, messages []webhook.Outgoing) error {
	return sendAll(ctx, s.Messages, messages)
}

// sendAll sends messages; an error says that some may not have been sent.
func sendAll(ctx context.Context, queue webhook.Queue, messages []webhook.Outgoing) error {
	if len(messages) == 0 {
		return nil
	}
	failed, err := queue.Send(ctx, messages)
	if err == nil && len(failed) > 0 {
		err = webhook.ErrUnavailable
	}
	return err
}

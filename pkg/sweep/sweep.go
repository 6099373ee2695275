package sweep

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Deliveries is the part of delivery.Store that the sweep uses.
type Deliveries interface {
	Due(ctx context.Context, shard int, before time.Time, after delivery.DueRow, limit int) ([]delivery.DueRow, error)
	Claim(ctx context.Context, c delivery.Claim) (delivery.Row, error)
	Defer(ctx context.Context, d delivery.Defer) (delivery.Row, error)
	MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error)
	End(ctx context.Context, e delivery.End) (delivery.Row, error)
	Timer(ctx context.Context, key webhook.Key) (delivery.Timer, error)
	SetTimer(ctx context.Context, t delivery.Timer) (delivery.Timer, error)
	RemoveTimer(ctx context.Context, t delivery.Timer) error
	DueTimers(ctx context.Context, shard int, before time.Time, after delivery.DueTimer, limit int) ([]delivery.DueTimer, error)
	Waiting(ctx context.Context, key webhook.Key, limit int) (int, error)
}

// Events is the part of webhook.Events that the sweep uses.
type Events interface {
	Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error)
}

// Webhooks is the part of webhook.Webhooks that the sweep uses.
type Webhooks interface {
	Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error)
	Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
	CurrentHealth(ctx context.Context, key webhook.Key) (webhook.Health, error)
	Intents(ctx context.Context, before time.Time, limit int) ([]webhook.Intent, error)
	RemoveIntent(ctx context.Context, intent webhook.Intent) error
}

// Secrets deletes secrets that no webhook or source refers to.
type Secrets interface {
	Delete(ctx context.Context, name string) error
}

// Sources is the part of source.Sources that the sweep uses.
type Sources interface {
	List(ctx context.Context) ([]source.Source, error)
	Counts(ctx context.Context, name string) (source.Counts, error)
}

// DeadLetters is the queue of messages that were received too often.
type DeadLetters interface {
	// Receive returns up to limit messages, or an empty slice. They stay in the
	// queue until they are removed.
	Receive(ctx context.Context, limit int) ([]delivery.Received, error)
	// Remove deletes a received message.
	Remove(ctx context.Context, receipt string) error
	// Bury stores an unreadable message for an operator to inspect.
	Bury(ctx context.Context, raw []byte) error
}

// Failures holds the batches of records that Lambda gave up on, each under a
// name, until they are removed.
type Failures interface {
	// List returns up to limit names greater than after, in order; an empty
	// after starts at the beginning. A short list is the last one.
	List(ctx context.Context, after string, limit int) ([]string, error)
	// Open returns the records of a batch. It returns webhook.ErrNotFound if
	// the batch is gone, and a *webhook.ValidationError if it can never be
	// read.
	Open(ctx context.Context, name string) ([]webhook.Record, error)
	// Remove deletes a batch. A batch that is already gone is not an error.
	Remove(ctx context.Context, name string) error
}

// Config holds the dependencies of a Sweeper. All fields are required except
// where noted.
type Config struct {
	Deliveries  Deliveries
	Webhooks    Webhooks
	Events      Events
	Secrets     Secrets
	Messages    delivery.Queue
	DeadLetters DeadLetters
	// Failures is nil where there is no failure destination, as in the local
	// run.
	Failures Failures
	// Notices is nil where no operational notices are sent.
	Notices notice.Notices
	// Changes is nil where no table is a source.
	Changes *Changes
	Logger  *slog.Logger
	Now     func() time.Time
	// RowLife is how long a delivery row is kept after its last write.
	RowLife time.Duration
	// Jobs are worked on by Runners, a slice at a time. nil means no jobs.
	Jobs    job.Stored
	Runners map[job.Kind]job.Slice
	// Sources is nil where there are no sources.
	Sources Sources
}

const (
	resendStep    = 5 * time.Minute
	maxResendStep = 6 * time.Hour
	alarmResends  = 8
	intentAge     = time.Hour
	intentPage    = 100    // intents cleared per Run
	intentList    = 10_000 // intents listed per Run: more than are cleared, since faulty ones stay
	deadPage      = 10
	maxDeadPages  = 50
	failurePage   = 50  // batches redriven per Run
	failureList   = 500 // names per list call
	changePage    = 20  // batches of table changes taken again per Run
)

// Sweeper runs the sweep. Several may run at once; claims keep them apart.
type Sweeper struct {
	Config
	reported reported
	notices  *notice.Notifier
	retaken  atomic.Pointer[string] // the batch that was last taken again
	failures lull
	changes  lull
}

// New returns a Sweeper.
func New(c Config) *Sweeper {
	return &Sweeper{Config: c, notices: notice.NewNotifier(c.Notices, c.Logger, c.Now)}
}

func (s *Sweeper) send(ctx context.Context, messages []delivery.Outgoing) error {
	return delivery.SendAll(ctx, s.Messages, messages)
}

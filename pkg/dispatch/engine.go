package dispatch

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Webhooks is what dispatch needs of webhook.Webhooks.
type Webhooks interface {
	Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error)
	Update(ctx context.Context, w webhook.Webhook, by webhook.Change, raised ...webhook.Event) error
	Epoch(ctx context.Context, tenant webhook.Tenant) (int64, error)
	Subscribed(ctx context.Context, tenant webhook.Tenant, key string, each func(webhook.Webhook)) error
	Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
	CurrentHealth(ctx context.Context, key webhook.Key) (webhook.Health, error)
	UpdateHealth(ctx context.Context, tenant webhook.Tenant, id int32, change func(webhook.Health) webhook.Health) (webhook.Health, error)
}

// Events is what dispatch needs of webhook.Events.
type Events interface {
	Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error)
}

// Deliveries is what dispatch needs of delivery.Store.
type Deliveries interface {
	Lease(ctx context.Context, l delivery.Lease) (delivery.Row, error)
	Finish(ctx context.Context, f delivery.Finish) (delivery.Row, error)
	RecordFirst(ctx context.Context, r delivery.RecordFirst) (delivery.Row, error)
	MarkDelivered(ctx context.Context, m delivery.MarkDelivered) (delivery.Row, error)
	End(ctx context.Context, e delivery.End) (delivery.Row, error)
	MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error)
	Park(ctx context.Context, p delivery.Park) (delivery.Row, error)
	Yield(ctx context.Context, y delivery.Yield) (delivery.Row, error)
	Parked(ctx context.Context, key webhook.Key, partition int, after webhook.EventID, limit int) ([]delivery.ParkedRow, error)
	Timer(ctx context.Context, key webhook.Key) (delivery.Timer, error)
	SetTimer(ctx context.Context, t delivery.Timer) (delivery.Timer, error)
	PullTimer(ctx context.Context, key webhook.Key, now time.Time) error
	Get(ctx context.Context, key delivery.Key) (delivery.Row, error)
	PutResponse(ctx context.Context, r delivery.FailureResponse) error
}

// Statistics counts what became of attempts; see statistics.Store.
type Statistics interface {
	Count(ctx context.Context, tenant webhook.Tenant, id int32, hour statistics.Hour) error
}

// Sender makes one POST. It returns within the post's timeout and reports every
// failure in its result.
type Sender interface {
	Send(ctx context.Context, p webhook.Post) webhook.Result
}

// DeadLetters takes what cannot be decoded, so that an operator can look at it.
type DeadLetters interface {
	Bury(ctx context.Context, raw []byte) error
}

// Config holds the parts and settings of an Engine. All fields must be set.
type Config struct {
	Webhooks    Webhooks
	Events      Events
	Deliveries  Deliveries
	Statistics  Statistics
	Secrets     webhook.SecretReader
	Sender      Sender
	Messages    delivery.Queue
	Visibility  delivery.Visibility
	DeadLetters DeadLetters
	// Notices is nil where operational notices go nowhere.
	Notices notice.Notices
	Logger  *slog.Logger
	Now     func() time.Time
	Random  io.Reader

	// Policy is the policy of webhooks without one of their own.
	Policy webhook.Policy
	// EventLife is how long state events are kept.
	EventLife time.Duration
	// RowLife is how long a delivery row is kept after its last write, a webhook after
	// it was disabled, and an hour of statistics after its end.
	RowLife time.Duration
}

// Limits of concurrency and time.
const (
	maxInFlight           = 512 // attempts of this process
	maxInFlightPerWebhook = 16
	// maxInFlightPerDrain is how many attempts of a webhook's parked rows are made at
	// once. A target that fails again gets no more than 256: two drains may overlap, in
	// two processes.
	maxInFlightPerDrain = maxInFlight / 4
	// Once slowTenant webhooks of a tenant were cut short in a batch, the tenant's other
	// deliveries of the batch leave the fast lane for the queue, so that the batch, which
	// other tenants share or wait for, ends.
	slowTenant = 4
	// replayShare is the part of these slots that replays may hold, so that they never
	// delay live events.
	replayShare        = 4
	maxQueuePerWebhook = 5  // attempts of one webhook in a queue consumer
	maxParking         = 64 // rows of a batch being parked
	maxLooking         = 16 // rows of an expand being looked up

	youngestToFail = 3 * time.Second // age of a record before its failure is reported
	sweepMargin    = 5 * time.Minute // the sweep looks at a row this long after its message was due
	timeRetry      = 5 * time.Second // visibility of a message that the invocation had no time for
	maxMessageHops = 8
	maxMatches     = 100 // webhooks that one event is dispatched to directly; more are expanded
	expandRange    = 500 // webhooks of one expand message
	loudRecord     = 3   // tries at writing a success before the log line is an error
)

// The retries.
var (
	// A message that met a fault is retried without limit: the queue counts its
	// receives.
	messageRetries = backoff.Policy{First: 5 * time.Second, Most: 5 * time.Minute}
	// So is one whose secret cannot be read: a new version takes a while to become
	// readable.
	secretRetries = backoff.Policy{First: 30 * time.Second, Most: 30 * time.Second}
	// Messages that the queue refused are sent again. If it still refuses them,
	// their rows or records bring them back.
	sending = backoff.Policy{Tries: 3, First: 50 * time.Millisecond, Most: 200 * time.Millisecond}
	// Webhooks that change while they are read are read again. If they still
	// change, their event is enqueued whole.
	matching = backoff.Policy{Tries: 4, First: 10 * time.Millisecond, Most: 100 * time.Millisecond}
	// A webhook that changes while it is being disabled is read again and disabled.
	// If that still fails, its next failure disables it.
	disabling = backoff.Policy{Tries: 5, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}
	// A timer that changes while it is ensured is read again. If it still changes,
	// nothing is parked.
	ensuring = backoff.Policy{Tries: 5, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}
)

// Engine dispatches. Make it with New; its methods may be called concurrently.
type Engine struct {
	Config
	lists    *subscriptions
	healths  *healths
	timers   *timers
	inFlight *slots
	replays  *slots // of inFlight
	drains   *slots // of inFlight
	notices  *notice.Notifier
}

// New makes an Engine.
func New(c Config) *Engine {
	all := newShares(maxInFlight)
	return &Engine{
		Config: c, lists: newSubscriptions(c.Webhooks), healths: newHealths(c), timers: newTimers(c),
		inFlight: newSlots(all, maxInFlightPerWebhook), drains: newSlots(all, maxInFlightPerDrain),
		replays: newSlots(newShares(maxInFlight/replayShare), maxInFlightPerWebhook/replayShare),
		notices: notice.NewNotifier(c.Notices, c.Logger, c.Now),
	}
}

// seed returns the members that a new row of the message's delivery starts with.
func (e *Engine) seed(event webhook.Event, m delivery.Message, now time.Time) delivery.Seed {
	return delivery.NewSeed(event, m.Replay, m.Fast, now.Add(e.RowLife))
}

// document reads a webhook's secrets; most have one version, and it is cached. The
// zero document for a webhook without secrets.
func (e *Engine) document(ctx context.Context, w webhook.Webhook) (webhook.SecretDocument, error) {
	if w.Secret.Name == "" {
		return webhook.SecretDocument{}, nil
	}
	doc, err := webhook.ReadSecret(ctx, e.Secrets, w.Tenant, w.ID, w.Secret)
	if err != nil {
		return webhook.SecretDocument{}, fmt.Errorf("secret of webhook %d: %w", w.ID, err)
	}
	return doc, nil
}

// send makes the POST. A panic of the sender is a failed attempt: by then the
// target may have received it.
func (e *Engine) send(ctx context.Context, p webhook.Post) (result webhook.Result) {
	began := e.Now()
	defer func() {
		if cause := recover(); cause != nil {
			e.Logger.ErrorContext(ctx, "attempt panicked", "event_id", string(p.Event.ID), "error", fmt.Sprint(cause))
			result = webhook.Result{At: began, Duration: e.Now().Sub(began), Error: failure.Internal}
		}
	}()
	return e.Sender.Send(ctx, p)
}

// errRefused means that the queue did not accept all of the messages.
var errRefused = errors.New("the queue refused messages")

// sendAll sends messages, retrying those that the queue refuses, and returns the
// indexes of the ones that it never accepted.
func (e *Engine) sendAll(ctx context.Context, out []delivery.Outgoing) map[int]bool {
	lost := map[int]bool{}
	rest := make([]int, len(out))
	for i := range out {
		rest[i] = i
	}
	_ = sending.Retry(ctx, e.Random, func(error) bool { return true }, func() error {
		batch := make([]delivery.Outgoing, len(rest))
		for k, i := range rest {
			batch[k] = out[i]
		}
		failed, err := e.Messages.Send(ctx, batch)
		if err != nil {
			e.Logger.WarnContext(ctx, "cannot send to queue", "count", len(batch), "error", err)
			return err
		}
		refused := make([]int, len(failed))
		for k, i := range failed {
			refused[k] = rest[i]
		}
		rest = refused
		if len(rest) > 0 {
			return errRefused
		}
		return nil
	})
	for _, i := range rest {
		lost[i] = true
	}
	return lost
}

// fraction returns a random number in [0, 1).
func (e *Engine) fraction() float64 { return backoff.Fraction(e.Random) }

// token returns a fresh token for one try at a lease.
func (e *Engine) token() (string, error) {
	var b [12]byte
	if _, err := io.ReadFull(e.Random, b[:]); err != nil {
		return "", fmt.Errorf("draw lease token: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// gone reports whether the error means that the item does not exist, rather than
// that it cannot be read now.
func gone(err error) bool { return errors.Is(err, webhook.ErrNotFound) }

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
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Webhooks is what dispatch needs of webhook.Webhooks.
type Webhooks interface {
	Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error)
	Update(ctx context.Context, w webhook.Webhook, raised ...webhook.Event) error
	Epoch(ctx context.Context, tenant webhook.Tenant) (int64, error)
	Subscribed(ctx context.Context, tenant webhook.Tenant, key string, each func(webhook.Webhook)) error
	Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
	UpdateHealth(ctx context.Context, tenant webhook.Tenant, id int32, change func(webhook.Health) webhook.Health) (webhook.Health, error)
}

// Events is what dispatch needs of webhook.Events.
type Events interface {
	Get(ctx context.Context, tenant webhook.Tenant, id webhook.EventID) (webhook.Event, error)
}

// Deliveries is what dispatch needs of webhook.Deliveries.
type Deliveries interface {
	Lease(ctx context.Context, l webhook.Lease) (webhook.Delivery, error)
	Finish(ctx context.Context, f webhook.Finish) (webhook.Delivery, error)
	RecordFirst(ctx context.Context, r webhook.RecordFirst) (webhook.Delivery, error)
	MarkDelivered(ctx context.Context, m webhook.MarkDelivered) (webhook.Delivery, error)
	End(ctx context.Context, e webhook.End) (webhook.Delivery, error)
	MakeDue(ctx context.Context, m webhook.MakeDue) (webhook.Delivery, error)
	Park(ctx context.Context, p webhook.Park) (webhook.Delivery, error)
	Get(ctx context.Context, key webhook.DeliveryKey) (webhook.Delivery, error)
}

// Secrets reads the version of a secret document that a webhook names.
type Secrets interface {
	Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error)
}

// Sender makes one POST. It returns within the post's timeout and never fails
// otherwise than through its result.
type Sender interface {
	Send(ctx context.Context, p webhook.Post) webhook.Result
}

// DeadLetters takes what cannot be understood, so that a person can look at it.
type DeadLetters interface {
	Bury(ctx context.Context, raw []byte) error
}

// Config holds what an Engine is made of. All members must be set but those
// whose comment says otherwise.
type Config struct {
	Webhooks    Webhooks
	Events      Events
	Deliveries  Deliveries
	Secrets     Secrets
	Sender      Sender
	Messages    webhook.Queue
	Visibility  webhook.Visibility
	DeadLetters DeadLetters
	// Notices is nil where operational notices go nowhere.
	Notices webhook.Notices
	Logger  *slog.Logger
	Now     func() time.Time
	Random  io.Reader

	// Policy is what webhooks have that name none.
	Policy webhook.Policy
	// EventLife is how long state events are kept.
	EventLife time.Duration
	// RowLife is how long a delivery row is kept after its last write.
	RowLife time.Duration
}

// Limits of concurrency and time.
const (
	maxInFlight           = 256 // attempts of this process
	maxInFlightPerTenant  = maxInFlight / 4
	maxInFlightPerWebhook = 16
	// slowTenant webhooks whose targets hang can hold all slots of a tenant: what
	// else its batch has for the fast lane then goes by the queue, so that the
	// batch, which others are in or wait for, ends.
	slowTenant         = maxInFlightPerTenant / maxInFlightPerWebhook
	maxQueuePerWebhook = 5  // attempts of one webhook in a queue consumer
	maxParking         = 64 // rows of a batch being parked
	maxLooking         = 16 // rows of an expand being looked up

	youngestToFail = 3 * time.Second // age of a record before its failure is reported
	sweepMargin    = 5 * time.Minute // the sweep looks at a row this long after its message was due
	timeRetry      = 5 * time.Second // for a message that the invocation had no time for
	maxMessageHops = 8
	maxMatches     = 100 // webhooks that one event is dispatched to directly; more are expanded
	expandRange    = 500 // webhooks of one expand message
	loudRecord     = 3   // tries at writing down a success after which it is an error
)

// How often and when what failed is tried again.
var (
	// A message that met a fault comes back: without an end, since the queue
	// counts its receives.
	messageRetries = backoff.Policy{First: 5 * time.Second, Most: 5 * time.Minute}
	// So does one whose secret cannot be read: a new version takes its time.
	secretRetries = backoff.Policy{First: 30 * time.Second, Most: 30 * time.Second}
	// Messages that the queue refused are sent again, after which their rows or
	// records speak for them.
	sending = backoff.Policy{Tries: 3, First: 50 * time.Millisecond, Most: 200 * time.Millisecond}
	// Webhooks that change while they are read are read again, after which their
	// event is handed over whole.
	matching = backoff.Policy{Tries: 4, First: 10 * time.Millisecond, Most: 100 * time.Millisecond}
	// A webhook that changes while it is disabled is disabled as it is by then,
	// after which the next failure does it.
	disabling = backoff.Policy{Tries: 5, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}
)

// Engine dispatches. Make it with New; its methods may be called concurrently.
type Engine struct {
	Config
	lists    *subscriptions
	healths  *healths
	inFlight *slots
	notices  *webhook.Notifier
}

// New makes an Engine.
func New(c Config) *Engine {
	return &Engine{
		Config: c, lists: newSubscriptions(c.Webhooks), healths: newHealths(c), inFlight: newSlots(newShares(maxInFlight, maxInFlightPerTenant), maxInFlightPerWebhook),
		notices: webhook.NewNotifier(c.Notices, c.Logger, c.Now),
	}
}

// seed is what a row of this delivery begins with.
func (e *Engine) seed(event webhook.Event, replay string, now time.Time) webhook.Seed {
	return webhook.Seed{EventName: event.Name, PrimaryKey: event.PrimaryKey, Replay: replay, ExpiresAt: now.Add(e.RowLife)}
}

// document reads what is secret about a webhook; most have one cached version.
func (e *Engine) document(ctx context.Context, w webhook.Webhook) (webhook.SecretDocument, error) {
	if w.Secret.Name == "" {
		return webhook.SecretDocument{}, nil
	}
	doc, err := e.Secrets.Read(ctx, w.Secret)
	if err != nil {
		return webhook.SecretDocument{}, fmt.Errorf("secret of webhook %d: %w", w.ID, err)
	}
	return doc, nil
}

// send makes the POST and logs it. A panic of the sender is an attempt that
// failed: by then the target may have seen it.
func (e *Engine) send(ctx context.Context, lane webhook.Lane, round, attempt int, p webhook.Post) (result webhook.Result) {
	began := e.Now()
	defer func() {
		if cause := recover(); cause != nil {
			e.Logger.ErrorContext(ctx, "attempt panicked", "error", fmt.Sprint(cause))
			result = webhook.Result{At: began, Duration: e.Now().Sub(began), Error: webhook.AttemptInternal}
		}
		e.Logger.LogAttrs(ctx, slog.LevelInfo, "delivery attempted",
			slog.String("tenant", string(p.Webhook.Tenant)), slog.Int("webhook_id", int(p.Webhook.ID)),
			slog.String("event", p.Event.Name), slog.String("event_id", string(p.Event.ID)),
			slog.String("lane", string(lane)), slog.Int("round", round), slog.Int("attempt", attempt),
			slog.String("outcome", outcomeWord(result)), slog.Int("status", result.StatusCode),
			slog.Int64("duration_ms", result.Duration.Milliseconds()), slog.String("host", targetHost(p.Webhook.TargetURL)))
	}()
	return e.Sender.Send(ctx, p)
}

func outcomeWord(r webhook.Result) string {
	if r.Error == webhook.AttemptOK {
		return "delivered"
	}
	return string(r.Error)
}

// park puts an attempt off, since its webhook's breaker is open.
func (e *Engine) park(ctx context.Context, m webhook.Message, event webhook.Event, b webhook.Breaker) (webhook.Delivery, error) {
	now := e.Now()
	return e.Deliveries.Park(ctx, webhook.Park{
		Key: m.Key(), Round: m.Round, Attempt: m.Attempt, Now: now, Until: b.ParkUntil(now, e.fraction()), Seed: e.seed(event, m.Replay, now),
	})
}

// errRefused says that the queue did not take all of the messages.
var errRefused = errors.New("the queue refused messages")

// sendAll sends messages, those that the queue refuses a few times, and returns
// the indexes of the ones that it never took.
func (e *Engine) sendAll(ctx context.Context, out []webhook.Outgoing) map[int]bool {
	lost := map[int]bool{}
	rest := make([]int, len(out))
	for i := range out {
		rest[i] = i
	}
	_ = sending.Retry(ctx, e.Random, func(error) bool { return true }, func() error {
		batch := make([]webhook.Outgoing, len(rest))
		for k, i := range rest {
			batch[k] = out[i]
		}
		failed, err := e.Messages.Send(ctx, batch)
		if err != nil {
			e.Logger.WarnContext(ctx, "queue send failed", "count", len(batch), "error", err)
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

// fraction is a random number in [0, 1).
func (e *Engine) fraction() float64 { return backoff.Fraction(e.Random) }

// token is fresh for each try at a lease.
func (e *Engine) token() (string, error) {
	var b [12]byte
	if _, err := io.ReadFull(e.Random, b[:]); err != nil {
		return "", fmt.Errorf("draw lease token: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// gone reports whether a thing is away for good, rather than out of reach.
func gone(err error) bool { return errors.Is(err, webhook.ErrNotFound) }

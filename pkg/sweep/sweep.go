package sweep

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Deliveries is what the sweep needs of webhook.Deliveries.
type Deliveries interface {
	Due(ctx context.Context, shard int, before time.Time, limit int) ([]webhook.DueDelivery, error)
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
	// List gives up to limit names, the same first as long as they are there.
	List(ctx context.Context, limit int) ([]string, error)
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
	lookAhead     = time.Minute // rows due within it are sent now, delayed to the second
	pageSize      = 100
	shardsAtOnce  = 4
	resendStep    = 5 * time.Minute
	maxResendStep = 6 * time.Hour
	alarmResends  = 8
	stopBefore    = 10 * time.Second // the function's timeout
	intentAge     = time.Hour
	intentPage    = 100
	deadPage      = 10
	maxDeadPages  = 50
	failurePage   = 50  // batches that one Run sends on
	failureList   = 500 // of so many, if some stay since they cannot be read
)

// Sweeper sweeps. Several may run at once: claims keep them apart.
type Sweeper struct{ Config }

// New makes a Sweeper.
func New(c Config) *Sweeper { return &Sweeper{c} }

// Run does one minute's work. What it did not get done, or what failed, the
// next one does; the error joins the faults met, for the log and the metric.
func (s *Sweeper) Run(ctx context.Context) error {
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-stopBefore))
		defer cancel()
	}
	return errors.Join(s.drainDeadLetters(ctx), s.redrive(ctx), s.sendDue(ctx), s.clearIntents(ctx), s.runJobs(ctx))
}

// sendDue walks all shards of the index of due deliveries.
func (s *Sweeper) sendDue(ctx context.Context) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	slots := make(chan struct{}, shardsAtOnce)
	b := &breakers{Sweeper: s, sent: map[webhookKey]bool{}}
	for shard := range webhook.DueShards {
		slots <- struct{}{} // taken here, so that the shards start in their order
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.sendShard(ctx, b, shard); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// sendShard sends what is due in one shard, the earliest first, until nothing
// is left or a page brings nothing new: the index may lag and show rows that
// are claimed already.
func (s *Sweeper) sendShard(ctx context.Context, b *breakers, shard int) error {
	for ctx.Err() == nil {
		due, err := s.Deliveries.Due(ctx, shard, s.Now().Add(lookAhead), pageSize)
		if err != nil {
			return err
		}
		messages, moved, err := s.claim(ctx, b, due)
		if err != nil {
			return errors.Join(err, s.send(ctx, messages))
		}
		if err := s.send(ctx, messages); err != nil {
			return err
		}
		if moved == 0 || len(due) < pageSize {
			return nil
		}
	}
	return nil
}

// claim takes the right to send a message for each row and builds it, or moves
// the row on; moved counts both. A row whose message is then lost comes up again
// later, at growing distances.
func (s *Sweeper) claim(ctx context.Context, b *breakers, due []webhook.DueDelivery) (out []webhook.Outgoing, moved int, err error) {
	open := b.open(ctx, due)
	for _, d := range due {
		held, notBefore, err := b.hold(ctx, d, open)
		if err != nil {
			return out, moved, err
		}
		if held {
			moved++
			continue
		}
		now := s.Now()
		next := later(later(now, notBefore), d.NextAt).Add(resendGap(d.Resends))
		early := d.NextAt.After(now.Add(webhook.MaxDelay))
		if early {
			// Made due by a dead letter that was late. The queue cannot hold a
			// message that long: it would come before its time.
			next = d.NextAt
		}
		row, err := s.Deliveries.Claim(ctx, webhook.Claim{Key: d.DeliveryKey, Seen: d.SweepAt, Now: now, Next: next})
		if errors.Is(err, webhook.ErrRefused) {
			continue
		}
		if err != nil {
			return out, moved, err
		}
		moved++
		if early {
			continue
		}
		if row.Resends >= alarmResends {
			over, err := s.stuck(ctx, row)
			if err != nil {
				return out, moved, err
			}
			if over {
				continue
			}
		}
		out = append(out, webhook.Outgoing{Message: message(row), Delay: max(later(row.NextAt, notBefore).Sub(now), 0)})
	}
	return out, moved, nil
}

// stuck sees to a row that was sent again and again, and nothing came of it: it
// tells, and ends the row once its event is gone.
func (s *Sweeper) stuck(ctx context.Context, row webhook.Delivery) (over bool, err error) {
	s.Logger.ErrorContext(ctx, "delivery resent again and again",
		"tenant", string(row.Tenant), "webhook_id", row.Webhook, "event_id", string(row.Event), "count", row.Resends)
	if _, err = s.Events.Get(ctx, row.Tenant, row.Event); !errors.Is(err, webhook.ErrNotFound) {
		return false, err
	}
	now := s.Now()
	_, err = s.Deliveries.End(ctx, webhook.End{
		Key: row.DeliveryKey, Round: row.Round, Status: webhook.StatusExpired, Reason: "the event is no longer kept",
		Now: now, Seed: webhook.Seed{ExpiresAt: now.Add(s.RowLife)},
	})
	if errors.Is(err, webhook.ErrRefused) {
		err = nil // somebody is at it after all
	}
	return true, err
}

// message asks for the attempt that a row waits for: the next one, or, where a
// lease is on it, live or not, that very attempt, whose holder may be dead.
func message(row webhook.Delivery) webhook.Message {
	attempt := row.Attempt
	if row.LeaseBy == "" {
		attempt++
	}
	return webhook.Message{
		Kind: webhook.MessageAttempt, Tenant: row.Tenant, Webhook: row.Webhook, Event: row.Event,
		Round: row.Round, Attempt: attempt, Replay: row.Replay,
	}
}

func resendGap(resends int) time.Duration {
	gap := resendStep
	for range resends {
		if gap *= 2; gap >= maxResendStep {
			return maxResendStep
		}
	}
	return gap
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

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

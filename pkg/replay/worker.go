package replay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Worker does the slices of replays. Its fields must be set before use and not changed
// afterwards.
//
// A slice begins rounds first, each fenced by the job's id, then sends their messages,
// and then moves the cursor with the job. So a slice that is repeated begins no round
// twice, and a message that is lost is the sweep's to send.
//
// The rate is kept by delays: each slice makes its attempts due one after the other,
// from where the slice before ended, up to horizon ahead. Where a target is slow, the
// rate is what keeps about inFlight attempts in flight at once. While the webhook's
// breaker is open, one round begins per step: without live traffic nothing else would
// find out that the target responds again.
type Worker struct {
	Webhooks   Targets
	Events     EventList
	Deliveries Rows
	Messages   delivery.Queue
	Now        func() time.Time
	// RowLife is how long a delivery row is kept after its last write.
	RowLife time.Duration
}

// Targets is the part of webhook.Webhooks that a Worker uses.
type Targets interface {
	Get(ctx context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error)
	Health(ctx context.Context, tenant webhook.Tenant, ids []int32) (map[int32]webhook.Health, error)
}

// Rows is the part of delivery.Store that a Worker uses.
type Rows interface {
	Rounds
	Log(ctx context.Context, q delivery.LogQuery) (delivery.LogPage, error)
}

const (
	// horizon is how far ahead rounds begin: the sweep comes back within a minute.
	horizon = 90 * time.Second
	// inFlight is half of the attempts that a webhook may have in flight.
	inFlight = 8
	// rowsAtOnce is how many events or rows a slice looks at, lookingAtOnce how many of
	// them at the same time.
	rowsAtOnce    = 100
	lookingAtOnce = 16
	// dueAhead bounds the delays of a slice's messages, well below the queue's limit.
	dueAhead = 5 * time.Minute
)

// Slice does one slice of a job of kind job.Replay; see job.Slice. The cursor is the id
// of the last event that was examined.
func (r *Worker) Slice(ctx context.Context, j job.Job) (job.Job, error) {
	plan, err := readPlan(j.Plan, j.From, j.To)
	if err != nil {
		return failed(j, err.Error()), nil
	}
	p, err := readProgress(j.Progress)
	if err != nil {
		return failed(j, err.Error()), nil
	}
	w, err := r.Webhooks.Get(ctx, j.Tenant, j.Webhook)
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return failed(j, "the webhook was deleted"), nil
	case err != nil:
		return j, err
	case w.State != webhook.StateActive:
		return failed(j, (&InactiveError{w.State}).Error()), nil
	}
	s := slice{Worker: r, job: j, plan: plan, progress: p, webhook: w, takes: w.Selection(), now: r.Now(), most: rowsAtOnce}
	if !plan.DryRun {
		if err := s.pace(ctx); err != nil {
			return j, err
		}
	}
	found, err := s.find(ctx)
	if err != nil {
		return j, err
	}
	if err := s.begin(ctx, found); err != nil {
		return j, err
	}
	s.job.Progress, err = s.progress.encode()
	return s.job, err
}

func failed(j job.Job, reason string) job.Job {
	j.Status, j.Reason = job.Failed, reason
	return j
}

// slice is one call of Worker.Slice.
type slice struct {
	*Worker
	job      job.Job
	plan     Plan
	progress progress
	webhook  webhook.Webhook
	takes    *webhook.Selection // the webhook's, now: of events without a delivery
	now      time.Time
	gap      time.Duration // between two attempts
	most     int           // rounds that the slice may begin
}

// pace sets the rate. job.ErrNotYet if nothing is to begin now.
func (s *slice) pace(ctx context.Context) error {
	healths, err := s.Webhooks.Health(ctx, s.job.Tenant, []int32{s.job.Webhook})
	if _, err = webhook.Readable(err); err != nil {
		return err
	}
	health := healths[s.job.Webhook].Under(s.webhook.Activation)
	s.gap = max(time.Second/time.Duration(s.plan.MaxPerSecond), health.Latency/inFlight)
	s.most = max(1, min(rowsAtOnce, int(dueAhead/s.gap)))
	switch b := health.Breaker; {
	case b.Open():
		s.progress.Due = later(s.progress.Due, b.ProbeAt)
		s.gap, s.most = max(s.gap, b.Step), 1
	case s.progress.Due.Sub(s.now) > horizon+dueAhead: // a step of a breaker that has closed
		s.progress.Due = s.now
	}
	s.progress.Due = later(s.progress.Due, s.now)
	if s.progress.Due.Sub(s.now) > horizon {
		return job.ErrNotYet
	}
	return nil
}

// begun is a delivery that the replay selects.
type begun struct {
	row    delivery.Row  // as it was found; the zero Delivery with a key: none
	event  webhook.Event // what is known of it
	reason Reason
	again  bool // an earlier run of this slice has begun the round
}

// begin begins the rounds of the deliveries and sends their messages. It counts them, a
// dry run included.
func (s *slice) begin(ctx context.Context, found []begun) error {
	rows, errs := make([]delivery.Row, len(found)), make([]error, len(found))
	if !s.plan.DryRun {
		each(len(found), func(i int) {
			rows[i], errs[i] = s.startRound(ctx, found[i], s.progress.Due.Add(time.Duration(i)*s.gap))
		})
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var out []delivery.Outgoing
	for i, b := range found {
		if s.plan.DryRun {
			s.progress.count(b.event.Name, b.reason)
			continue
		}
		row := rows[i]
		if row.Replay != s.job.ID {
			continue // it changed since it was found
		}
		s.progress.count(b.event.Name, b.reason)
		s.job.Processed++
		if row.Waiting() {
			out = append(out, delivery.Outgoing{Message: delivery.AttemptMessage(row.Key, row.Round, 1, s.job.ID), Delay: max(row.NextAt.Sub(s.now), 0)})
		}
	}
	s.progress.Due = s.progress.Due.Add(time.Duration(len(found)) * s.gap)
	return delivery.SendAll(ctx, s.Messages, out)
}

// startRound begins a round and returns the row, also one that has changed.
func (s *slice) startRound(ctx context.Context, b begun, due time.Time) (delivery.Row, error) {
	if b.again {
		return b.row, nil
	}
	row, err := s.Deliveries.StartRound(ctx, delivery.StartRound{
		Key: b.row.Key, Seen: b.row.Status, Now: s.now, Due: due, SweepAt: due.Add(sweepMargin), Job: s.job.ID,
		Seed: delivery.NewSeed(b.event, s.job.ID, nil, s.now.Add(s.RowLife)),
	})
	if errors.Is(err, delivery.ErrRefused) {
		err = nil
	}
	return row, err
}

// each calls do with the numbers below n, some at the same time.
func each(n int, do func(i int)) {
	var wg sync.WaitGroup
	free := make(chan struct{}, lookingAtOnce)
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			do(i)
		})
	}
	wg.Wait()
}

package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Replays begins, reads and cancels jobs of kind job.Replay. Its fields must be set
// before use and not changed afterwards; its methods may be called concurrently.
//
// All methods return webhook.ErrNotFound for a webhook that the principal does not see.
type Replays struct {
	Webhooks Webhooks
	Jobs     job.Jobs
	Founder  job.Founder
	// Slice does a slice of a replay; see Worker.
	Slice  job.Slice
	Logger *slog.Logger
	Now    func() time.Time
	Random io.Reader
	// EventLife is how long an event is kept.
	EventLife time.Duration
}

const (
	// dryRunTime is how long a call waits for the end of a dry run. A longer one goes
	// on in the sweep.
	dryRunTime = 5 * time.Second
	// listed is how many replays of a webhook are listed.
	listed = 50
)

// Begin begins a replay. A dry run has often ended when Begin returns.
//
// Errors: *webhook.ValidationError, *InactiveError, *job.BusyError while another replay
// of the webhook runs, webhook.ErrUnavailable.
func (r *Replays) Begin(ctx context.Context, who webhook.Principal, id int32, plan Plan) (View, error) {
	w, err := r.Webhooks.Get(ctx, who, id)
	if err != nil {
		return View{}, err
	}
	now := r.Now()
	if err := plan.check(now, r.EventLife); err != nil {
		return View{}, err
	}
	if w.State != webhook.StateActive {
		return View{}, &InactiveError{w.State}
	}
	j, err := newJob(w, plan, who.Associate, now, r.Random)
	if err != nil {
		return View{}, err
	}
	if err := r.Jobs.Create(ctx, j); err != nil {
		return View{}, err
	}
	if plan.DryRun {
		runner := job.Runner{Jobs: r.Jobs, Slices: map[job.Kind]job.Slice{job.Replay: r.Slice}, Logger: r.Logger, Now: r.Now}
		runner.Run(ctx, []job.Job{j}, dryRunTime, func(ctx context.Context, id string, err error) {
			r.Logger.WarnContext(ctx, "dry run goes on in the sweep", "tenant", string(who.Tenant), "error", err)
		})
		return r.Get(ctx, who, id, j.ID)
	}
	return view(j, now)
}

// newJob returns the job of a checked plan.
func newJob(w webhook.Webhook, plan Plan, by webhook.Associate, now time.Time, random io.Reader) (job.Job, error) {
	j, err := job.New(job.Replay, w.Tenant, by, now, random)
	if err == nil {
		j.Plan, err = plan.encode()
	}
	j.Webhook, j.From, j.To = w.ID, plan.From, plan.To
	return j, err
}

// List returns the newest replays of a webhook, the newest first.
func (r *Replays) List(ctx context.Context, who webhook.Principal, id int32) ([]View, error) {
	if _, err := r.Webhooks.Get(ctx, who, id); err != nil {
		return nil, err
	}
	jobs, err := r.Jobs.OfWebhook(ctx, who.Tenant, id, listed)
	unreadable, err := webhook.Readable(err)
	if err != nil {
		return nil, err
	}
	if unreadable != nil {
		r.Logger.WarnContext(ctx, "cannot decode stored jobs", "tenant", string(who.Tenant), "webhook_id", id, "count", unreadable.Count, "error", unreadable)
	}
	var views []View
	for _, j := range jobs {
		v, err := view(j, r.Now())
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", j.ID, err)
		}
		views = append(views, v)
	}
	return views, nil
}

// ErrNoReplay reports that a webhook has no such replay. It is webhook.ErrNotFound.
var ErrNoReplay = fmt.Errorf("the webhook has no such replay: %w", webhook.ErrNotFound)

// Get reads a replay of a webhook. ErrNoReplay if it does not exist, or is no longer
// kept.
func (r *Replays) Get(ctx context.Context, who webhook.Principal, id int32, jobID string) (View, error) {
	j, err := r.find(ctx, who, id, jobID)
	if err != nil {
		return View{}, err
	}
	return view(j, r.Now())
}

func (r *Replays) find(ctx context.Context, who webhook.Principal, id int32, jobID string) (job.Job, error) {
	if _, err := r.Webhooks.Get(ctx, who, id); err != nil {
		return job.Job{}, err
	}
	if !webhook.EventID(jobID).Valid() {
		return job.Job{}, ErrNoReplay
	}
	j, err := r.Jobs.Get(ctx, jobID)
	if errors.Is(err, webhook.ErrNotFound) || err == nil && (j.Kind != job.Replay || j.Tenant != who.Tenant || j.Webhook != id) {
		err = ErrNoReplay
	}
	return j, err
}

// Cancel ends a replay: it begins no further rounds. Those that it has begun, up to a
// minute and a half ahead, are still attempted. A replay that has already ended is
// returned unchanged.
func (r *Replays) Cancel(ctx context.Context, who webhook.Principal, id int32, jobID string) (View, error) {
	if _, err := r.find(ctx, who, id, jobID); err != nil {
		return View{}, err
	}
	j, err := job.Cancel(ctx, r.Jobs, jobID, r.Now, r.Random)
	if err != nil {
		return View{}, err
	}
	return view(j, r.Now())
}

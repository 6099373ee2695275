package replay

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// committed is how long after its activation a webhook has been stored, if it has been:
// no call of the API takes longer.
const committed = 30 * time.Second

// Since returns a store whose Create also creates the webhook's first job: a replay of
// the events since a time that the webhook is subscribed to and has not got. Its period
// ends when the webhook has certainly been stored, so that no event falls in between, and
// it starts a minute after that, when events of live traffic have rows.
//
// Errors: *webhook.ValidationError for a time ahead, and for a draft that is not to be
// Active.
func (r *Replays) Since(stored webhook.Webhooks, who webhook.Principal, d webhook.Draft, since time.Time) (webhook.Webhooks, error) {
	var f webhook.Faults
	if since.After(r.Now()) {
		f.Add("since", "must not be in the future")
	}
	if d.State != webhook.StateUnknown && d.State != webhook.StateActive {
		f.Add("since", "requires a webhook that is Active")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	return founding{stored, r, who.Associate, since}, nil
}

// founding creates webhooks together with a replay.
type founding struct {
	webhook.Webhooks
	replays *Replays
	by      webhook.Associate
	since   time.Time
}

func (s founding) Create(ctx context.Context, w webhook.Webhook) error {
	now := s.replays.Now()
	end := w.ActivatedAt.Add(committed).UTC().Truncate(time.Millisecond)
	plan := Plan{From: s.since.UTC().Truncate(time.Millisecond), To: end, Only: []Reason{Missing}, MaxPerSecond: DefaultPerSecond}
	if oldest := now.Add(-s.replays.EventLife).UTC().Truncate(time.Millisecond); plan.From.Before(oldest) {
		plan.From = oldest
	}
	j, err := newJob(w, plan, s.by, now, s.replays.Random)
	if err != nil {
		return err
	}
	j.NotBefore = end.Add(settled)
	return s.replays.Founder.CreateWith(ctx, w, j)
}

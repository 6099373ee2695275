package dispatch

import (
	"context"
	"errors"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// reports collects the outcomes of one call's attempts by webhook, so that the
// health of a webhook whose attempts succeed is written once per call.
//
// It calls the stores and never the engine.
type reports struct {
	config  *Config
	healths *healths
	notices *notice.Notifier
	counts  *counts // for statistics

	mu        sync.Mutex
	byWebhook map[webhook.Key]*report
	ordered   []webhook.Key
	writing   map[webhook.Key]chan struct{} // each held while a webhook's report is written
}

type report struct {
	webhook  webhook.Webhook // see brief; with the newest activation that was attempted
	observed []webhook.HealthReport
	failed   int   // position of the last failure in observed, from 1; 0: none
	live     bool  // an attempt was not a replay's
	gone     bool  // the target responded with 410, and the webhook is not disabled yet
	noted    noted // for notices
}

func newReports(c *Config, h *healths, n *notice.Notifier, s suppressed) *reports {
	return &reports{
		config: c, healths: h, notices: n, byWebhook: map[webhook.Key]*report{}, writing: map[webhook.Key]chan struct{}{},
		counts: &counts{config: c, suppressed: s, byWebhook: map[webhook.Key][]statistics.Hour{}},
	}
}

func (r *reports) entry(w webhook.Webhook) *report {
	key := webhook.Key{Tenant: w.Tenant, ID: w.ID}
	have := r.byWebhook[key]
	if have == nil {
		have = &report{webhook: brief(w)}
		r.byWebhook[key] = have
		r.ordered = append(r.ordered, key)
	}
	if w.Activation > have.webhook.Activation {
		have.webhook = brief(w)
	}
	return have
}

// brief returns the members of a webhook that reports need: a batch may report
// about a thousand large webhooks.
func brief(w webhook.Webhook) webhook.Webhook {
	return webhook.Webhook{Tenant: w.Tenant, ID: w.ID, Activation: w.Activation, Options: webhook.Options{Policy: w.Options.Policy}}
}

// add adds an attempt in the fast lane.
func (r *reports) add(w webhook.Webhook, result webhook.Result) {
	r.observe(w, result, webhook.HealthReport{})
}

// observe adds an attempt. observed says what the result does not: whether it was the
// breaker's probe, or a replay's.
func (r *reports) observe(w webhook.Webhook, result webhook.Result, observed webhook.HealthReport) {
	signing := preference(w, result)
	r.healths.learn(w, signing)
	r.mu.Lock()
	defer r.mu.Unlock()
	have := r.entry(w)
	have.live = have.live || !observed.Replay
	observed = webhook.HealthReport{
		Activation: w.Activation, At: result.At, Duration: result.Duration, Error: result.Error,
		Policy: w.Options.Policy.Or(r.config.Policy), Probe: observed.Probe, Repeats: result.Repeats, Signing: signing, Undecided: result.Undecided,
		Replay: observed.Replay,
	}
	if result.Error != failure.None && !result.Error.Cut() {
		// Only the last one is stored, and each may take 4 KB.
		if have.failed > 0 {
			have.observed[have.failed-1].LastError = ""
		}
		observed.LastError, have.failed = result.LastError(), len(have.observed)+1
		observed.Jitter = backoff.Fraction(r.config.Random)
	}
	if r.notices != nil {
		have.noted.attempt(w, result)
	}
	have.observed = append(have.observed, observed)
}

// noteGone notes that the target responded with 410.
func (r *reports) noteGone(w webhook.Webhook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if have := r.entry(w); have.webhook.Activation == w.Activation {
		have.gone, have.noted.class, have.noted.status = true, failure.Status, 410
	}
}

// take removes and returns the report about a webhook; nil if there is none.
func (r *reports) take(key webhook.Key) *report {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := r.byWebhook[key]
	delete(r.byWebhook, key)
	return have
}

// turn returns the channel that is held while the webhook's report is written.
func (r *reports) turn(key webhook.Key) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writing[key] == nil {
		r.writing[key] = make(chan struct{}, 1)
	}
	return r.writing[key]
}

// flush writes the health and the statistics of every attempted webhook and disables
// those that responded with 410 or whose policy is exhausted. A failure costs
// counts, never a delivery, so it is only logged.
func (r *reports) flush(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { r.counts.flush(ctx) })
	for _, key := range r.ordered {
		wg.Go(func() { r.flushOne(ctx, key) })
	}
	wg.Wait()
}

// finish is flush for a webhook that the call is done with.
func (r *reports) finish(ctx context.Context, key webhook.Key) {
	var wg sync.WaitGroup
	wg.Go(func() { r.counts.flushOne(ctx, key) })
	r.flushOne(ctx, key)
	wg.Wait()
}

// flushOne is flush for the health of one webhook. It reports whether there was a report and all
// of it is done. Of many calls at once, the second one writes the reports of all others:
// a hundred attempts that fail together must not compete for one item.
func (r *reports) flushOne(ctx context.Context, key webhook.Key) (done bool) {
	turn := r.turn(key)
	turn <- struct{}{}
	defer func() { <-turn }()
	have := r.take(key)
	if have == nil {
		return false
	}
	if err := r.write(ctx, have); err != nil {
		r.config.Logger.WarnContext(ctx, "cannot write health", "tenant", string(key.Tenant), "webhook_id", key.ID, "error", err)
		if have.gone {
			r.noteGone(have.webhook) // retried at the end of the call
		}
		return false
	}
	return true
}

// write stores the health of a webhook, and disables the webhook if its target
// responded with 410 or its policy is exhausted.
func (r *reports) write(ctx context.Context, about *report) error {
	w := about.webhook
	var turned turn
	health, err := r.healths.update(ctx, webhook.Key{Tenant: w.Tenant, ID: w.ID}, func(before webhook.Health) webhook.Health {
		after := before.Observe(about.observed...)
		turned.observe(before.Under(w.Activation), after)
		return after
	})
	if err == nil {
		r.noteTurn(ctx, about, turned, health)
		if turned.kind == notice.Recovered {
			r.release(ctx, webhook.Key{Tenant: w.Tenant, ID: w.ID}, health.Slow)
		}
	}
	exhausted := err == nil && about.live && health.Activation == w.Activation && w.Options.Policy.Or(r.config.Policy).Exhausted(health, r.config.Now())
	if about.gone || exhausted {
		return errors.Join(err, r.disable(ctx, about, health))
	}
	return err
}

package dispatch

import (
	"context"
	"errors"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// reports gathers what the attempts of one call say about their webhooks, so
// that the health of a webhook whose attempts succeed is written once a call.
//
// It calls the stores and never the engine.
type reports struct {
	config  *Config
	healths *healths
	notices *webhook.Notifier

	mu        sync.Mutex
	byWebhook map[webhook.Key]*report
	ordered   []webhook.Key
}

type report struct {
	webhook  webhook.Webhook // see brief; with the newest activation that was attempted
	observed []webhook.HealthReport
	failed   int  // which of observed was the last failure, counted from 1
	gone     bool // the target answered 410, and the webhook is not disabled yet
	noted    noted
}

func newReports(c *Config, h *healths, n *webhook.Notifier) *reports {
	return &reports{config: c, healths: h, notices: n, byWebhook: map[webhook.Key]*report{}}
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

// brief is what reporting about a webhook needs of it: a batch may report about
// a thousand large ones.
func brief(w webhook.Webhook) webhook.Webhook {
	return webhook.Webhook{Tenant: w.Tenant, ID: w.ID, Activation: w.Activation, Options: webhook.Options{Policy: w.Options.Policy}}
}

// add notes an attempt. probe names it if it was the breaker's probe.
func (r *reports) add(w webhook.Webhook, result webhook.Result, probe string) {
	signing := preference(w, result)
	r.healths.learn(w, signing)
	r.mu.Lock()
	defer r.mu.Unlock()
	have := r.entry(w)
	observed := webhook.HealthReport{
		Activation: w.Activation, At: result.At, Duration: result.Duration, Error: result.Error,
		Policy: w.Options.Policy.Or(r.config.Policy), Probe: probe, Repeats: result.Repeats, Signing: signing, Undecided: result.Undecided,
	}
	if result.Error != webhook.AttemptOK && result.Error != webhook.AttemptFast {
		// Only the last one counts, and each may have 4 KB.
		if have.failed > 0 {
			have.observed[have.failed-1].LastError = ""
		}
		observed.LastError, have.failed = lastError(result), len(have.observed)+1
	}
	if r.notices != nil {
		have.noted.attempt(w, result)
	}
	have.observed = append(have.observed, observed)
}

// noteGone notes that the target asked for no more events.
func (r *reports) noteGone(w webhook.Webhook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if have := r.entry(w); have.webhook.Activation == w.Activation {
		have.gone, have.noted.class, have.noted.status = true, webhook.AttemptStatus, 410
	}
}

// lastError is what a webhook's LastError says of an attempt.
func lastError(result webhook.Result) string {
	if result.Response != "" {
		return result.Response
	}
	return string(result.Error)
}

// take gives what was noted about a webhook and forgets it; nil for nothing.
func (r *reports) take(key webhook.Key) *report {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := r.byWebhook[key]
	delete(r.byWebhook, key)
	return have
}

// flush writes the health of every webhook that was attempted and disables
// those whose time has come. A failure costs statistics, never a delivery, so
// it is only logged.
func (r *reports) flush(ctx context.Context) {
	var wg sync.WaitGroup
	for _, key := range r.ordered {
		wg.Go(func() { r.flushOne(ctx, key) })
	}
	wg.Wait()
}

// flushOne is flush for one webhook. It reports whether all that was noted about
// it is done; nothing noted is not.
func (r *reports) flushOne(ctx context.Context, key webhook.Key) (done bool) {
	have := r.take(key)
	if have == nil {
		return false
	}
	if err := r.write(ctx, have); err != nil {
		r.config.Logger.WarnContext(ctx, "health not written", "tenant", string(key.Tenant), "webhook_id", key.ID, "error", err)
		if have.gone {
			r.noteGone(have.webhook) // tried again at the end of the call
		}
		return false
	}
	return true
}

// write stores the health of a webhook and disables it if its time has come.
func (r *reports) write(ctx context.Context, about *report) error {
	w := about.webhook
	var turned turn
	health, err := r.healths.update(ctx, webhook.Key{Tenant: w.Tenant, ID: w.ID}, func(before webhook.Health) webhook.Health {
		after := before.Observe(about.observed...)
		turned.observe(before.Under(w.Activation), after)
		return after
	})
	if err == nil {
		r.noteTurn(about, turned, health)
	}
	exhausted := err == nil && health.Activation == w.Activation && w.Options.Policy.Or(r.config.Policy).Exhausted(health, r.config.Now())
	if about.gone || exhausted {
		return errors.Join(err, r.disable(ctx, about, health))
	}
	return err
}

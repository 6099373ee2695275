package dispatch

import (
	"context"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/notice"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// noted is what a notice about a webhook says of it and of its last failed
// attempt. It is empty where notices go nowhere.
type noted struct {
	name, host string
	class      failure.Kind
	status     int
}

func (n *noted) attempt(w webhook.Webhook, result webhook.Result) {
	if n.host == "" {
		n.name, n.host = w.Name, strings.Clone(targetHost(w.TargetURL))
	}
	if result.Error != failure.None && !result.Error.Cut() && !result.Undecided {
		n.class, n.status = result.Error, result.StatusCode
	}
}

// turn is how reporting changed a webhook's breaker. The store may run a change
// more than once, and the last time on what it wrote itself, so a turn remembers
// the health that made it: it took place if that is the health that is stored.
type turn struct {
	kind   notice.Kind // empty: the breaker did not turn
	before webhook.Health
	made   webhook.Health
}

func (t *turn) observe(before, after webhook.Health) {
	switch {
	case !before.Breaker.Open() && after.Breaker.Open():
		*t = turn{notice.Failing, before, after}
	case before.Breaker.Open() && !after.Breaker.Open():
		*t = turn{notice.Recovered, before, after}
	}
}

// holds reports whether the turn is in the stored health.
func (t *turn) holds(stored webhook.Health) bool {
	if t.kind == notice.Failing {
		return stored.Breaker.ProbeAt.UnixMilli() == t.made.Breaker.ProbeAt.UnixMilli()
	}
	return t.kind == notice.Recovered && !stored.Breaker.Open() && stored.LastOK.UnixMilli() == t.made.LastOK.UnixMilli()
}

// noteTurn logs that a breaker opened, and raises the notice that it opened or closed: one for
// each time, by the process whose write it was.
func (r *reports) noteTurn(ctx context.Context, about *report, t turn, stored webhook.Health) {
	if !t.holds(stored) {
		return
	}
	if t.kind == notice.Failing {
		r.config.Logger.WarnContext(ctx, "breaker opened", "tenant", string(about.webhook.Tenant), "webhook_id", about.webhook.ID, "count", stored.ConsecutiveErrors)
	}
	if r.notices == nil {
		return
	}
	raised := about.notice(t.kind)
	raised.Since = stored.FailingSince
	if t.kind == notice.Recovered {
		raised.Since, raised.Error, raised.Status = t.before.FailingSince, "", 0
	} else {
		raised.Count = int64(stored.ConsecutiveErrors)
	}
	r.notices.Add(raised)
}

// noteDisabled raises the notice that a webhook is disabled. health may be zero,
// if it could not be written.
func (r *reports) noteDisabled(about *report, w webhook.Webhook, health webhook.Health) {
	if r.notices == nil {
		return
	}
	raised := about.notice(notice.Disabled)
	raised.Name, raised.Host = w.Name, targetHost(w.TargetURL)
	raised.Since, raised.Count = health.FailingSince, int64(health.ConsecutiveErrors)
	r.notices.Add(raised)
}

func (r *report) notice(kind notice.Kind) notice.Notice {
	return notice.Notice{
		Kind: kind, Tenant: r.webhook.Tenant, Webhook: r.webhook.ID, Name: r.noted.name, Host: r.noted.host,
		Error: notice.Class(r.noted.class), Status: r.noted.status,
	}
}

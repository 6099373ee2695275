package dispatch

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// probe is a step of an open breaker that an attempt has taken. nil: the attempt is
// not a probe.
type probe struct {
	name   string
	before webhook.Breaker // before the probe was taken
	made   bool            // the attempt was made, and its outcome goes to the breaker
}

// id returns the name of the probe in the attempt's report; empty for nil.
func (p *probe) id() string {
	if p == nil {
		return ""
	}
	return p.name
}

func (p *probe) done() {
	if p != nil {
		p.made = true
	}
}

// giveBackTime bounds the write that gives a probe back, which is made even if the
// call's context has ended.
const giveBackTime = time.Second

// giveBack returns the step of a probe whose attempt was not made: its delivery
// had ended or another consumer held it, the attempt had to wait, or the call
// ended. A process that dies before that uses up the step.
func (c *consumer) giveBack(ctx context.Context, key webhook.Key, p *probe) {
	if p == nil || p.made {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	_, err := c.healths.update(ctx, key, func(h webhook.Health) webhook.Health {
		h.Breaker = h.Breaker.GiveBack(p.name, p.before)
		return h
	})
	if err != nil {
		c.Logger.WarnContext(ctx, "cannot give back probe", "tenant", string(key.Tenant), "webhook_id", key.ID, "error", err)
	}
}

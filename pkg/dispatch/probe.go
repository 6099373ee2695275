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

// returnTime bounds the write that returns a probe's step, which is made even if the
// call's context has ended.
const returnTime = time.Second

// returnStep returns the step of a probe whose attempt was not made: its delivery
// had ended or another consumer held it, the attempt had to wait, or the call
// ended. A process that dies before that uses up the step.
func (c *consumer) returnStep(ctx context.Context, key webhook.Key, p *probe) {
	if p == nil || p.made {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTime)
	defer cancel()
	_, err := c.healths.update(ctx, key, func(h webhook.Health) webhook.Health {
		h.Breaker = h.Breaker.GiveBack(p.name, p.before)
		return h
	})
	if err != nil {
		c.Logger.WarnContext(ctx, "cannot return step of breaker", "tenant", string(key.Tenant), "webhook_id", key.ID, "error", err)
	}
}

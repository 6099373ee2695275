package dispatch

import (
	"context"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// probe is a step of an open breaker that an attempt has taken. nil is none.
type probe struct {
	name   string
	before webhook.Breaker // as it was found
	made   bool            // the attempt was made, and its outcome tells the breaker
}

// id names the attempt in its report.
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

// giveBackTime bounds the write that gives a probe back. It is made although the
// call may have ended.
const giveBackTime = time.Second

// giveBack returns the step of a probe whose attempt was not made: its delivery
// was over already or in other hands, the attempt had to wait, or the call
// ended. A process that dies before uses the step up.
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
		c.Logger.WarnContext(ctx, "probe not given back", "tenant", string(key.Tenant), "webhook_id", key.ID, "error", err)
	}
}

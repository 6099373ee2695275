package delivery

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Gate is a breaker's decision about an attempt that is due now.
type Gate string

// The gates.
const (
	GatePass  Gate = "pass"  // the breaker does not hold the attempt back
	GateProbe Gate = "probe" // the attempt may become the breaker's next probe
	GatePark  Gate = "park"  // the attempt waits until the target is known to respond again
)

// Manual reports whether a person requested the attempt: it is the first of a
// later round that no job started.
func (m Message) Manual() bool { return m.Round > 1 && m.Replay == "" && m.Attempt == 1 }

// Gate decides about the attempt that the message requests. A manual attempt
// always passes: the target may just have been fixed. So does an attempt for a
// webhook that is not Active, whose deliveries end without a POST.
func (m Message) Gate(w webhook.Webhook, h webhook.Health, now time.Time) Gate {
	breaker := h.Under(w.Activation).Breaker
	switch {
	case m.Manual(), w.State != webhook.StateActive, !breaker.Open():
		return GatePass
	case breaker.ProbeDue(now):
		return GateProbe
	}
	return GatePark
}

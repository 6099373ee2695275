package webhook

import "time"

// Gate is what a webhook's breaker makes of an attempt that is to be made now.
type Gate string

// The gates.
const (
	GatePass  Gate = "pass"  // the breaker has no say in it
	GateProbe Gate = "probe" // the attempt may be the breaker's next probe
	GatePark  Gate = "park"  // the attempt waits until the target is known to respond
)

// Manual reports whether a person asked for the attempt: it is the first of a
// round that no job began.
func (m Message) Manual() bool { return m.Round > 1 && m.Replay == "" && m.Attempt == 1 }

// Gate decides about the attempt that the message asks for. A manual one always
// passes: the target may just have been mended. So does one for a webhook that is
// not Active, whose deliveries end without a POST.
func (m Message) Gate(w Webhook, h Health, now time.Time) Gate {
	breaker := h.Under(w.Activation).Breaker
	switch {
	case m.Manual(), w.State != StateActive, !breaker.Open():
		return GatePass
	case breaker.probeDue(now):
		return GateProbe
	}
	return GatePark
}

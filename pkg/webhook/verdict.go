package webhook

import "time"

// Verdict is what a delivery's row says about a message whose write it refused.
type Verdict string

// The verdicts.
const (
	VerdictOver  Verdict = "over"  // the attempt is over, or the delivery has gone past it: the message is done
	VerdictHeld  Verdict = "held"  // a live lease holds the attempt, whose holder may be dead: try after it ends
	VerdictEarly Verdict = "early" // the row does not show yet what the message asks for: try again later
)

// Verdict judges the message by the row as it was when it refused. The zero
// Delivery stands for no row.
func (m Message) Verdict(row Delivery, now time.Time) Verdict {
	switch {
	case !row.Exists() && (m.Round > 1 || m.Attempt > 1):
		return VerdictOver // a later attempt whose row is gone has outlived its delivery
	case row.Round > m.Round, row.Round == m.Round && row.Status.terminal():
		return VerdictOver
	case row.Round < m.Round:
		return VerdictEarly
	case row.Attempt > m.Attempt, row.Attempt == m.Attempt && row.LeaseBy == "":
		return VerdictOver
	case row.Leased(now):
		return VerdictHeld
	}
	return VerdictEarly
}

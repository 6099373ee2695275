package delivery

import "time"

// Verdict is what a delivery's row means for a message whose write it refused.
type Verdict string

// The verdicts.
const (
	VerdictOver  Verdict = "over"  // the attempt has ended, or the delivery is past it: the message is done
	VerdictHeld  Verdict = "held"  // the attempt has a live lease, whose holder may be dead: retry after it expires
	VerdictEarly Verdict = "early" // the row has not yet reached the attempt of the message: retry later
)

// Verdict judges the message by the row at the time of the refusal. The zero Row
// means no row.
func (m Message) Verdict(row Row, now time.Time) Verdict {
	switch {
	case !row.Exists() && (m.Round > 1 || m.Attempt > 1):
		return VerdictOver // a later attempt whose row is gone has outlived its delivery
	case row.Round > m.Round, row.Round == m.Round && row.Status.terminal():
		return VerdictOver
	case row.Round < m.Round:
		return VerdictEarly
	case row.Attempt > m.Attempt, row.Attempt == m.Attempt && row.LeaseBy == "":
		return VerdictOver
	case row.Parked:
		return VerdictOver // a drain makes the attempt; the row keeps it
	case row.Leased(now):
		return VerdictHeld
	}
	return VerdictEarly
}

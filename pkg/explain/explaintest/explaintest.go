// Package explaintest checks explanations against what a witness of a run knows, such
// as the ledger of the simulation. It shares no code with package explain.
package explaintest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/explain"
)

// Witness is what is known of one event and one webhook.
type Witness struct {
	Accepted time.Time // of the event
	// Wanted reports whether some state of the webhook that was in force from the
	// acceptance until the dispatch ended wants the event.
	Wanted bool
	// Refusals are the codes of the rules by which some such state refuses it.
	Refusals map[explain.Code]bool
	// Certain: each state of the first 15 minutes wants it, whatever the clocks.
	Certain bool
	Exists  bool         // now
	Row     delivery.Row // now; zero: none
	Now     time.Time
}

// refusals are the codes of rules.
var refusals = []explain.Code{explain.NotSubscribed, explain.Stopped, explain.Disabled, explain.OtherApp, explain.Filtered, explain.CreatedLater, explain.ActivatedLater}

// Check returns everything that is wrong with an explanation of a stored event, or nil.
func Check(x explain.Explanation, w Witness) error {
	var wrong []error
	fault := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	has := func(codes ...explain.Code) bool {
		return slices.ContainsFunc(x.Reasons, func(r explain.Reason) bool { return slices.Contains(codes, r.Code) })
	}
	row, old := w.Row.Exists(), w.Now.Sub(w.Accepted) >= explain.Patience
	fault(len(x.Reasons) == 0, "no reason is given")
	fault(has(explain.OtherRule), "the rule that refuses it has no code")
	fault(x.Matches && !w.Wanted && !row, "it matches, and no state of the webhook did")
	fault(has(explain.Matched) && !w.Wanted && !row, "the code is matched, and no state of the webhook did")
	fault(!x.Matches && len(w.Refusals) == 0 && w.Exists, "it does not match, and every state of the webhook did")
	fault(!x.Matches && row, "it does not match, and has a delivery")
	for _, code := range refusals {
		fault(has(code) && !w.Refusals[code], "the code is %s, which is true of no state of the webhook", code)
	}
	fault(has(explain.Missing) && (row || !w.Wanted || !old), "missing: delivery %t, wanted %t, old %t", row, w.Wanted, old)
	fault(!row && w.Certain && old && w.Exists && !has(explain.Missing, explain.RevisionUnknown), "the delivery is missing, and it does not say so")
	fault(has(explain.Deleted) == w.Exists, "the webhook exists: %t", w.Exists)
	fault(has(explain.NotYet) && (row || old), "not yet: delivery %t, old %t", row, old)
	fault(x.Status != w.Row.Status || x.Round != w.Row.Round || x.Attempt != w.Row.Attempt || x.AttemptCount != w.Row.AttemptCount,
		"status %q, round %d, attempt %d of %d: the row has %q, %d, %d, %d", x.Status, x.Round, x.Attempt, x.AttemptCount, w.Row.Status, w.Row.Round, w.Row.Attempt, w.Row.AttemptCount)
	pending := w.Row.Status == delivery.StatusPending
	fault((x.WaitingBehind == explain.WaitLease) != (pending && w.Row.LeaseBy != "") && x.WaitingBehind != explain.WaitDisabled, "it waits behind %q, and the lease is of %q", x.WaitingBehind, w.Row.LeaseBy)
	fault(w.Row.Parked && x.NextAttempt.Before(w.Row.NextAt), "the next attempt of a parked delivery is at %v, and the row says not before %v", x.NextAttempt, w.Row.NextAt)
	fault(pending && w.Row.LeaseBy == "" && !w.Row.Parked && !x.NextAttempt.Equal(w.Row.NextAt), "the next attempt is at %v, and the row says %v", x.NextAttempt, w.Row.NextAt)
	fault(row && !pending && !x.NextAttempt.IsZero(), "a delivery that has ended has a next attempt")
	return errors.Join(wrong...)
}

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
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Witness is what is known of one event and one webhook.
type Witness struct {
	Event webhook.Event
	// Stamps are the earliest and the latest acceptance that the change feed may have
	// recorded.
	Stamps [2]time.Time
	// InForce has the states of the webhook from the acceptance of the event until its
	// dispatch ended. The zero Webhook: it did not exist.
	InForce []webhook.Webhook
	Exists  bool         // now
	Row     delivery.Row // now; zero: none
	Now     time.Time
}

// mayMatch reports whether dispatch may have chosen the webhook, and whether it may
// have refused it.
func (w Witness) mayMatch() (may, mayNot bool) {
	for _, state := range w.InForce {
		for _, stamp := range w.Stamps {
			matches := state.ID != 0 && state.SubscribesTo(webhook.SubscriptionKeys(w.Event.Name)...) &&
				state.Takes(w.Event, stamp)
			may, mayNot = may || matches, mayNot || !matches
		}
	}
	return may, mayNot
}

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
	may, mayNot := w.mayMatch()
	row := w.Row.Exists()
	old := w.Now.Sub(w.Event.ID.Time()) >= explain.Patience
	fault(len(x.Reasons) == 0, "no reason is given")
	fault(has(explain.OtherRule), "the rule that refuses it has no code")
	fault(x.Matches && !may && !row, "it matches, and no state of the webhook did")
	fault(!x.Matches && !mayNot, "it does not match, and every state of the webhook did")
	fault(!x.Matches && row, "it does not match, and has a delivery")
	fault(has(explain.Missing) && (row || mayNot || !old), "missing: delivery %t, might not match %t, old %t", row, mayNot, old)
	fault(!row && !mayNot && old && w.Exists && !has(explain.Missing, explain.RevisionUnknown), "the delivery is missing, and it does not say so")
	fault(has(explain.NotYet) && (row || old), "not yet: delivery %t, old %t", row, old)
	fault(x.Status != w.Row.Status || x.Round != w.Row.Round || x.Attempt != w.Row.Attempt || x.AttemptCount != w.Row.AttemptCount,
		"status %q, round %d, attempt %d of %d: the row has %q, %d, %d, %d", x.Status, x.Round, x.Attempt, x.AttemptCount, w.Row.Status, w.Row.Round, w.Row.Attempt, w.Row.AttemptCount)
	pending := w.Row.Status == delivery.StatusPending
	fault((x.WaitingBehind == explain.WaitLease) != (pending && w.Row.LeaseBy != "") && x.WaitingBehind != explain.WaitDisabled, "it waits behind %q, and the lease is of %q", x.WaitingBehind, w.Row.LeaseBy)
	fault(pending && w.Row.LeaseBy == "" && !x.NextAttempt.Equal(w.Row.NextAt), "the next attempt is at %v, and the row says %v", x.NextAttempt, w.Row.NextAt)
	fault(row && !pending && !x.NextAttempt.IsZero(), "a delivery that has ended has a next attempt")
	return errors.Join(wrong...)
}

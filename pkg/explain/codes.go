package explain

import "strings"

// Code is a reason in one word. The list is closed: it is part of the API.
type Code string

// The codes of verdicts.
const (
	Matched         Code = "matched"
	NotSubscribed   Code = "not_subscribed"
	Stopped         Code = "stopped"
	Disabled        Code = "disabled"
	OtherApp        Code = "other_app"
	CreatedLater    Code = "created_later"
	ActivatedLater  Code = "activated_later"
	Filtered        Code = "filtered"
	Deleted         Code = "deleted"
	OtherRule       Code = "other_rule"
	ChangedMeantime Code = "changed_meanwhile"
	RevisionUnknown Code = "revision_unknown"
	MatchedLater    Code = "matched_later"
)

// The codes of what became of a delivery.
const (
	NotYet       Code = "not_yet"
	Missing      Code = "missing"
	Delivered    Code = "delivered"
	Failed       Code = "failed"
	Cancelled    Code = "cancelled"
	Expired      Code = "expired"
	Attempting   Code = "attempting"
	AttemptLost  Code = "attempt_lost"
	Parked       Code = "parked"
	BreakerOpen  Code = "breaker_open"
	Draining     Code = "draining"
	Inactive     Code = "inactive"
	FirstAttempt Code = "first_attempt"
	Retry        Code = "retry"
)

// The codes of explanations of all webhooks.
const (
	SomeMatched Code = "some_matched"
	NoneMatched Code = "none_matched"
	NoWebhooks  Code = "no_webhooks"
	NotAll      Code = "not_all_examined"
)

// sentences has one sentence per code, for the owner of the webhook. Names in braces
// are replaced. docs/troubleshooting.md repeats the table.
var sentences = map[Code]string{
	Matched:         "The pattern {pattern} in Events matches {event}.",
	NotSubscribed:   "No pattern in Events matches {event}: add {patterns}.",
	Stopped:         "The webhook was Stopped: set State to Active, and replay the events that it missed.",
	Disabled:        "The webhook was disabled as TooManyErrors: repair the target, set State to Active, and replay the events that it missed.",
	OtherApp:        "The event is about a webhook of another app, and only webhooks of that app or of no app get it.",
	CreatedLater:    "The webhook was created at {at}, as the event was accepted or later.",
	ActivatedLater:  "The webhook was activated at {at}, more than 60 seconds after the event was accepted.",
	Filtered:        "The event does not pass the option {option} of the webhook.",
	Deleted:         "The webhook was deleted at {at}.",
	OtherRule:       "A rule refuses the event that has no code yet: report this to the operator.",
	ChangedMeantime: "Revision {revision} was in force about when the event was accepted, and revision {other}, since {at}, decides otherwise: the event met one of the two.",
	RevisionUnknown: "The webhook was changed at {at}, after the event was accepted, and what it was before is not kept: this is the verdict of revision {revision}.",
	MatchedLater:    "The webhook did not match within 15 minutes of the event: a replay or a redispatch made the delivery at {at}.",

	NotYet:       "The delivery is not begun yet: the event was accepted at {at}, less than 15 minutes ago.",
	Missing:      "The webhook matched, and no delivery was begun within 15 minutes: replay the time of the event, and report this to the operator.",
	Delivered:    "The event was delivered at {at}, by attempt {attempt}.",
	Failed:       "The delivery failed at {at}: {reason}.",
	Cancelled:    "The delivery was cancelled at {at}: {reason}.",
	Expired:      "The delivery expired at {at}: {reason}.",
	Attempting:   "Attempt {attempt} is under way: it ends at {at} at the latest.",
	AttemptLost:  "Attempt {attempt} began and its outcome is not known: it is made again.",
	Parked:       "The delivery was due while the webhook's breaker was open: since {at} it is parked, and uses up no attempt.",
	BreakerOpen:  "The target keeps failing, so its breaker is open: deliveries wait, and the next probe may begin at {at}.",
	Draining:     "The breaker has closed: what is parked is attempted now, oldest first, twice as many at once each minute.",
	Inactive:     "The webhook is {state} now: the delivery will be cancelled when it is due, at {at}.",
	FirstAttempt: "The first attempt is due at {at}.",
	Retry:        "Attempt {attempt} failed ({error}): the next one is due at {at}.",

	SomeMatched: "These webhooks match ({count} in all): {webhooks}.",
	NoneMatched: "No webhook matches ({count} examined): Nearest lists the closest ones with what they lack.",
	NoWebhooks:  "There are no webhooks.",
	NotAll:      "Only the first {count} webhooks were examined: name another one to explain it.",
}

// Reason is a code with its sentence.
type Reason struct {
	Code Code
	Text string
}

// reason returns a reason. values alternates the names in the sentence and what
// replaces them.
func reason(code Code, values ...string) Reason {
	named := make([]string, len(values))
	for i, v := range values {
		if named[i] = v; i%2 == 0 {
			named[i] = "{" + v + "}"
		}
	}
	return Reason{code, strings.NewReplacer(named...).Replace(sentences[code])}
}

package explain

import (
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// verdict is the decision about an event and one revision of a webhook.
type verdict struct {
	matches bool
	// pattern is the one in Events that matches, as the webhook spells it.
	pattern string
	// lacks has the rules that refuse the event. Empty if the webhook matches.
	lacks []Reason
}

// judge returns dispatch's verdict about an event accepted at a time.
func judge(e webhook.Event, w webhook.Webhook, accepted time.Time) verdict {
	keys := webhook.SubscriptionKeys(e.Name)
	v := verdict{pattern: patternOf(w, keys)}
	if v.pattern == "" {
		v.lacks = append(v.lacks, reason(NotSubscribed, "event", e.Name, "patterns", choice(keys)))
	}
	if !w.Takes(e, accepted) {
		v.lacks = append(v.lacks, refusals(e, w, accepted)...)
	}
	v.matches = len(v.lacks) == 0
	return v
}

// rules has, for each rule of webhook.Recipients, a change after which a webhook
// satisfies it, and the reason if it does not.
var rules = []struct {
	satisfy func(w *webhook.Webhook, accepted time.Time)
	reason  func(e webhook.Event, w webhook.Webhook, accepted time.Time) Reason
}{
	{
		satisfy: func(w *webhook.Webhook, _ time.Time) { w.State = webhook.StateActive },
		reason: func(_ webhook.Event, w webhook.Webhook, _ time.Time) Reason {
			if w.State == webhook.StateTooManyErrors {
				return reason(Disabled)
			}
			return reason(Stopped)
		},
	},
	{
		satisfy: func(w *webhook.Webhook, _ time.Time) { w.App = "" },
		reason:  func(webhook.Event, webhook.Webhook, time.Time) Reason { return reason(OtherApp) },
	},
	{
		satisfy: func(w *webhook.Webhook, accepted time.Time) { w.ActivatedAt = accepted },
		reason: func(_ webhook.Event, w webhook.Webhook, accepted time.Time) Reason {
			if w.Registered.After(accepted) {
				return reason(CreatedLater, "at", clock(w.Registered))
			}
			return reason(ActivatedLater, "at", clock(w.ActivatedAt))
		},
	},
	{
		satisfy: func(w *webhook.Webhook, _ time.Time) { w.Options = w.Options.WithoutSelection() },
		reason: func(e webhook.Event, w webhook.Webhook, _ time.Time) Reason {
			return reason(Filtered, "option", w.Refusal(e))
		},
	},
}

// refusals returns the rules that refuse a webhook: those without whose change it is
// refused even if all others are satisfied.
func refusals(e webhook.Event, w webhook.Webhook, accepted time.Time) (lacks []Reason) {
	for i, rule := range rules {
		changed := w
		for k, other := range rules {
			if k != i {
				other.satisfy(&changed, accepted)
			}
		}
		if !changed.Takes(e, accepted) {
			lacks = append(lacks, rule.reason(e, w, accepted))
		}
	}
	if len(lacks) == 0 {
		lacks = append(lacks, reason(OtherRule))
	}
	return lacks
}

// patternOf returns the pattern of the webhook that matches first, "" if none does.
func patternOf(w webhook.Webhook, keys []string) string {
	for _, key := range keys {
		for _, pattern := range w.Events {
			one := webhook.Webhook{Events: []string{pattern}}
			if one.SubscribesTo(key) {
				return pattern
			}
		}
	}
	return ""
}

// choice joins alternatives: "a, b or c".
func choice(list []string) string {
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// clock returns a time as sentences have it.
func clock(at time.Time) string { return at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) }

package webhook

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// SubscriptionKeys lists the folded patterns that match an event of this name,
// the exact one first: "contact.changed" → "contact.changed", "contact.*",
// "*". The ping and state events are matched by their exact name alone.
func SubscriptionKeys(name string) []string {
	folded := foldEventName(name)
	if reservedEventName(folded) {
		return []string{folded}
	}
	keys := []string{folded}
	if first, _, dotted := strings.Cut(folded, "."); dotted {
		keys = append(keys, first+".*")
	}
	return append(keys, "*")
}

// activationGrace is how much older than its webhook's activation an event may
// be and still match: when the stream is read again, a new webhook must not
// receive a day of old events.
const activationGrace = 60 * time.Second

// takes reports whether the webhook receives events accepted at the given time: it is
// Active, and it was not activated more than 60 s later. Only the webhook item
// decides, so a stale pointer or list is harmless.
func (w Webhook) takes(accepted time.Time) bool {
	return w.State == StateActive && !w.ActivatedAt.After(accepted.Add(activationGrace))
}

// Recipients returns the listed webhooks that take an event accepted at the given
// time, each once, in the order of the list. Their patterns are known to match.
func Recipients(listed iter.Seq[Webhook], accepted time.Time) []Webhook {
	var recipients []Webhook
	chosen := map[int32]bool{}
	for w := range listed {
		if !chosen[w.ID] && w.takes(accepted) {
			chosen[w.ID] = true
			recipients = append(recipients, w)
		}
	}
	return recipients
}

// SubscribesTo reports whether one of the webhook's patterns is among the
// subscription keys, such as those of an event; see SubscriptionKeys.
func (w Webhook) SubscribesTo(keys ...string) bool {
	return slices.ContainsFunc(w.Events, func(pattern string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(pattern, key) })
	})
}

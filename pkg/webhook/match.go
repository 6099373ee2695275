package webhook

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// SubscriptionKeys lists the folded patterns that match an event of this name, the
// longest first: "list.category.created" → "list.category.created",
// "list.category.*", "list.*", "*". There are at most eight: the exact name, a prefix
// at each of its first six dots, and "*". The ping and state events are matched only
// by their exact name.
func SubscriptionKeys(name string) []string {
	folded := foldEventName(name)
	if reservedEventName(folded) {
		return []string{folded}
	}
	var dots []int
	for i := range len(folded) {
		if folded[i] == '.' && len(dots) < maxPrefixSegments {
			dots = append(dots, i)
		}
	}
	keys := make([]string, 0, len(dots)+2)
	keys = append(keys, folded)
	for _, dot := range slices.Backward(dots) {
		keys = append(keys, folded[:dot]+".*")
	}
	return append(keys, "*")
}

// activationGrace is how much older than its webhook's activation an event may
// be and still match: a re-read of the stream must not send a day of old events
// to a webhook that was just made.
const activationGrace = 60 * time.Second

// Matches reports whether the webhook is to get an event that was accepted at
// the given time: it is Active, one of its patterns matches, and it was not
// activated more than 60 s later. The webhook item alone decides this, so a
// stale pointer or list is harmless.
func (w Webhook) Matches(name string, accepted time.Time) bool {
	return w.Takes(accepted) && w.Subscribes(name)
}

// Takes is Matches without a look at the patterns, for a webhook whose pattern
// is known to match.
func (w Webhook) Takes(accepted time.Time) bool {
	return w.State == StateActive &&
		!w.ActivatedAt.After(accepted.Add(activationGrace))
}

// Recipients returns those of the listed webhooks that take an event that was
// accepted at the given time, each once, in the order of the list. The pattern of
// each is known to match.
func Recipients(listed iter.Seq[Webhook], accepted time.Time) []Webhook {
	var recipients []Webhook
	chosen := map[int32]bool{}
	for w := range listed {
		if !chosen[w.ID] && w.Takes(accepted) {
			chosen[w.ID] = true
			recipients = append(recipients, w)
		}
	}
	return recipients
}

// Subscribes reports whether one of the webhook's patterns matches the name.
func (w Webhook) Subscribes(name string) bool { return w.SubscribesTo(SubscriptionKeys(name)) }

// SubscribesTo reports whether one of the webhook's patterns is among the
// subscription keys of an event. Where many webhooks are asked about one name,
// it saves folding the name for each.
func (w Webhook) SubscribesTo(keys []string) bool { return slices.ContainsFunc(keys, w.Holds) }

// Holds reports whether one of the webhook's patterns is this subscription key.
func (w Webhook) Holds(key string) bool {
	return slices.ContainsFunc(w.Events, func(pattern string) bool { return strings.EqualFold(pattern, key) })
}

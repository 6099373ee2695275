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
// at each of its first six dots, and "*". No pattern matches the ping or a state
// event. A state event's second key is its name without the id, for subscriptions to
// any webhook's: "webhook7.errors" → "webhook7.errors", "webhook.errors".
func SubscriptionKeys(name string) []string {
	folded := foldEventName(name)
	if inBody, state := IsStateEvent(folded); state {
		return []string{folded, inBody}
	}
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
// be and still match: when the stream is read again, a new webhook must not
// receive a day of old events.
const activationGrace = 60 * time.Second

// takes reports whether the webhook gets an event that was accepted at the given
// time and matches one of its patterns: it is Active, it may see the event, and it
// was not activated more than 60 s later. The webhook item alone decides this, so a
// stale pointer or list is harmless.
func (w Webhook) takes(e Event, accepted time.Time) bool {
	return w.State == StateActive && w.maySee(e) && !w.ActivatedAt.After(accepted.Add(activationGrace))
}

// Subscribed reports whether the webhook is subscribed to the event and may see it,
// whatever its state and since when it is Active.
func (w Webhook) Subscribed(e Event) bool {
	return w.SubscribesTo(SubscriptionKeys(e.Name)...) && w.maySee(e)
}

// maySee reports whether the webhook may get the event at all. A state event is
// about a webhook: an app's webhooks see only those that the app registered.
func (w Webhook) maySee(e Event) bool {
	if w.App == "" || w.App == e.App {
		return true
	}
	_, state := IsStateEvent(e.Name)
	return !state
}

// Recipients returns the listed webhooks that take an event accepted at the given
// time, each once, in the order of the list. Their patterns are known to match; each
// is listed with its [Webhook.Selection].
func Recipients(e Event, listed iter.Seq2[Webhook, *Selection], accepted time.Time) []Webhook {
	return Chosen(e, listed, accepted, func(int32) {})
}

// Chosen is Recipients, and calls refused with the id of each webhook whose options alone
// leave the event out.
func Chosen(e Event, listed iter.Seq2[Webhook, *Selection], accepted time.Time, refused func(id int32)) []Webhook {
	var recipients []Webhook
	decided := map[int32]bool{}
	event := &seen{event: e}
	for w, selection := range listed {
		if decided[w.ID] || !w.takes(e, accepted) {
			continue
		}
		decided[w.ID] = true
		if selection.refuses(event) == "" {
			recipients = append(recipients, w)
		} else {
			refused(w.ID)
		}
	}
	return recipients
}

// Takes reports whether Recipients chooses the webhook.
func (w Webhook) Takes(e Event, accepted time.Time) bool {
	one := func(yield func(Webhook, *Selection) bool) { yield(w, w.Selection()) }
	return len(Recipients(e, one, accepted)) > 0
}

// SubscribesTo reports whether one of the webhook's patterns is among the
// subscription keys, such as those of an event; see SubscriptionKeys.
func (w Webhook) SubscribesTo(keys ...string) bool {
	return slices.ContainsFunc(w.Events, func(pattern string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(pattern, key) })
	})
}

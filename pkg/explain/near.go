package explain

import (
	"cmp"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxNearest is how many webhooks Nearest has.
const maxNearest = 5

// Near is a webhook that does not match, and what it lacks.
type Near struct {
	Webhook int32
	Name    string
	Reasons []Reason
}

// nearest keeps the webhooks that lack least, and of those the ones whose patterns
// are most like the event's name.
type nearest []candidate

type candidate struct {
	Near
	likeness int
}

func (n *nearest) add(e webhook.Event, w webhook.Webhook, lacks []Reason) {
	*n = append(*n, candidate{Near{w.ID, w.Name, lacks}, likeness(e.Name, w)})
	slices.SortFunc(*n, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(len(a.Reasons), len(b.Reasons)), cmp.Compare(b.likeness, a.likeness), cmp.Compare(a.Webhook, b.Webhook))
	})
	*n = (*n)[:min(len(*n), maxNearest)]
}

func (n nearest) list() []Near {
	list := make([]Near, len(n))
	for i, c := range n {
		list[i] = c.Near
	}
	return list
}

// likeness returns how long the longest beginning or end is that a pattern of the
// webhook shares with a name: contact.change is like contact.changed, and so is
// contacts.changed. A pattern that matches is like the name most of all.
func likeness(name string, w webhook.Webhook) (most int) {
	if w.SubscribesTo(webhook.SubscriptionKeys(name)...) {
		return len(name) + 1
	}
	name = strings.ToLower(name)
	for _, pattern := range w.Events {
		pattern = strings.ToLower(pattern)
		head, tail := 0, 0
		for head < min(len(name), len(pattern)) && name[head] == pattern[head] {
			head++
		}
		for tail < min(len(name), len(pattern)) && name[len(name)-1-tail] == pattern[len(pattern)-1-tail] {
			tail++
		}
		most = max(most, head, tail)
	}
	return most
}

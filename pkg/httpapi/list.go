package httpapi

import (
	"math"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// listPage is how many webhooks are read at a time.
	listPage = 500
	// maxListBytes is about how much JSON a list may come to before anything
	// else is known of it: so much fits into the function's memory, several
	// times over. What can be sent is less unless it is compressed; see carry.
	maxListBytes = 24 << 20
)

// filter says which webhooks a list is to hold. The zero filter holds all.
type filter struct {
	name   string   // exact, in any letter case
	events []string // subscription keys of the event that webhooks are to respond to
	state  webhook.State
}

func newFilter(name, event string, state int32) filter {
	f := filter{name: name, state: webhook.State(state)}
	if event != "" {
		f.events = webhook.SubscriptionKeys(event)
	}
	return f
}

func (f filter) holds(w webhook.Webhook) bool {
	return (f.name == "" || strings.EqualFold(f.name, w.Name)) &&
		(f.events == nil || w.SubscribesTo(f.events...)) &&
		(f.state == webhook.StateUnknown || f.state == w.State)
}

func (a *api) listWebhooks(c *call) (reply, error) {
	var wrong webhook.Faults
	state, known := enumNumber(c.query("statusFilter"), stateNames, false)
	if !known {
		wrong.Add("statusFilter", "must be one of %s", strings.Join(stateNames, ", "))
	}
	return a.list(c, newFilter(c.query("nameFilter"), c.query("eventFilter"), state), wrong)
}

// list gives the webhooks that a filter holds, or of them those that the
// query's $skip and $top ask for, unless something was wrong already.
func (a *api) list(c *call, f filter, wrong webhook.Faults) (reply, error) {
	skip, top := c.count("$skip", 0, &wrong), c.count("$top", math.MaxInt32, &wrong)
	if err := wrong.Err(); err != nil {
		return reply{}, err
	}
	found, size := []entity{}, 0
	for after, more := int32(0), top > 0; more; more = after != 0 && len(found) < top {
		page, next, err := a.Registry.List(c.Context(), c.who, after, listPage)
		if err != nil {
			return reply{}, err
		}
		after = next
		var held []webhook.Webhook
		for _, w := range page {
			switch {
			case !f.holds(w) || len(found)+len(held) == top:
			case skip > 0:
				skip--
			default:
				held = append(held, w)
			}
		}
		if len(held) == 0 {
			continue
		}
		shown, err := a.show(c.Context(), c.who.Tenant, held...)
		if err != nil {
			return reply{}, err
		}
		for _, e := range shown {
			size += e.size()
		}
		if size > maxListBytes {
			return reply{}, errListTooLarge
		}
		found = append(found, shown...)
	}
	answer := c.selected(found)
	answer.large = true
	return answer, nil
}

// count reads a query parameter that is a number, 0 or more.
func (c *call) count(name string, absent int, wrong *webhook.Faults) int {
	text := c.query(name)
	if text == "" {
		return absent
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		wrong.Add(name, "must be a whole number, 0 or more")
	}
	return int(n)
}

// size is about how many bytes the entity has as JSON.
func (e entity) size() int {
	const names = 1000 // of members, and what has a size of its own
	n := names + len(e.Name) + len(e.TargetURL) + len(e.Properties) + len(e.ErrorAssociates) + len(e.Description) + len(e.LastError)
	for _, texts := range [][]string{e.Events, e.ErrorEmails} {
		for _, text := range texts {
			n += len(text) + 3
		}
	}
	for _, h := range e.Headers {
		n += len(h.name) + len(h.value) + 6
	}
	return n
}

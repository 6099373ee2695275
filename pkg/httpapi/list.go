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
	// maxListBytes is about how much JSON a list may grow to while it is built.
	// The function's memory holds several times as much. Only a compressed list
	// of this size can be sent; see carry.
	maxListBytes = 24 << 20
)

// filter selects the webhooks of a list. The zero filter matches all.
type filter struct {
	name   string   // exact, case-insensitive
	events []string // subscription keys of the event that webhooks must subscribe to
	state  webhook.State
}

func newFilter(name, event string, state int32) filter {
	f := filter{name: name, state: webhook.State(state)}
	if event != "" {
		f.events = webhook.SubscriptionKeys(event)
	}
	return f
}

func (f filter) matches(w webhook.Webhook) bool {
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

// list returns the webhooks that match a filter, or the part of them that $skip
// and $top of the query select. It fails if wrong holds faults.
func (a *api) list(c *call, f filter, wrong webhook.Faults) (reply, error) {
	skip, top := c.count("$skip", 0, &wrong), c.count("$top", math.MaxInt32, &wrong)
	if err := wrong.Err(); err != nil {
		return reply{}, err
	}
	found, size := []entity{}, 0
	err := a.eachPage(c, f, skip, top, func(page []webhook.Webhook) error {
		shown, err := a.show(c.Context(), c.who.Tenant, page...)
		if err != nil {
			return err
		}
		for _, e := range shown {
			size += e.size()
		}
		if size > maxListBytes {
			return errListTooLarge
		}
		found = append(found, shown...)
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	response := c.selected(found)
	response.large = true
	return response, nil
}

// eachPage passes the caller's webhooks that match a filter to take, by id and some at
// a time: at most top of them, without the first skip. It ends with take's error.
func (a *api) eachPage(c *call, f filter, skip, top int, take func([]webhook.Webhook) error) error {
	for after, more := int32(0), top > 0; more; more = after != 0 && top > 0 {
		page, next, err := a.Registry.List(c.Context(), c.who, after, listPage)
		if err != nil {
			return err
		}
		after = next
		var held []webhook.Webhook
		for _, w := range page {
			switch {
			case !f.matches(w) || len(held) == top:
			case skip > 0:
				skip--
			default:
				held = append(held, w)
			}
		}
		if len(held) == 0 {
			continue
		}
		if err := take(held); err != nil {
			return err
		}
		top -= len(held)
	}
	return nil
}

// count reads a query parameter that is an integer, 0 or greater.
func (c *call) count(name string, absent int, wrong *webhook.Faults) int {
	text := c.query(name)
	if text == "" {
		return absent
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		wrong.Add(name, "must be an integer from 0 to 2147483647")
	}
	return int(n)
}

// size returns roughly how many bytes the entity has as JSON.
func (e entity) size() int {
	const names = 1000 // the names of members, and values of fixed size
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

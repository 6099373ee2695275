package httpapi

import (
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// listPage is how many webhooks are read at a time.
const listPage = 500

// filter says which webhooks a list is to hold. The zero filter holds all.
type filter struct {
	name  string // exact, in any letter case
	event string // webhooks that respond to this event
	state webhook.State
}

func (f filter) holds(w webhook.Webhook) bool {
	return (f.name == "" || strings.EqualFold(f.name, w.Name)) &&
		(f.event == "" || w.Subscribes(f.event)) &&
		(f.state == webhook.StateUnknown || f.state == w.State)
}

func (a *api) listWebhooks(c *call) (reply, error) {
	f := filter{name: c.query("nameFilter"), event: c.query("eventFilter")}
	state, known := enumNumber(c.query("statusFilter"), stateNames, false)
	if !known {
		return reply{}, webhook.Invalid("statusFilter must be one of %s", strings.Join(stateNames, ", "))
	}
	f.state = webhook.State(state) //nolint:gosec // 0-3
	return a.list(c, f)
}

func (a *api) list(c *call, f filter) (reply, error) {
	found := []entity{}
	for after, more := int32(0), true; more; more = after != 0 {
		page, next, err := a.Registry(c).List(c.Context(), c.who, after, listPage)
		if err != nil {
			return reply{}, err
		}
		after = next
		var held []webhook.Webhook
		for _, w := range page {
			if f.holds(w) {
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
		found = append(found, shown...)
	}
	return c.selected(found), nil
}

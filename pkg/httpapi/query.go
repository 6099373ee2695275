package httpapi

import (
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// queryParameters lists the query parameters of each route, by its method and
// pattern, in the spelling that is documented. SuperOffice documents $select for
// two operations of the agent whose responses it cannot change.
var queryParameters = map[string][]string{
	"GET /admin/v1/Tenants":                      {"cursor"},
	"GET /admin/v1/Tenants/{tenant}/Export":      {"cursor"},
	"GET /admin/v1/Tenants/{tenant}/Credentials": {"cursor"},
	"GET /api/v1/Archive/dynamic":                {"$select", "$filter", "$skip", "$top"},
	"GET /api/v1/Events":                         {"event", "entity", "primaryKey", "key", "source", "from", "to", "limit", "cursor"},
	"GET /api/v1/Events/{eventId}":               {"limit", "cursor"},
	"GET /api/v1/Events/{eventId}/Explain":       {"webhook"},
	"GET /api/v1/Stats":                          {"ids", "cursor"},
	"GET /api/v1/Webhook":                        {"nameFilter", "eventFilter", "statusFilter", "$select", "$skip", "$top"},
	"POST /api/v1/Webhook":                       {"$select", "since"},
	"GET /api/v1/Webhook/{id}":                   {"$select"},
	"PUT /api/v1/Webhook/{id}":                   {"$select"},
	"PATCH /api/v1/Webhook/{id}":                 {"$select"},
	"POST /api/v1/Webhook/Test":                  {"$select", "event"},
	"GET /api/v1/Webhook/{id}/History":           {"limit", "cursor"},
	listDeliveriesAction:                         {"status", "event", "entity", "primaryKey", "key", "class", "error", "from", "to", "limit", "cursor"},
	"POST " + agentPath + "DeleteWebhook":        {"webhookId"},
	"POST " + agentPath + "GetWebhook":           {"webhookId", "$select"},
	"POST " + agentPath + "GetAllWebhooks":       {"$select", "$skip", "$top"},
	"POST " + agentPath + "TestWebhook":          {"$select"},
	"POST " + agentPath + "SignalEvent":          {"$select"},
	"POST " + agentPath + "GetLastError":         {"$select"},
}

// readQuery reads the parameters of the call's address. Their names are
// case-insensitive. A parameter of the route may be repeated with the same value
// only. Routes without a credential have no query.
func (c *call) readQuery(rt *route) error {
	if rt.scope == open {
		return nil
	}
	params, err := wire.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return err
	}
	if len(params) == 0 {
		return nil
	}
	var wrong webhook.Faults
	c.params = map[string]string{}
	known := newVocabulary("query parameter", queryParameters[c.action]...)
	for _, p := range params {
		known.check(p.Name, p.Name, &c.ignored, &wrong)
		for _, name := range known.names {
			if !strings.EqualFold(name, p.Name) {
				continue
			}
			if value, repeated := c.params[name]; repeated && value != p.Value {
				wrong.Add(name, "is in the query more than once, with different values")
			}
			c.params[name] = p.Value
		}
	}
	return wrong.Err()
}

// query returns a query parameter by its name in queryParameters, "" without one.
func (c *call) query(name string) string { return c.params[name] }

// limit reads the query parameter limit, the most items of a page: from 1 to most.
func (c *call) limit(absent, most int, wrong *webhook.Faults) int {
	text := c.query("limit")
	if text == "" {
		return absent
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n < 1 || int(n) > most {
		wrong.Add("limit", "must be an integer from 1 to %d", most)
	}
	return int(n)
}

package httpapi

import (
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Route is an operation as the route table has it.
type Route struct {
	Method, Pattern string
	Scope           webhook.Scope // "" needs no credential
}

// Routes lists the route table, for tests that must not miss a new route.
func Routes() []Route {
	var all []Route
	for _, r := range (&api{}).routes() {
		all = append(all, Route{r.method, r.pattern, r.scope})
	}
	return all
}

// QueryParameters lists the query parameters of each route that has some.
func QueryParameters() map[string][]string { return queryParameters }

// OneEdit reports whether one edit turns a name into another.
func OneEdit(a, b string) bool { return oneEdit([]rune(a), []rune(b)) }

// Statuses lists what the error table answers.
func Statuses() []int {
	var all []int
	for _, row := range errorTable {
		all = append(all, row.status)
	}
	return all
}

// ListFilterAllocs counts what asking a list's filter about one webhook
// allocates.
func ListFilterAllocs(event string, w webhook.Webhook) float64 {
	f := newFilter("", event, 0)
	return testing.AllocsPerRun(100, func() { f.holds(w) })
}

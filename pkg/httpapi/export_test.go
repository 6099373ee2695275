package httpapi

import (
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The package's own rows of the error table.
var ErrPrecondition = errPrecondition

// Route is an operation of the route table.
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

// Statuses lists the statuses of the error table.
func Statuses() []int {
	var all []int
	for _, row := range errorTable {
		all = append(all, row.status)
	}
	return all
}

// ListFilterAllocs counts the allocations of matching one webhook against a list's
// filter.
func ListFilterAllocs(event string, w webhook.Webhook) float64 {
	f := newFilter("", event, 0)
	return testing.AllocsPerRun(100, func() { f.matches(w) })
}

// PatchFault returns the error of a change of an unknown member.
func PatchFault() error {
	_, err := new(call).patch(webhook.Webhook{State: webhook.StateActive}, webhook.Health{}, []change{{label: "Changes[2]", op: "add", path: []string{"Color"}}})
	return err
}

// The cursors of lists.
var (
	EncodeCursor = encodeCursor
	DecodeCursor = decodeCursor
	CursorScope  = cursorScope
)

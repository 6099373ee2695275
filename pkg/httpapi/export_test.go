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

// Statuses lists what the error table answers.
func Statuses() []int {
	var all []int
	for _, row := range errorTable {
		all = append(all, row.status)
	}
	return all
}

// FoldName is how names are compared in any letter case.
var FoldName = foldName

// Object is an object while a patch is applied to it.
type Object struct{ tree }

// NewObject returns an object without members.
func NewObject() *Object { return &Object{tree{kind: '{'}} }

// Set gives the object a member, in the place of one of exactly this name.
func (o *Object) Set(name, text string) { o.set(name, textTree(text)) }

// Find returns the text of a member, its name in any letter case.
func (o *Object) Find(name string) (text string, found bool) {
	member, found := o.named(name)
	return member.text, found
}

// Remove takes out the member that Find finds.
func (o *Object) Remove(name string) {
	if i := o.child(name); i >= 0 {
		o.removeMember(i)
	}
}

// JSON returns the object as it is written.
func (o *Object) JSON() string { return string(o.appendJSON(nil)) }

// Same reports whether the object is the same JSON as another one.
func (o *Object) Same(other *Object) bool { return o.equal(other.clone()) }

// ListFilterAllocs counts what asking a list's filter about one webhook
// allocates.
func ListFilterAllocs(event string, w webhook.Webhook) float64 {
	f := newFilter("", event, 0)
	return testing.AllocsPerRun(100, func() { f.holds(w) })
}

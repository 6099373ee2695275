package httpapi

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxUnknown is how many unknown members a fault names.
const maxUnknown = 10

// serverMembers are the members of SuperOffice's webhook that the service owns,
// in lower case. Clients send them back, so they are not unknown.
var serverMembers = func() []string {
	names := []string{"tableright", "fieldproperties", "_links"}
	for field := range reflect.TypeFor[entity]().Fields() {
		if name := memberName(field); writableIndex(name) < 0 {
			names = append(names, name)
		}
	}
	return names
}()

// unknownMembers are names of members that were ignored, as they were sent. Of a
// required member that is missing, one of them may be a misspelling.
type unknownMembers []string

func (u *unknownMembers) add(name string) {
	if len(*u) < maxUnknown && !slices.Contains(*u, name) {
		*u = append(*u, name)
	}
}

// fault adds a fault that names the unknown members, if there are any.
func (u unknownMembers) fault(f *webhook.Faults) {
	if len(u) == 0 {
		return
	}
	verb := "was"
	if len(u) > 1 {
		verb = "were"
	}
	f.AddText("", "%s %s ignored", u.text(""), verb)
}

// text returns the names as the subject of a clause, each with path in front.
func (u unknownMembers) text(path string) string {
	quoted := make([]string, len(u))
	for i, name := range u {
		quoted[i] = strconv.Quote(path + wire.Shorten(name))
	}
	plural := ""
	if len(u) > 1 {
		plural = "s"
	}
	return "unknown member" + plural + " " + strings.Join(quoted, ", ")
}

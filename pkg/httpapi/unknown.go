package httpapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxUnknown is how many unknown members a fault names.
const maxUnknown = 10

// unknownMembers are names of members that were ignored, as they were sent. If a
// required member is missing, one of them may be meant for it, though it is more than
// a typo away.
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
	quoted := make([]string, len(u))
	for i, name := range u {
		quoted[i] = strconv.Quote(wire.Shorten(name))
	}
	format := "unknown member %s was ignored"
	if len(u) > 1 {
		format = "unknown members %s were ignored"
	}
	f.AddText("", format, strings.Join(quoted, ", "))
}

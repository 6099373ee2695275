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

package template

import (
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// member is a member of an event.
type member uint8

const (
	memberEventID member = iota
	memberTimestamp
	memberEvent
	memberEntity
	memberPrimaryKey
	memberKey
	memberChanges
	memberContext
	memberChangedBy
	memberWebhookName
	memberSource
	memberFieldValues
	memberValues
	memberPrevious
)

// members are the members of events as paths name them.
var members = [...]string{
	memberEventID: "EventId", memberTimestamp: "Timestamp", memberEvent: "Event", memberEntity: "Entity", memberPrimaryKey: "PrimaryKey",
	memberKey: "Key", memberChanges: "Changes", memberContext: "ContextIdentifier", memberChangedBy: "ChangedByAssociateId",
	memberWebhookName: "WebhookName", memberSource: "Source", memberFieldValues: "FieldValues", memberValues: "Values", memberPrevious: "Previous",
}

func memberNamed(name string) (m member, ok bool) {
	i := slices.Index(members[:], name)
	return member(max(i, 0)), i >= 0
}

// parsePath reads the placeholder that text begins with, and returns the names of its
// path and what follows it. Spaces around the path do not count. A backslash makes the
// next character part of a name: "{{FieldValues.address\.city}}".
func parsePath(text string) (path []string, rest string, err error) {
	var (
		name []byte
		kept int // its length without spaces at the end
		body = strings.TrimLeft(text[len("{{"):], " ")
	)
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '\\' && i+1 < len(body):
			i++
			name = append(name, body[i])
			kept = len(name)
		case c == '.':
			path, name, kept = append(path, string(name)), name[:0], 0
		case strings.HasPrefix(body[i:], "}}"):
			path, rest = append(path, string(name[:kept])), body[i+len("}}"):]
			return path, rest, checkPath(path, strings.TrimSuffix(text, rest))
		default:
			if name = append(name, c); c != ' ' {
				kept = len(name)
			}
		}
	}
	return nil, "", fault("has {{ without }} in %s; {{{{ is a literal {{", shortened(text))
}

// checkPath checks the path of a placeholder.
func checkPath(path []string, placeholder string) error {
	m, known := memberNamed(path[0])
	switch {
	case !known:
		return fault("has %s, which does not begin with a member of events: %s", shortened(placeholder), strings.Join(members[:], ", "))
	case len(path) > 1 && m < memberFieldValues:
		return fault("has %s, but %s has no members", shortened(placeholder), path[0])
	case slices.Contains(path, ""):
		return fault("has %s, in which a name is empty", shortened(placeholder))
	case len(path) > jsonscan.MaxDepth:
		return fault("has %s, with more than %d names", shortened(placeholder), jsonscan.MaxDepth)
	}
	return nil
}

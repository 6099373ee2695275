package webhook

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// bodyMembers are the members that the service itself adds to the body of a POST, by
// format. A format that is not listed leaves Properties out.
var bodyMembers = map[Format][]string{
	FormatSuperOffice: {
		"EventId", "Timestamp", "Changes", "Event", "PrimaryKey", "Entity",
		"ContextIdentifier", "ChangedByAssociateId", "WebhookName", "Values", "FieldValues",
	},
	FormatStandard: {"type", "timestamp", "data", "primaryKey", "tenant"},
}

// contentMembers are the members that only bodies of events with a Content may have,
// besides bodyMembers.
var contentMembers = map[Format][]string{
	FormatSuperOffice: {"Previous"},
	FormatStandard: {
		"key", "entity", "changes", "values", "previous", "context", "source", "sourceEvent", "sequence", "truncated",
	},
}

// HasMember reports whether the event's body in a format has a member of this name
// itself, so that a property of the webhook is left out. Plain signals compare exactly.
// Events with a Content ignore case: a save does not refuse properties such as
// "Source", which are harmless in the body of a plain signal.
func (e Event) HasMember(f Format, name string) bool {
	f = f.orDefault()
	if e.Content == nil {
		return slices.Contains(bodyMembers[f], name)
	}
	same := func(member string) bool { return strings.EqualFold(member, name) }
	return slices.ContainsFunc(bodyMembers[f], same) || slices.ContainsFunc(contentMembers[f], same)
}

// orDefault returns SuperOffice's format for the empty one.
func (f Format) orDefault() Format {
	if f == "" {
		return FormatSuperOffice
	}
	return f
}

// properties adds a fault for each property that differs only in case from a member
// of the body: a reader that ignores case would take it for that member, since it
// comes last. A property with exactly the member's name is harmless, as it is never
// sent.
func (f *Faults) properties(member string, properties json.RawMessage, format Format) {
	listed, err := jsonscan.Members(properties)
	if err != nil {
		return // Validate says so
	}
	for _, p := range listed {
		for _, name := range bodyMembers[format.orDefault()] {
			if p.Name != name && strings.EqualFold(p.Name, name) {
				f.AddText(member, "Properties: %q differs only in case from %s, a member of the body itself", p.Name, name)
			}
		}
	}
}

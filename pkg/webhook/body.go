package webhook

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// bodyMembers are the members that the service itself gives the body of a POST, by
// format. A format that is not listed leaves Properties out.
var bodyMembers = map[Format][]string{
	FormatSuperOffice: {
		"EventId", "Timestamp", "Changes", "Event", "PrimaryKey", "Entity",
		"ContextIdentifier", "ChangedByAssociateId", "WebhookName", "Values", "FieldValues",
	},
	FormatStandard: {"type", "timestamp", "data", "primaryKey", "tenant"},
}

// HasMember reports whether a body of this format has a member of exactly this name
// by itself, which a property of the webhook never replaces.
func (f Format) HasMember(name string) bool { return slices.Contains(f.members(), name) }

func (f Format) members() []string {
	if f == "" {
		f = FormatSuperOffice
	}
	return bodyMembers[f]
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
		for _, name := range format.members() {
			if p.Name != name && strings.EqualFold(p.Name, name) {
				f.AddText(member, "Properties: %q differs only in case from %s, a member of the body itself", p.Name, name)
			}
		}
	}
}

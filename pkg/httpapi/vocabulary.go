package httpapi

// inEveryCarrier are base members of SuperOffice's carriers. Its clients send them
// back, and they are skipped like all members of the server's own.
var inEveryCarrier = []string{"TableRight", "FieldProperties", "ExtraFields", "CustomFields", "_Links"}

// webhookMembers are the members of a webhook: those that a client may state, and the
// server's own.
var webhookMembers = newVocabulary("member", append(writableNames(),
	"Registered", "RegisteredAssociate", "Updated", "UpdatedAssociate",
	"TotalCalls", "TotalErrors", "ConsecutiveErrors", "LastError",
)...)

// The agent takes a webhook (bareOrWrapped), or an object that holds one (wrapper).
var (
	bareOrWrapped = newVocabulary("member", append([]string{"Webhook"}, webhookMembers.names...)...)
	wrapper       = newVocabulary("member", append([]string{"Webhook"}, inEveryCarrier...)...)
)

// listItemMembers are the members of an MDOListItem.
var listItemMembers = newVocabulary("member", append([]string{
	"Id", "Name", "ToolTip", "Deleted", "Rank", "Type", "ChildItems", "IconHint", "ColorBlock", "ExtraInfo", "StyleHint", "FullName",
}, inEveryCarrier...)...)

// patchMembers are the members of an operation of a JSON Patch.
var patchMembers = newVocabulary("member", "op", "path", "value", "from")

func writableNames() []string {
	names := append([]string{}, inEveryCarrier...)
	for _, m := range writable {
		names = append(names, m.name)
	}
	return names
}

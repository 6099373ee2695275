package httpapi

import "github.com/posthaste-dev/posthaste/pkg/httpapi/wire"

// carriers lists the members of SuperOffice's carriers, of options, and of
// responses, that are not a single value, and the kind of each.
var carriers = wire.Members{
	"events": {Container: wire.List}, "erroremails": {Container: wire.List}, "include": {Container: wire.List}, "onlyfields": {Container: wire.List}, "ignorefields": {Container: wire.List}, "fields": {Container: wire.List}, "filter": {Container: wire.Any}, "template": {Container: wire.Any}, "skipown": {Container: wire.List},
	"eventids": {Container: wire.List},
	"only":     {Container: wire.List},
	"counts":   {Container: wire.List, Element: "Count"}, "replays": {Container: wire.List, Element: "Replay"},
	"errorassociates": listItems, "childitems": listItems,
	"headers": stringPairs, "customfields": stringPairs, "_links": stringPairs,
	"properties": {Container: wire.Any}, "data": {Container: wire.Any}, "extrafields": {Container: wire.Any},
	"deliveries": {Container: wire.List, Element: "Delivery"}, "samples": {Container: wire.List, Element: "Sample"}, "attempts": {Container: wire.List, Element: "Attempt"}, "responseheaders": stringPairs,
	"fieldvalues": {Container: wire.Any}, "values": {Container: wire.Any}, "previous": {Container: wire.Any},
	"fieldproperties": {Container: wire.Strings, Element: "FieldPropertyDictionaryKeyValuePair"},
}

var (
	listItems   = wire.Content{Container: wire.List, Element: "MDOListItem"}
	stringPairs = wire.Content{Container: wire.Strings, Element: "StringKeyValuePair"}
)

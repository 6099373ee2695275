package httpapi

import "strings"

// container says what a member holds, for the two formats that do not tell:
// XML, where a list and an object look alike, and forms, where a list of one
// looks like a text.
type container int

const (
	single     container = iota // a text, a number, or an object of members
	list                        // <string> or <MDOListItem> elements; Events=a&Events=b
	texts                       // <StringKeyValuePair> elements; Headers[X-A]=1
	anyValues                   // <StringObjectKeyValuePair> elements; Properties[k]=v
	properties                  // <FieldPropertyDictionaryKeyValuePair> elements
)

// containers has every member of the API's carriers that is no single value, by
// its name in lower case. No name means two things.
var containers = map[string]container{
	"events": list, "erroremails": list, "errorassociates": list, "childitems": list,
	"headers": texts, "customfields": texts, "_links": texts,
	"properties": anyValues, "data": anyValues, "extrafields": anyValues,
	"fieldproperties": properties,
}

func containerOf(member string) container { return containers[strings.ToLower(member)] }

// pairName gives the element that a dictionary's entries are in, in XML.
func (c container) pairName() string {
	switch c {
	case texts:
		return "StringKeyValuePair"
	case properties:
		return "FieldPropertyDictionaryKeyValuePair"
	default:
		return "StringObjectKeyValuePair"
	}
}

package wire

import "strings"

// Container says what a member holds, for the two formats that do not tell:
// XML, where a list and an object look alike, and forms, where a list of one
// looks like a text.
type Container int

// The containers.
const (
	Single     Container = iota // a text, a number, or an object of members
	List                        // <string> or <MDOListItem> elements; Events=a&Events=b
	Texts                       // <StringKeyValuePair> elements; Headers[X-A]=1
	AnyValues                   // <StringObjectKeyValuePair> elements; Properties[k]=v
	Properties                  // <FieldPropertyDictionaryKeyValuePair> elements
)

// containers has every member of the API's carriers that is no Single value, by
// its name in lower case. No name means two things.
var containers = map[string]Container{
	"events": List, "erroremails": List, "errorassociates": List, "childitems": List,
	"headers": Texts, "customfields": Texts, "_links": Texts,
	"properties": AnyValues, "data": AnyValues, "extrafields": AnyValues,
	"fieldproperties": Properties,
}

// ContainerOf returns what a member holds, by its name in any letter case.
func ContainerOf(member string) Container { return containers[strings.ToLower(member)] }

// pairName gives the element that a dictionary's entries are in, in XML.
func (c Container) pairName() string {
	switch c {
	case Texts:
		return "StringKeyValuePair"
	case Properties:
		return "FieldPropertyDictionaryKeyValuePair"
	default:
		return "StringObjectKeyValuePair"
	}
}

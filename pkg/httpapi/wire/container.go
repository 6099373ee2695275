package wire

import "strings"

// Container says what a member holds, for the two formats that do not tell:
// XML, where an array and an object look alike, and forms, where a list of one
// looks like a string.
type Container int

// The containers.
const (
	Single  Container = iota // a string, a number, or an object of members
	List                     // an array: Events=a&Events=b
	Strings                  // an object of strings under names of the client's: Headers[X-A]=1
	Any                      // an object of values of any type under such names: Properties[k]=v
)

// Content is what a member holds, and how XML writes it.
type Content struct {
	Container Container
	// Element is the XML element of an item or entry. Empty: an item's is named
	// after its type, an entry's StringObjectKeyValuePair.
	Element string
}

// Members says what the members of an API hold, by their names in lower case. A
// name that is not there holds a Single value. No name means two things.
type Members map[string]Content

func (m Members) content(name string) Content { return m[strings.ToLower(name)] }

// Container returns what a member holds, by its name in any letter case.
func (m Members) Container(name string) Container { return m.content(name).Container }

// entry returns the XML element of an entry of a dictionary.
func (c Content) entry() string {
	if c.Container == List || c.Element == "" {
		return "StringObjectKeyValuePair"
	}
	return c.Element
}

// item returns the XML element of an item of an array.
func (c Content) item(item *Tree) string {
	if c.Container == List && c.Element != "" {
		return c.Element
	}
	switch item.kind {
	case KindString:
		return "string"
	case KindNumber:
		return "int"
	case KindTrue, KindFalse:
		return "boolean"
	default:
		return "anyType"
	}
}

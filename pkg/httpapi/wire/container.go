package wire

import "strings"

// Container is what a member holds, for the two formats that do not say: in XML
// arrays and objects look alike, and in forms a list of one looks like a string.
type Container int

// The containers.
const (
	Single  Container = iota // a string, a number, or an object of members
	List                     // an array: Events=a&Events=b
	Strings                  // an object of strings, with names of the client's own: Headers[X-A]=1
	Any                      // an object of values of any type, with such names: Properties[k]=v
)

// Content is what a member holds, and how XML writes it.
type Content struct {
	Container Container
	// Element is the XML element of an item or entry. Empty: items are named
	// after their types, entries are StringObjectKeyValuePair.
	Element string
}

// Members is what the members of an API hold, by their names in lower case. A name
// that is not listed holds a Single value. A name means the same everywhere.
type Members map[string]Content

func (m Members) content(name string) Content { return m[strings.ToLower(name)] }

// Container returns what a member holds. The name is case-insensitive.
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

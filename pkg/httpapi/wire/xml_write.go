package wire

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
)

// The types of values that a dictionary of any values may hold beside XML's
// simple ones.
const (
	arrayOfAny   = "ArrayOfanyType"
	arrayOfPairs = "ArrayOfStringObjectKeyValuePair"
)

const rootAttributes = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"`

// EncodeXML returns an answer as XML: the elements are the members of the JSON,
// local names without namespace, in the same order; null is xsi:nil. root is the
// name of the document element.
func EncodeXML(root string, body any) ([]byte, error) {
	w := xmlWriter{}
	w.buf.WriteString(xml.Header)
	err := w.answer(root, rootAttributes, body)
	return w.buf.Bytes(), err
}

// EncodeXMLList returns a list as XML. It is written item by item, since it may
// be long.
func EncodeXMLList(root string, length int, item func(i int) (name string, body any)) ([]byte, error) {
	w := xmlWriter{}
	w.buf.WriteString(xml.Header + "<" + root + rootAttributes + ">")
	for i := range length {
		name, body := item(i)
		if err := w.answer(name, "", body); err != nil {
			return nil, err
		}
	}
	w.buf.WriteString("</" + root + ">")
	return w.buf.Bytes(), nil
}

// answer writes what has a form as JSON.
func (w *xmlWriter) answer(name, attributes string, body any) error {
	encoded, err := EncodeJSON(body)
	if err != nil {
		return err
	}
	t, err := ParseJSON(encoded)
	if err != nil {
		return err
	}
	w.element(name, attributes, t, ContainerOf(name))
	return nil
}

type xmlWriter struct{ buf bytes.Buffer }

// element writes a value under a name.
func (w *xmlWriter) element(name, attributes string, t Tree, is Container) {
	if t.Kind == 'n' {
		w.buf.WriteString("<" + name + attributes + ` xsi:nil="true"/>`)
		return
	}
	w.buf.WriteString("<" + name + attributes + ">")
	w.content(name, t, is)
	w.buf.WriteString("</" + name + ">")
}

func (w *xmlWriter) content(name string, t Tree, is Container) {
	switch t.Kind {
	case '{':
		for i, child := range t.Children {
			switch {
			case is == AnyValues:
				w.pair(is, t.Names[i], func() { w.anyValue("Value", child) })
			case is != Single || !xmlNameFits(t.Names[i]):
				w.pair(is, t.Names[i], func() { w.element("Value", "", child, Single) })
			default:
				w.element(t.Names[i], "", child, ContainerOf(t.Names[i]))
			}
		}
	case '[':
		for _, child := range t.Children {
			w.element(itemName(name, child), "", child, Single)
		}
	default:
		w.scalar(t)
	}
}

func (w *xmlWriter) scalar(t Tree) {
	switch t.Kind {
	case '"':
		_ = xml.EscapeText(&w.buf, []byte(t.Text)) // a Buffer never fails
	case '0':
		w.buf.WriteString(t.Text)
	case 't':
		w.buf.WriteString("true")
	case 'f':
		w.buf.WriteString("false")
	}
}

func (w *xmlWriter) pair(is Container, key string, value func()) {
	w.buf.WriteString("<" + is.pairName() + ">")
	w.element("Key", "", Text(key), Single)
	value()
	w.buf.WriteString("</" + is.pairName() + ">")
}

// anyValue writes a value of any type with its type, so that it can be read
// back as it was.
func (w *xmlWriter) anyValue(name string, t Tree) {
	switch t.Kind {
	case '{':
		w.element(name, ` xsi:type="`+arrayOfPairs+`"`, t, AnyValues)
	case '[':
		w.buf.WriteString("<" + name + ` xsi:type="` + arrayOfAny + `">`)
		for _, child := range t.Children {
			w.anyValue("anyType", child)
		}
		w.buf.WriteString("</" + name + ">")
	default:
		w.element(name, ` xsi:type="xsd:`+simpleType(t)+`"`, t, Single)
	}
}

// simpleType gives the name that XML Schema has for the type of a scalar.
func simpleType(t Tree) string {
	switch t.Kind {
	case '0':
		if strings.ContainsAny(t.Text, "eE") {
			return "double"
		}
		if strings.Contains(t.Text, ".") {
			return "decimal"
		}
		if _, err := strconv.ParseInt(t.Text, 10, 32); err == nil {
			return "int"
		}
		if _, err := strconv.ParseInt(t.Text, 10, 64); err == nil {
			return "long"
		}
		return "decimal"
	case 't', 'f':
		return "boolean"
	}
	return "string"
}

// itemName gives the element that an item of a list is in.
func itemName(list string, item Tree) string {
	switch strings.ToLower(list) {
	case "errorassociates", "childitems":
		return "MDOListItem"
	}
	switch item.Kind {
	case '"':
		return "string"
	case '0':
		return "int"
	case 't', 'f':
		return "boolean"
	}
	return "anyType"
}

// xmlNameFits reports whether a member's name can be an element's: the names of
// carriers can, those of users need not.
func xmlNameFits(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

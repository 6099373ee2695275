package httpapi

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

// xmlNamed is an answer that says the name of its document element.
type xmlNamed interface{ xmlName() string }

// rootName gives the document element of an answer: a type of SuperOffice's by
// its name, a list by the name of what it holds.
func rootName(body any) string {
	switch body := body.(type) {
	case string, textOrNull:
		return "string"
	case *entity: // nil: none
		return "Webhook"
	case xmlNamed:
		return body.xmlName()
	case []entity:
		return "ArrayOfWebhook"
	}
	return "anyType"
}

func (e entity) xmlName() string {
	if e.Links != nil {
		return "WebhookWithLinks"
	}
	return "Webhook"
}

func (errorBody) xmlName() string { return "Error" }

func (agentError) xmlName() string { return "Error" }

func (result) xmlName() string { return "WebhookResult" }

// encodeXML gives an answer as XML: the elements are the members of the JSON,
// local names without namespace, in the same order; null is xsi:nil. A list of
// webhooks, which may be long, is written one by one.
func encodeXML(body any) ([]byte, error) {
	const attributes = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"`
	w := xmlWriter{}
	w.buf.WriteString(xml.Header)
	root := rootName(body)
	list, isList := body.([]entity)
	if !isList {
		err := w.answer(root, attributes, body)
		return w.buf.Bytes(), err
	}
	w.buf.WriteString("<" + root + attributes + ">")
	for _, e := range list {
		if err := w.answer(rootName(e), "", e); err != nil {
			return nil, err
		}
	}
	w.buf.WriteString("</" + root + ">")
	return w.buf.Bytes(), nil
}

// answer writes what has a form as JSON.
func (w *xmlWriter) answer(name, attributes string, body any) error {
	encoded, err := encode(body)
	if err != nil {
		return err
	}
	t, err := parseTree(encoded)
	if err != nil {
		return err
	}
	w.element(name, attributes, t, containerOf(name))
	return nil
}

type xmlWriter struct{ buf bytes.Buffer }

// element writes a value under a name.
func (w *xmlWriter) element(name, attributes string, t tree, is container) {
	if t.kind == 'n' {
		w.buf.WriteString("<" + name + attributes + ` xsi:nil="true"/>`)
		return
	}
	w.buf.WriteString("<" + name + attributes + ">")
	w.content(name, t, is)
	w.buf.WriteString("</" + name + ">")
}

func (w *xmlWriter) content(name string, t tree, is container) {
	switch t.kind {
	case '{':
		for i, child := range t.children {
			switch {
			case is == anyValues:
				w.pair(is, t.names[i], func() { w.anyValue("Value", child) })
			case is != single || !xmlNameFits(t.names[i]):
				w.pair(is, t.names[i], func() { w.element("Value", "", child, single) })
			default:
				w.element(t.names[i], "", child, containerOf(t.names[i]))
			}
		}
	case '[':
		for _, child := range t.children {
			w.element(itemName(name, child), "", child, single)
		}
	default:
		w.scalar(t)
	}
}

func (w *xmlWriter) scalar(t tree) {
	switch t.kind {
	case '"':
		_ = xml.EscapeText(&w.buf, []byte(t.text)) // a Buffer never fails
	case '0':
		w.buf.WriteString(t.text)
	case 't':
		w.buf.WriteString("true")
	case 'f':
		w.buf.WriteString("false")
	}
}

func (w *xmlWriter) pair(is container, key string, value func()) {
	w.buf.WriteString("<" + is.pairName() + ">")
	w.element("Key", "", textTree(key), single)
	value()
	w.buf.WriteString("</" + is.pairName() + ">")
}

// anyValue writes a value of any type with its type, so that it can be read
// back as it was.
func (w *xmlWriter) anyValue(name string, t tree) {
	switch t.kind {
	case '{':
		w.element(name, ` xsi:type="`+arrayOfPairs+`"`, t, anyValues)
	case '[':
		w.buf.WriteString("<" + name + ` xsi:type="` + arrayOfAny + `">`)
		for _, child := range t.children {
			w.anyValue("anyType", child)
		}
		w.buf.WriteString("</" + name + ">")
	default:
		w.element(name, ` xsi:type="xsd:`+simpleType(t)+`"`, t, single)
	}
}

// simpleType gives the name that XML Schema has for the type of a scalar.
func simpleType(t tree) string {
	switch t.kind {
	case '0':
		if strings.ContainsAny(t.text, "eE") {
			return "double"
		}
		if strings.Contains(t.text, ".") {
			return "decimal"
		}
		if _, err := strconv.ParseInt(t.text, 10, 32); err == nil {
			return "int"
		}
		if _, err := strconv.ParseInt(t.text, 10, 64); err == nil {
			return "long"
		}
		return "decimal"
	case 't', 'f':
		return "boolean"
	}
	return "string"
}

// itemName gives the element that an item of a list is in.
func itemName(list string, item tree) string {
	switch strings.ToLower(list) {
	case "errorassociates", "childitems":
		return "MDOListItem"
	}
	switch item.kind {
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

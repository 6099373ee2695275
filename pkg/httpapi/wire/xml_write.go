package wire

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
	"strings"
)

// The types of values in a dictionary of any values, in addition to XML's simple
// types.
const (
	arrayOfAny   = "ArrayOfanyType"
	arrayOfPairs = "ArrayOfStringObjectKeyValuePair"
)

const rootAttributes = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"`

// EncodeXML returns a response as XML. The elements are the members of the JSON in
// the same order, without namespaces; null is xsi:nil. root is the name of the
// document element.
func EncodeXML(root string, body any, members Members) ([]byte, error) {
	w := xmlWriter{members: members}
	w.buf.WriteString(xml.Header)
	err := w.response(root, rootAttributes, body)
	return w.buf.Bytes(), err
}

// EncodeXMLList returns a list as XML. It encodes item by item, since lists may be
// long.
func EncodeXMLList(root string, length int, item func(i int) (name string, body any), members Members) ([]byte, error) {
	w := xmlWriter{members: members}
	w.buf.WriteString(xml.Header + "<" + root + rootAttributes + ">")
	for i := range length {
		name, body := item(i)
		if err := w.response(name, "", body); err != nil {
			return nil, err
		}
	}
	w.buf.WriteString("</" + root + ">")
	return w.buf.Bytes(), nil
}

// response writes a value that encodes as JSON.
func (w *xmlWriter) response(name, attributes string, body any) error {
	encoded, err := EncodeJSON(body)
	if err != nil {
		return err
	}
	t, err := ParseJSON(encoded, math.MaxInt)
	if err != nil {
		return err
	}
	w.element(name, attributes, &t, w.members.content(name))
	return nil
}

type xmlWriter struct {
	buf     bytes.Buffer
	members Members
}

// ofAny is the content of a dictionary of any values.
var ofAny = Content{Container: Any}

// element writes a value as an element.
func (w *xmlWriter) element(name, attributes string, t *Tree, is Content) {
	if t.kind == KindNull {
		w.buf.WriteString("<" + name + attributes + ` xsi:nil="true"/>`)
		return
	}
	w.buf.WriteString("<" + name + attributes + ">")
	w.content(t, is)
	w.buf.WriteString("</" + name + ">")
}

func (w *xmlWriter) content(t *Tree, is Content) {
	switch t.kind {
	case KindObject:
		for i, name := range t.names {
			child := &t.children[i]
			switch {
			case is.Container == Any:
				w.pair(is, name, func() { w.anyValue("Value", child) })
			case is.Container != Single || !xmlNameFits(name):
				w.pair(is, name, func() { w.element("Value", "", child, Content{}) })
			default:
				w.element(name, "", child, w.members.content(name))
			}
		}
	case KindArray:
		for i := range t.children {
			w.element(is.item(&t.children[i]), "", &t.children[i], Content{})
		}
	default:
		w.scalar(t)
	}
}

func (w *xmlWriter) scalar(t *Tree) {
	switch t.kind {
	case KindString:
		_ = xml.EscapeText(&w.buf, []byte(t.text)) // a Buffer never fails
	case KindNumber:
		w.buf.WriteString(t.text)
	case KindTrue:
		w.buf.WriteString("true")
	case KindFalse:
		w.buf.WriteString("false")
	default:
	}
}

func (w *xmlWriter) pair(is Content, name string, value func()) {
	w.buf.WriteString("<" + is.entry() + ">")
	key := Text(name)
	w.element("Key", "", &key, Content{})
	value()
	w.buf.WriteString("</" + is.entry() + ">")
}

// anyValue writes a value together with its type, so that reading it back yields
// the same value.
func (w *xmlWriter) anyValue(name string, t *Tree) {
	switch t.kind {
	case KindObject:
		w.element(name, ` xsi:type="`+arrayOfPairs+`"`, t, ofAny)
	case KindArray:
		w.buf.WriteString("<" + name + ` xsi:type="` + arrayOfAny + `">`)
		for i := range t.children {
			w.anyValue("anyType", &t.children[i])
		}
		w.buf.WriteString("</" + name + ">")
	default:
		w.element(name, ` xsi:type="xsd:`+simpleType(t)+`"`, t, Content{})
	}
}

// simpleType returns XML Schema's name for the type of a scalar.
func simpleType(t *Tree) string {
	switch t.kind {
	case KindNumber:
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
	case KindTrue, KindFalse:
		return "boolean"
	default:
		return "string"
	}
}

// xmlNameFits reports whether a member's name can be the name of an element. The
// names of carriers can; names of the client's own may not.
func xmlNameFits(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

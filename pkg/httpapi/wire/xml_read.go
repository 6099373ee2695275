package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// MaxElements is the most elements, pairs of a form, or values of a patch that a
// body may have: far more than a webhook can use, and little work.
const MaxElements = 5_000

// xmlElement is an element as read, without namespaces and without attributes
// other than nil and type.
type xmlElement struct {
	name     string
	isNil    bool
	xsiType  string
	text     strings.Builder
	children []*xmlElement
}

// readXML reads an XML document. root says what the document element holds; its
// name, namespaces and the order of elements do not matter. DTDs are not
// supported: an entity other than XML's own five is an error. With encodingKnown
// the text is UTF-8, whatever its declaration says.
func (m Members) readXML(text []byte, root Container, encodingKnown bool) (Tree, error) {
	e, err := parseXML(text, encodingKnown)
	if err != nil {
		return Tree{}, err
	}
	return m.tree(e, root)
}

func parseXML(text []byte, encodingKnown bool) (*xmlElement, error) {
	if surrogateReference(text) {
		return nil, webhook.Invalid("the body is not well-formed XML: it refers to an unpaired surrogate, which is not a character")
	}
	dec := xml.NewDecoder(bytes.NewReader(text)) //nolint:gosec // bounded in size, elements and depth; tokens only, no DTD
	dec.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		charset = strings.ToLower(charset)
		bytewise, _ := input.(io.ByteReader)
		switch {
		case encodingKnown, charset == "us-ascii", charset == "utf-16":
			// A declaration of UTF-16 that can be read as bytes is wrong.
			return input, nil
		case byteCharsets[charset] != nil && bytewise != nil:
			return byteReader{bytewise, byteCharsets[charset]}, nil
		}
		return nil, Unsupported("The encoding %s is not supported; send UTF-8", Shorten(charset))
	}
	var root *xmlElement
	var open []*xmlElement
	for elements := 0; ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var unread *UnsupportedError
			if errors.As(err, &unread) {
				return nil, unread
			}
			return nil, webhook.Invalid("the body is not well-formed XML: %v", err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, webhook.Invalid("the body has a DTD, which is not supported")
		case xml.StartElement:
			if elements++; elements > MaxElements {
				return nil, webhook.Invalid("the body has more than %d elements", MaxElements)
			}
			if len(open) == jsonscan.MaxDepth {
				return nil, webhook.Invalid("the body is nested deeper than %d", jsonscan.MaxDepth)
			}
			e := newElement(token)
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			case root != nil:
				return nil, webhook.Invalid("the body has a second root element")
			default:
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				_, _ = open[len(open)-1].text.Write(token) // a Builder never fails
			} else if len(bytes.TrimSpace(token)) > 0 {
				return nil, webhook.Invalid("the body has text outside its root element")
			}
		}
	}
	if root == nil {
		return nil, webhook.Invalid("the body has no XML element")
	}
	return root, nil
}

func newElement(token xml.StartElement) *xmlElement {
	e := &xmlElement{name: token.Name.Local}
	for _, a := range token.Attr {
		switch a.Name.Local {
		case "nil":
			e.isNil = a.Value == "true" || a.Value == "1"
		case "type":
			_, local, prefixed := strings.Cut(a.Value, ":")
			if !prefixed {
				local = a.Value
			}
			e.xsiType = local
		}
	}
	return e
}

// tree returns the tree of an element. Leaves are strings; their readers know
// their types. Of a name that is repeated all values are kept: in the list that the
// member is, otherwise as a repeated value.
func (m Members) tree(e *xmlElement, is Container) (Tree, error) {
	switch {
	case e.isNil:
		return Null, nil
	case len(e.children) > 0 && strings.TrimSpace(e.text.String()) != "":
		return Tree{}, webhook.Invalid("the element %s mixes text and elements", Shorten(e.name))
	case len(e.children) == 0 && (is == Single || strings.TrimSpace(e.text.String()) != ""):
		return Text(e.text.String()), nil
	}
	if is == List {
		return m.items(e)
	}
	t := Tree{kind: KindObject}
	for _, child := range e.children {
		name, value, isPair, err := child.pair()
		if err != nil {
			return Tree{}, err
		}
		if !isPair {
			name, value = child.name, child
		}
		var held Tree
		switch is {
		case Any:
			held, err = m.anyValue(value)
		case Single:
			held, err = m.tree(value, m.Container(name))
		default:
			held, err = m.tree(value, Single)
		}
		if err != nil {
			return Tree{}, err
		}
		m.join(&t, name, held, is == Single)
	}
	return t, nil
}

// join adds a member to an object that may have one of that name. carrier says that
// the object's names are those of a carrier, which are case-insensitive, and not the
// client's own.
func (m Members) join(t *Tree, name string, held Tree, carrier bool) {
	i, is := t.exact(name), Single
	if carrier {
		i, is = t.Child(name), m.Container(name)
	}
	switch {
	case i < 0:
		t.Add(name, held)
	case is == List && !t.children[i].repeated && t.children[i].kind == KindArray && held.kind == KindArray:
		t.children[i].children = append(t.children[i].children, held.children...)
	default:
		t.children[i].repeat(held)
	}
}

func (m Members) items(e *xmlElement) (Tree, error) {
	t := Tree{kind: KindArray}
	for _, child := range e.children {
		item, err := m.tree(child, Single)
		if err != nil {
			return Tree{}, err
		}
		t.children = append(t.children, item)
	}
	return t, nil
}

// pair splits an entry of a dictionary into its key and value.
func (e *xmlElement) pair() (name string, value *xmlElement, isPair bool, err error) {
	if !strings.HasSuffix(e.name, "KeyValuePair") {
		return "", nil, false, nil
	}
	var key *xmlElement
	for _, part := range e.children {
		switch {
		case strings.EqualFold(part.name, "Key") && key == nil:
			key = part
		case strings.EqualFold(part.name, "Value") && value == nil:
			value = part
		case strings.EqualFold(part.name, "Key"), strings.EqualFold(part.name, "Value"):
			return "", nil, true, webhook.Invalid("the body has an element %s with more than one %s", Shorten(e.name), part.name)
		}
	}
	if key != nil {
		name = key.text.String()
	}
	if value == nil {
		value = &xmlElement{isNil: true}
	}
	return name, value, true, nil
}

// anyValue returns the tree of a value whose type is in xsi:type; without one it
// is a string, or an object of its elements.
func (m Members) anyValue(e *xmlElement) (Tree, error) {
	text := strings.TrimSpace(e.text.String())
	switch {
	case e.isNil:
		return Null, nil
	case strings.HasPrefix(e.xsiType, "ArrayOf") && e.xsiType != arrayOfPairs:
		t := Tree{kind: KindArray}
		for _, child := range e.children {
			item, err := m.anyValue(child)
			if err != nil {
				return Tree{}, err
			}
			t.children = append(t.children, item)
		}
		return t, nil
	case len(e.children) > 0, e.xsiType == arrayOfPairs:
		if len(e.children) == 0 {
			return Tree{kind: KindObject}, nil
		}
		return m.tree(e, Any)
	}
	switch e.xsiType {
	case "boolean":
		switch text {
		case "true", "1":
			return Tree{kind: KindTrue}, nil
		case "false", "0":
			return Tree{kind: KindFalse}, nil
		}
		return Tree{}, webhook.Invalid("the body has an invalid value of type boolean")
	case "int", "long", "short", "byte", "integer", "decimal", "double", "float":
		if !isNumber(text) {
			return Tree{}, webhook.Invalid("the body has an invalid value of type %s", e.xsiType)
		}
		return Tree{kind: KindNumber, text: text}, nil
	}
	return Text(e.text.String()), nil
}

// isNumber reports whether a string is a JSON number.
func isNumber(text string) bool {
	return text != "" && strings.IndexByte("-0123456789", text[0]) >= 0 && json.Valid([]byte(text))
}

package httpapi

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxElements is how many elements, pairs of a form, or values of a patch a body
// may have: far more than a webhook can use, and little work.
const maxElements = 5_000

// xmlElement is an element as it is read: attributes other than nil and type,
// and all namespaces, are left out.
type xmlElement struct {
	name     string
	isNil    bool
	xsiType  string
	text     strings.Builder
	children []*xmlElement
}

// readXML reads an XML document. root says what the document element holds; its
// name does not matter, and neither do namespaces and the order of elements.
// There is no DTD: an entity other than XML's own five is a fault. encodingKnown
// says that the text is UTF-8 whatever its declaration says.
func readXML(text []byte, root container, encodingKnown bool) (tree, error) {
	e, err := parseXML(text, encodingKnown)
	if err != nil {
		return tree{}, err
	}
	return e.tree(root)
}

func parseXML(text []byte, encodingKnown bool) (*xmlElement, error) {
	dec := xml.NewDecoder(bytes.NewReader(text)) //nolint:gosec // bounded in size, elements and depth; tokens only, no DTD
	dec.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		charset = strings.ToLower(charset)
		bytewise, _ := input.(io.ByteReader)
		switch {
		case encodingKnown, charset == "us-ascii", charset == "utf-16":
			// What says UTF-16 and could be read so far is not.
			return input, nil
		case (charset == "iso-8859-1" || charset == "latin1") && bytewise != nil:
			return latin1{bytewise}, nil
		}
		return nil, explain(errMediaType, "The encoding %s is not read here; send UTF-8", shorten(charset))
	}
	var root *xmlElement
	var open []*xmlElement
	for elements := 0; ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var explained *explainedError
			if errors.As(err, &explained) {
				return nil, explained
			}
			return nil, webhook.Invalid("the body is no well-formed XML: %v", err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, webhook.Invalid("the body has a DTD, which is not read")
		case xml.StartElement:
			if elements++; elements > maxElements {
				return nil, webhook.Invalid("the body has more than %d elements", maxElements)
			}
			if len(open) == webhook.MaxJSONDepth {
				return nil, webhook.Invalid("the body is nested deeper than %d", webhook.MaxJSONDepth)
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
				return nil, webhook.Invalid("the body has text outside of its root element")
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

// tree gives the JSON that an element stands for. Leaves are texts: their
// readers know what they are.
func (e *xmlElement) tree(is container) (tree, error) {
	switch {
	case e.isNil:
		return nullTree, nil
	case len(e.children) > 0 && strings.TrimSpace(e.text.String()) != "":
		return tree{}, webhook.Invalid("the element %s has text beside its elements", shorten(e.name))
	case len(e.children) == 0 && (is == single || strings.TrimSpace(e.text.String()) != ""):
		return textTree(e.text.String()), nil
	}
	if is == list {
		return e.items()
	}
	t := tree{kind: '{'}
	for _, child := range e.children {
		name, value, isPair := child.pair()
		if !isPair {
			name, value = child.name, child
		}
		var held tree
		var err error
		switch is {
		case anyValues:
			held, err = value.anyValue()
		case single:
			held, err = value.tree(containerOf(name))
		default:
			held, err = value.tree(single)
		}
		if err != nil {
			return tree{}, err
		}
		t.set(name, held)
	}
	return t, nil
}

func (e *xmlElement) items() (tree, error) {
	t := tree{kind: '['}
	for _, child := range e.children {
		item, err := child.tree(single)
		if err != nil {
			return tree{}, err
		}
		t.children = append(t.children, item)
	}
	return t, nil
}

// pair takes an entry of a dictionary apart.
func (e *xmlElement) pair() (name string, value *xmlElement, isPair bool) {
	if !strings.HasSuffix(e.name, "KeyValuePair") {
		return "", nil, false
	}
	value = &xmlElement{isNil: true}
	for _, part := range e.children {
		switch {
		case strings.EqualFold(part.name, "Key"):
			name = part.text.String()
		case strings.EqualFold(part.name, "Value"):
			value = part
		}
	}
	return name, value, true
}

// anyValue gives the JSON of a value whose type only xsi:type tells; without
// one it is a text, or an object of its elements.
func (e *xmlElement) anyValue() (tree, error) {
	text := strings.TrimSpace(e.text.String())
	switch {
	case e.isNil:
		return nullTree, nil
	case strings.HasPrefix(e.xsiType, "ArrayOf") && e.xsiType != arrayOfPairs:
		t := tree{kind: '['}
		for _, child := range e.children {
			item, err := child.anyValue()
			if err != nil {
				return tree{}, err
			}
			t.children = append(t.children, item)
		}
		return t, nil
	case len(e.children) > 0, e.xsiType == arrayOfPairs:
		if len(e.children) == 0 {
			return tree{kind: '{'}, nil
		}
		return e.tree(anyValues)
	}
	switch e.xsiType {
	case "boolean":
		switch text {
		case "true", "1":
			return tree{kind: 't'}, nil
		case "false", "0":
			return tree{kind: 'f'}, nil
		}
		return tree{}, webhook.Invalid("the body has a value of type boolean that is none")
	case "int", "long", "short", "byte", "integer", "decimal", "double", "float":
		if !isNumber(text) {
			return tree{}, webhook.Invalid("the body has a value of type %s that is no number", e.xsiType)
		}
		return tree{kind: '0', text: text}, nil
	}
	return textTree(e.text.String()), nil
}

// isNumber reports whether a text is a number as JSON writes them.
func isNumber(text string) bool {
	return text != "" && strings.IndexByte("-0123456789", text[0]) >= 0 && json.Valid([]byte(text))
}

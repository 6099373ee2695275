package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// ParseJSON reads exactly one JSON value, nested no deeper than
// jsonscan.MaxDepth and made of no more than most values. It parses all levels, so
// that the tree can be changed. If a name is repeated, the last value wins. The
// error is a clause without a subject.
func ParseJSON(raw []byte, most int) (Tree, error) {
	p := treeParser{json.NewDecoder(bytes.NewReader(raw)), most, most}
	p.UseNumber()
	t, err := p.value(0)
	if err != nil {
		return Tree{}, err
	}
	if _, err := p.Token(); !errors.Is(err, io.EOF) {
		return Tree{}, webhook.Invalid("must be a single JSON value")
	}
	return t, nil
}

type treeParser struct {
	*json.Decoder
	most, left int // values
}

func (p *treeParser) token() (json.Token, error) {
	token, err := p.Token()
	if err != nil {
		return nil, webhook.Invalid("must be valid JSON: %v", err)
	}
	return token, nil
}

func (p *treeParser) value(depth int) (Tree, error) {
	if p.left--; p.left < 0 {
		return Tree{}, webhook.Invalid("has more than %d values", p.most)
	}
	token, err := p.token()
	if err != nil {
		return Tree{}, err
	}
	switch token := token.(type) {
	case string:
		return Text(token), nil
	case json.Number:
		return Tree{kind: KindNumber, text: token.String()}, nil
	case bool:
		if token {
			return Tree{kind: KindTrue}, nil
		}
		return Tree{kind: KindFalse}, nil
	case json.Delim:
		if depth == jsonscan.MaxDepth {
			return Tree{}, webhook.Invalid("is nested deeper than %d", jsonscan.MaxDepth)
		}
		return p.children(Kind(token), depth)
	}
	return Null, nil
}

func (p *treeParser) children(kind Kind, depth int) (Tree, error) {
	t := Tree{kind: kind}
	at := map[string]int{}
	for p.More() {
		var name string
		if kind == KindObject {
			token, err := p.token()
			if err != nil {
				return Tree{}, err
			}
			name, _ = token.(string)
		}
		child, err := p.value(depth + 1)
		if err != nil {
			return Tree{}, err
		}
		if i, twice := at[name]; twice && kind == KindObject {
			t.children[i] = child
			continue
		}
		if kind == KindObject {
			at[name] = len(t.children)
			t.names = append(t.names, name)
		}
		t.children = append(t.children, child)
	}
	_, err := p.token()
	return t, err
}

package template

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// compiler makes a Template of a document.
type compiler struct {
	Template
	literal []byte // what follows the last piece
}

func fault(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// document reads a whole document.
func (c *compiler) document(raw []byte) error {
	if len(raw) > MaxBytes {
		return fault("must have at most %d bytes", MaxBytes)
	}
	if err := jsonscan.CheckValue(raw); err != nil {
		return fault("%s", err)
	}
	i := jsonscan.SkipSpace(raw, 0)
	if raw[i] != '{' && raw[i] != '[' {
		return fault("must be a JSON object or array")
	}
	_, err := c.value(raw, i)
	return err
}

// value reads the value that begins at i, and returns its end.
func (c *compiler) value(raw []byte, i int) (end int, err error) {
	switch raw[i] {
	case '{':
		return c.items(raw, i, '}')
	case '[':
		return c.items(raw, i, ']')
	}
	end = jsonscan.SkipValue(raw, i)
	if raw[i] == '"' {
		return end, c.text(raw[i:end])
	}
	c.literal = append(c.literal, raw[i:end]...)
	return end, nil
}

// items reads an object or array that begins at i and ends with a bracket.
func (c *compiler) items(raw []byte, i int, bracket byte) (end int, err error) {
	c.literal = append(c.literal, raw[i])
	for i = jsonscan.SkipSpace(raw, i+1); raw[i] != bracket; i = jsonscan.SkipSpace(raw, i) {
		if raw[i] == ',' {
			c.literal = append(c.literal, ',')
			i = jsonscan.SkipSpace(raw, i+1)
		}
		if bracket == '}' {
			name := raw[i:jsonscan.SkipValue(raw, i)]
			if text := decoded(name); strings.Contains(text, "{{") {
				return 0, fault("has {{ in %s, the name of a member: only values are replaced", shortened(text))
			}
			c.literal = append(append(c.literal, name...), ':')
			i = jsonscan.SkipSpace(raw, jsonscan.SkipSpace(raw, i+len(name))+1) // past the colon
		}
		if i, err = c.value(raw, i); err != nil {
			return 0, err
		}
	}
	c.literal = append(c.literal, bracket)
	return i + 1, nil
}

// text reads a string.
func (c *compiler) text(quoted []byte) error {
	text := decoded(quoted)
	if !strings.Contains(text, "{{") {
		c.literal = append(c.literal, quoted...)
		return nil
	}
	if at, rest, err := c.placeholder(text); err == nil && at > 0 && rest == "" {
		c.add(piece{at: at})
		return nil
	}
	c.literal = append(c.literal, '"')
	for text != "" {
		plain, found := len(text), strings.Index(text, "{{")
		if found >= 0 {
			plain = found
		}
		c.literal = appendText(c.literal, text[:plain])
		if text = text[plain:]; text == "" {
			break
		}
		at, rest, err := c.placeholder(text)
		if err != nil {
			return err
		}
		if text = rest; at > 0 {
			c.add(piece{at: at, within: true})
		} else {
			c.literal = append(c.literal, "{{"...)
		}
	}
	c.literal = append(c.literal, '"')
	return nil
}

// placeholder reads the placeholder that text begins with, and returns the node that its
// path leads to and what follows it. The node is 0 for {{{{, which means {{, and if text
// does not begin with a placeholder.
func (c *compiler) placeholder(text string) (at int32, rest string, err error) {
	if !strings.HasPrefix(text, "{{") {
		return 0, text, nil
	}
	if rest, escaped := strings.CutPrefix(text, "{{{{"); escaped {
		return 0, rest, nil
	}
	path, rest, err := parsePath(text)
	if err != nil {
		return 0, "", err
	}
	for depth, name := range path {
		if at = c.child(at, name); depth == 0 {
			c.nodes[at].member, _ = memberNamed(name)
		}
	}
	return at, rest, nil
}

func (c *compiler) add(p piece) {
	c.flush()
	c.pieces = append(c.pieces, p)
}

// flush makes a piece of the bytes since the last one.
func (c *compiler) flush() {
	if len(c.literal) > 0 {
		c.pieces = append(c.pieces, piece{literal: c.literal})
		c.literal = nil
	}
}

// decoded returns the text of a JSON string.
func decoded(quoted []byte) (text string) {
	if err := json.Unmarshal(quoted, &text); err != nil { // of a checked document
		panic(err)
	}
	return text
}

// shortened returns the beginning of a text, quoted, for an error.
func shortened(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

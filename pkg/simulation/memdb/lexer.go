package memdb

import "strings"

// token is a word, #name, :value, number, operator or parenthesis of an
// expression; the empty token is its end.
type token string

const end token = ""

// split returns the tokens of an expression.
func split(text string) ([]token, error) {
	var tokens []token
	for i := 0; i < len(text); {
		c := text[i]
		n := 1
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
			continue
		case isWord(c) || c == '#' || c == ':':
			for i+n < len(text) && isWord(text[i+n]) {
				n++
			}
			if n == 1 && !isWord(c) {
				return nil, syntaxError(token(c))
			}
		case strings.HasPrefix(text[i:], "<=") || strings.HasPrefix(text[i:], ">=") || strings.HasPrefix(text[i:], "<>"):
			n = 2
		case strings.IndexByte("=<>()[],.+-", c) < 0:
			return nil, syntaxError(token(c))
		}
		tokens = append(tokens, token(text[i:i+n]))
		i += n
	}
	return tokens, nil
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (t token) isName() bool           { return t[:min(1, len(t))] == "#" }
func (t token) isValue() bool          { return t[:min(1, len(t))] == ":" }
func (t token) isIndex() bool          { return t != "" && strings.Trim(string(t), "0123456789") == "" }
func (t token) is(keyword string) bool { return strings.EqualFold(string(t), keyword) }

// isIdentifier reports whether the token can be a plain attribute name.
func (t token) isIdentifier() bool {
	return t != "" && isWord(t[0]) && (t[0] < '0' || t[0] > '9')
}

func syntaxError(t token) error {
	if t == end {
		t = "<EOF>"
	}
	return invalid("Syntax error; token: %q", string(t))
}

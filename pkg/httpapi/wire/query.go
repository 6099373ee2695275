package wire

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Parameter is a name=value pair of a query.
type Parameter struct{ Name, Value string }

// ParseQuery reads the query of an address: parameters joined by "&", in order. "+"
// is a space and ";" an ordinary character. Unlike url.ParseQuery it drops nothing:
// an invalid percent-escape, invalid UTF-8, or more than MaxElements parameters are
// errors.
func ParseQuery(raw string) ([]Parameter, error) {
	var params []Parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if len(params) == MaxElements {
			return nil, webhook.Invalid("the query has more than %d parameters", MaxElements)
		}
		name, value, err := unescapePair(pair)
		if err != nil {
			return nil, webhook.Invalid("the query %v", err)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, webhook.Invalid("the query is not valid UTF-8")
		}
		params = append(params, Parameter{name, value})
	}
	return params, nil
}

// unescapePair splits and decodes name=value. The error is a clause without a
// subject.
func unescapePair(pair string) (name, value string, err error) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, errName := url.QueryUnescape(rawName)
	value, errValue := url.QueryUnescape(rawValue)
	if errName != nil || errValue != nil {
		return "", "", errEscape
	}
	return name, value, nil
}

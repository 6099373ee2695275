package cloudevent

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// prefix begins the names of headers that hold attributes, in lower case.
const prefix = "ce-"

// Attributes returns the headers that hold attributes, by the lower-case names of
// the attributes. nil: without such headers a request is not an event in binary
// mode. Header names are case-insensitive.
func Attributes(headers map[string][]string) map[string][]string {
	var found map[string][]string
	for name, values := range headers {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), prefix)
		if !ok {
			continue
		}
		if found == nil {
			found = map[string][]string{}
		}
		found[attribute] = append(found[attribute], values...)
	}
	return found
}

// ParseHeaders reads an event in the binary mode of HTTP. attributes are those that
// Attributes returned, contentType is the Content-Type of the request, and data is
// its body: JSON that jsonscan.CheckValue accepts, nil if the body is empty, or
// anything if contentType does not declare JSON. Without a contentType nothing is
// known about the data, so it is not JSON. It returns all faults, or none.
func ParseHeaders(attributes map[string][]string, contentType string, data json.RawMessage) (Event, []Fault) {
	r := reader{Event: Event{Data: data}, mediaType: contentType, statedBy: "Content-Type"}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		switch values := attributes[name]; {
		case name == "datacontenttype":
			r.fault(name, "must not be a header: Content-Type is the type of the data")
		case len(values) > 1:
			r.fault(name, "must be one header")
		default:
			if value, rule := decode(values[0]); rule == "" {
				r.set(name, value)
			} else {
				r.fault(name, rule)
			}
		}
	}
	return r.finish()
}

// decode returns the attribute of a header's value: without the quotes of a quoted
// string, which older versions of the specification have, and with percent escapes
// decoded once. rule is what the value breaks, if anything.
func decode(value string) (decoded, rule string) {
	value = strings.Trim(value, " \t")
	if strings.HasPrefix(value, `"`) {
		unquoted, ok := unquote(value)
		if !ok {
			return "", "must end with the quote that it begins with"
		}
		value = unquoted
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return "", "must have % only before two hexadecimal digits; write % as %25"
	}
	if !utf8.ValidString(decoded) {
		return "", "must be UTF-8, percent-encoded"
	}
	return decoded, ""
}

// unquote returns what a quoted string of RFC 7230, section 3.2.6, holds.
func unquote(value string) (unquoted string, ok bool) {
	var out strings.Builder
	for i := 1; i < len(value); i++ {
		switch value[i] {
		case '"':
			return out.String(), i == len(value)-1
		case '\\':
			if i++; i == len(value) {
				return "", false
			}
		}
		out.WriteByte(value[i])
	}
	return "", false
}

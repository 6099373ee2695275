package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxBodyBytes is how large a request's body may be.
const maxBodyBytes = 1 << 20

// jsonTypes are the labels that a JSON body may carry. What the body is, a
// patch or an entity, the operation decides and never the label.
var jsonTypes = map[string]bool{
	"application/json": true, "text/json": true,
	"application/json-patch+json": true, "application/merge-patch+json": true,
}

// readBody reads a call's JSON body, without a byte order mark and without the
// spaces around it. No body, and the literal null, are an empty text. The text
// is not yet known to be JSON.
func readBody(c *call) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.Body, maxBodyBytes))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, fmt.Errorf("read body: %w", webhook.ErrTooLarge)
	case err != nil:
		return nil, webhook.Invalid("the body could not be read to its end")
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(body) == 0 {
		return nil, nil
	}
	if err := checkMediaType(c.Header); err != nil {
		return nil, err
	}
	if string(body) == "null" {
		return nil, nil
	}
	return body, nil
}

// checkMediaType refuses bodies that are no JSON by their own account. A
// missing Content-Type is JSON.
func checkMediaType(h http.Header) error {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return explain(errMediaType, "A body in a Content-Encoding is not read; send it plain")
	}
	label := h.Get("Content-Type")
	if label == "" {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(label)
	if err != nil {
		return explain(errMediaType, "The Content-Type cannot be read; send application/json")
	}
	if !jsonTypes[mediaType] {
		return explain(errMediaType, "A body of type %s is not read here; send JSON with Content-Type: application/json", mediaType)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") &&
		!strings.EqualFold(charset, "utf8") && !strings.EqualFold(charset, "us-ascii") {
		return explain(errMediaType, "The charset %s is not read here; send UTF-8", charset)
	}
	return nil
}

// readObject reads a body that is one JSON object; nil if there is none.
func readObject(c *call) ([]byte, error) {
	body, err := readBody(c)
	if err != nil || body == nil {
		return nil, err
	}
	if err := webhook.CheckObject(body); err != nil {
		return nil, webhook.Invalid("the body %v", err)
	}
	return body, nil
}

// faults gathers what is wrong with an input, one sentence per fault, each
// beginning with the member that it is about.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &webhook.ValidationError{Faults: f}
}

// value is one member of a body while it is read. Its methods give what the
// member holds, and for null, or what is of the wrong type, the zero value; the
// latter with a fault. No fault quotes the value: it may be a secret.
type value struct {
	member string
	raw    json.RawMessage
	faults *faults
}

func (v value) isNull() bool { return string(v.raw) == "null" }

// kind gives the first byte of the value: { [ " t f n, or that of a number.
func (v value) kind() byte {
	if len(v.raw) == 0 {
		return 'n'
	}
	return v.raw[0]
}

func (v value) text() string {
	var text string
	if !v.isNull() && json.Unmarshal(v.raw, &text) != nil {
		v.faults.add("%s must be text", v.member)
	}
	return text
}

func (v value) number() int32 {
	if v.isNull() {
		return 0
	}
	n, err := strconv.ParseInt(string(v.raw), 10, 32)
	if err != nil {
		v.faults.add("%s must be a whole number of 32 bits", v.member)
	}
	return int32(n) //nolint:gosec // ParseInt saw to its size
}

func (v value) texts() []string {
	if v.isNull() {
		return nil
	}
	texts := []string{}
	for i, item := range v.items("texts") {
		if item.isNull() {
			v.faults.add("%s[%d] must be text", v.member, i)
			continue
		}
		texts = append(texts, item.text())
	}
	return texts
}

// items gives the members of an array; of names what it should hold.
func (v value) items(of string) []value {
	var raw []json.RawMessage
	if v.kind() != '[' || json.Unmarshal(v.raw, &raw) != nil {
		v.faults.add("%s must be an array of %s", v.member, of)
		return nil
	}
	items := make([]value, len(raw))
	for i := range raw {
		items[i] = value{fmt.Sprintf("%s[%d]", v.member, i), raw[i], v.faults}
	}
	return items
}

// object gives a JSON object as it was written, but for spaces.
func (v value) object() json.RawMessage {
	if v.isNull() {
		return nil
	}
	var compact bytes.Buffer
	if v.kind() != '{' || json.Compact(&compact, v.raw) != nil {
		v.faults.add("%s must be an object", v.member)
		return nil
	}
	return compact.Bytes()
}

// members gives the members of an object in their order.
func (v value) members() []value {
	if v.isNull() {
		return nil
	}
	listed, err := webhook.ObjectMembers(v.raw)
	if err != nil {
		v.faults.add("%s must be an object", v.member)
		return nil
	}
	members := make([]value, len(listed))
	for i, m := range listed {
		members[i] = value{m.Name, m.Value, v.faults}
	}
	return members
}

// enum reads a number, or a name in any letter case. With flags, names may be
// joined by commas, and the number of the n-th name is the n-th bit.
func (v value) enum(names []string, flags bool) int32 {
	switch v.kind() {
	case 'n':
		return 0
	case '"':
		if n, known := enumNumber(v.text(), names, flags); known {
			return n
		}
	default:
		if n, err := strconv.ParseInt(string(v.raw), 10, 32); err == nil && n >= 0 && int(n) < len(names) {
			return int32(n) //nolint:gosec // ParseInt saw to its size
		}
	}
	v.faults.add("%s must be one of %s", v.member, strings.Join(names, ", "))
	return 0
}

// enumNumber gives the number that a text names.
func enumNumber(text string, names []string, flags bool) (int32, bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return int32(n), n >= 0 && int(n) < len(names) //nolint:gosec // ParseInt saw to its size
	}
	if text == "" {
		return 0, true
	}
	if flags {
		var sum int32
		for part := range strings.SplitSeq(text, ",") {
			n, known := enumNumber(part, names, false)
			if !known {
				return 0, false
			}
			sum |= n
		}
		return sum, true
	}
	for i, name := range names {
		if strings.EqualFold(name, text) {
			return int32(i), true //nolint:gosec // few names
		}
	}
	return 0, false
}

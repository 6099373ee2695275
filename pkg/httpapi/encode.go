package httpapi

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
)

// reply is an answer before it is written.
type reply struct {
	status int
	header http.Header // nil: none of its own
	body   any         // nil with noContent: nothing is written
	json   []byte      // in the place of body: JSON that goes out as it is
	// mediaType is json's, where it is not JSON but lines of it.
	mediaType string
	large     bool // perhaps too large to send as it is
	empty     bool
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

func noContent(header http.Header) reply {
	return reply{status: http.StatusNoContent, header: header, empty: true}
}

// write sends an answer, in the media type that the call accepts; it is the
// only place that knows about formats. Answers may hold what only this caller
// may see, so nobody may keep them.
func (a *api) write(w http.ResponseWriter, c *call, answer reply) {
	mediaType, _ := wire.Negotiate(c.Header.Values("Accept"))
	body := answer.json
	if body != nil {
		if mediaType = wire.AnswerTypes[0]; answer.mediaType != "" {
			mediaType = answer.mediaType
		}
	} else if !answer.empty {
		if wantsZone(c.Header) {
			answer.body = zoned(answer.body)
		}
		var err error
		if body, err = encodeAs(mediaType, answer.body); err != nil {
			answer = failed(c, err)
			body, _ = encodeAs(mediaType, answer.body) // an errorBody always encodes
		}
	}
	coding := ""
	if answer.large {
		// The size of what is compressed tells of its content, so an answer
		// with secrets in clear never is.
		sent, as, err := carry(body, !a.SecretVisible && wire.AcceptsGzip(c.Header.Values("Accept-Encoding")))
		if err != nil {
			answer = failed(c, err)
			sent, _ = encodeAs(mediaType, answer.body)
		}
		body, coding = sent, as
	}
	c.status = answer.status
	header := w.Header()
	for name, values := range answer.header {
		header[name] = values
	}
	header.Set("Cache-Control", "no-store")
	if c.ignored.text != "" {
		header.Set(headerIgnored, c.ignored.text)
	}
	if answer.empty {
		w.WriteHeader(answer.status)
		return
	}
	header.Set("Vary", "Accept, Accept-Encoding")
	if coding != "" {
		header.Set("Content-Encoding", coding)
	}
	header.Set("Content-Type", mediaType+"; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.status)
	if c.Method != http.MethodHead {
		_, _ = w.Write(body) // a caller that went away is nobody's fault
	}
}

func encodeAs(mediaType string, body any) ([]byte, error) {
	if wire.IsXML(mediaType) {
		return encodeXML(body)
	}
	return wire.EncodeJSON(body)
}

// textOrNull is a text whose zero value is null, as SuperOffice writes it.
type textOrNull string

func (t textOrNull) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return wire.EncodeJSON(string(t))
}

// member is one member of an object whose order counts.
type member struct{ name, value string }

// members is an object of texts that keeps its order. nil is null.
type members []member

func (m members) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, each := range m {
		if i > 0 {
			buf.WriteByte(',')
		}
		for j, text := range []string{each.name, each.value} {
			encoded, err := wire.EncodeJSON(text)
			if err != nil {
				return nil, err
			}
			if j > 0 {
				buf.WriteByte(':')
			}
			buf.Write(encoded)
		}
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

package httpapi

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
)

// reply is a response before it is written.
type reply struct {
	status int
	header http.Header // nil: no headers beyond the common ones
	body   any         // nil with noContent: no body is written
	json   []byte      // instead of body: encoded JSON, sent unchanged
	// mediaType is the media type of json if it is not JSON but lines of JSON.
	mediaType string
	large     bool // may be too large to send uncompressed
	empty     bool
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

func noContent(header http.Header) reply {
	return reply{status: http.StatusNoContent, header: header, empty: true}
}

// write sends a response in the media type that the call accepts. It is the only
// place that knows about formats. A response may contain data for this caller
// only, so no cache may store it.
func (a *api) write(w http.ResponseWriter, c *call, response reply) {
	mediaType, _ := wire.Negotiate(c.Header.Values("Accept"))
	body := response.json
	if body != nil {
		if mediaType = wire.AnswerTypes[0]; response.mediaType != "" {
			mediaType = response.mediaType
		}
	} else if !response.empty {
		if wantsZone(c.Header) {
			response.body = zoned(response.body)
		}
		var err error
		if body, err = encodeAs(mediaType, response.body); err != nil {
			response = failed(c, err)
			body, _ = encodeAs(mediaType, response.body) // an errorBody always encodes
		}
	}
	coding := ""
	if response.large {
		// The size of a compressed body reveals something about its content, so a
		// response with secrets in clear is never compressed.
		sent, as, err := carry(body, !a.SecretVisible && wire.AcceptsGzip(c.Header.Values("Accept-Encoding")))
		if err != nil {
			response = failed(c, err)
			sent, _ = encodeAs(mediaType, response.body)
		}
		body, coding = sent, as
	}
	c.status = response.status
	header := w.Header()
	for name, values := range response.header {
		header[name] = values
	}
	header.Set("Cache-Control", "no-store")
	if c.ignored.text != "" {
		header.Set(headerIgnored, c.ignored.text)
	}
	if response.empty {
		w.WriteHeader(response.status)
		return
	}
	header.Set("Vary", "Accept, Accept-Encoding")
	if coding != "" {
		header.Set("Content-Encoding", coding)
	}
	header.Set("Content-Type", mediaType+"; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(response.status)
	if c.Method != http.MethodHead {
		_, _ = w.Write(body) // the caller may have gone away
	}
}

func encodeAs(mediaType string, body any) ([]byte, error) {
	if wire.IsXML(mediaType) {
		return encodeXML(body)
	}
	return wire.EncodeJSON(body)
}

// textOrNull is a string whose zero value is encoded as null, as in SuperOffice's API.
type textOrNull string

func (t textOrNull) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return wire.EncodeJSON(string(t))
}

// member is one member of an ordered object.
type member struct{ name, value string }

// members is an object of strings that keeps its order. nil is null.
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

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxBodyBytes is how large a request's body may be.
const maxBodyBytes = 1 << 20

// bodyTypes are the labels that a body may carry, and whether what they say is
// JSON. What a JSON body is, a patch or an entity, the operation decides and
// never the label.
var bodyTypes = map[string]bool{
	"application/json": true, "text/json": true,
	"application/json-patch+json": true, "application/merge-patch+json": true,
	"application/xml": false, "text/xml": false, formType: false,
}

const formType = "application/x-www-form-urlencoded"

// ReadObject reads a body that is one object, whatever its format: the members of
// a carrier, such as a webhook or the arguments of an operation. members says what
// each of them holds. It returns the zero Tree if there is no body; the literal
// null is none.
func ReadObject(r *http.Request, members Members) (Tree, error) { return readBody(r, Single, members) }

// ReadDictionary reads a body that is one object under names of the client's. It
// differs from ReadObject where a format does not tell lists from objects.
func ReadDictionary(r *http.Request) (Tree, error) { return readBody(r, Any, nil) }

func readBody(r *http.Request, root Container, members Members) (Tree, error) {
	text, label, err := ReadText(r)
	if err != nil || text == nil {
		return Tree{}, err
	}
	if label.IsJSON() {
		if string(text) == "null" {
			return Tree{}, nil
		}
		if err := jsonscan.CheckObject(text); err != nil {
			return Tree{}, webhook.Invalid("the body %v", err)
		}
		return Raw(text), nil
	}
	var t Tree
	if label.mediaType == formType {
		t, err = members.readForm(text, root)
	} else {
		t, err = members.readXML(text, root, label.encodingKnown)
	}
	switch {
	case err != nil:
		return Tree{}, err
	case t.kind == KindNull:
		return Tree{}, nil
	case t.kind == KindString && strings.TrimSpace(t.text) == "": // an element of nothing
		return Tree{kind: KindObject}, nil
	case t.kind != KindObject:
		return Tree{}, webhook.Invalid("the body is no JSON object")
	}
	return t, nil
}

// Label is what a body says about itself.
type Label struct {
	mediaType     string
	charset       string
	encodingKnown bool // and the text is UTF-8 now
}

// IsJSON reports whether the body says that it is JSON.
func (l Label) IsJSON() bool { return bodyTypes[l.mediaType] }

// ReadText reads a call's body as UTF-8, without a byte order mark and without
// the spaces around it. No body is an empty text, whatever its label.
func ReadText(r *http.Request) ([]byte, Label, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBodyBytes))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, Label{}, fmt.Errorf("read body: %w", webhook.ErrTooLarge)
	case err != nil:
		return nil, Label{}, webhook.Invalid("the body could not be read to its end")
	}
	if len(body) == 0 {
		return nil, Label{}, nil
	}
	label, err := readLabel(r.Header)
	if err != nil {
		if len(bytes.TrimSpace(body)) == 0 {
			return nil, Label{}, nil
		}
		return nil, Label{}, err
	}
	text, known, err := toUTF8(body, label.charset)
	if err != nil {
		return nil, Label{}, err
	}
	label.encodingKnown = known
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return nil, label, nil
	}
	if label.mediaType == formType && (text[0] == '{' || text[0] == '[') {
		return nil, label, Unsupported("The body is JSON, and its Content-Type says it is a form; send Content-Type: application/json")
	}
	return text, label, nil
}

// readLabel reads what the headers say about a body. A missing Content-Type is
// JSON.
func readLabel(h http.Header) (Label, error) {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return Label{}, Unsupported("A body in a Content-Encoding is not read; send it plain")
	}
	text := h.Get("Content-Type")
	if strings.TrimSpace(text) == "" {
		return Label{mediaType: "application/json"}, nil
	}
	mediaType, params, err := mime.ParseMediaType(text)
	if err != nil {
		return Label{}, Unsupported("The Content-Type cannot be read; send application/json")
	}
	if _, known := bodyTypes[mediaType]; !known {
		return Label{}, Unsupported("A body of type %s is not read here; send JSON with Content-Type: application/json", Shorten(mediaType))
	}
	return Label{mediaType: mediaType, charset: params["charset"]}, nil
}

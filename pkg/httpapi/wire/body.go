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

// maxBodyBytes is the largest request body that is read.
const maxBodyBytes = 1 << 20

// bodyTypes are the media types of bodies; the value reports whether the type is
// JSON. Whether a JSON body is a patch or an entity depends on the operation,
// never on the media type.
var bodyTypes = map[string]bool{
	"application/json": true, "text/json": true,
	"application/json-patch+json": true, "application/merge-patch+json": true,
	"application/xml": false, "text/xml": false, formType: false,
}

const formType = "application/x-www-form-urlencoded"

// ReadObject reads a body that is one object, in any format: the members of a
// carrier, such as a webhook or the arguments of an operation. members says what
// each of them holds. Without a body it returns the zero Tree; the literal null
// counts as no body.
func ReadObject(r *http.Request, members Members) (Tree, error) { return readBody(r, Single, members) }

// ReadDictionary reads a body that is one object with names of the client's own.
// It differs from ReadObject where a format does not distinguish lists from
// objects.
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
		t, err = members.readForm(text, root, byteCharsets[label.charset])
	} else {
		t, err = members.readXML(text, root, label.encodingKnown)
	}
	switch {
	case err != nil:
		return Tree{}, err
	case t.kind == KindNull:
		return Tree{}, nil
	case t.kind == KindString && strings.TrimSpace(t.text) == "": // an empty element
		return Tree{kind: KindObject}, nil
	case t.kind != KindObject:
		return Tree{}, webhook.Invalid("the body must be an object")
	}
	return t, nil
}

// Label is what the headers say about a body.
type Label struct {
	mediaType     string
	charset       string // lower case
	encodingKnown bool   // and the body has been converted to UTF-8
}

// IsJSON reports whether the body is labelled as JSON.
func (l Label) IsJSON() bool { return bodyTypes[l.mediaType] }

// ReadText reads the body of a request as UTF-8, or a form as it is, without a byte
// order mark and without spaces around it. It returns nil if there is no body, whatever the
// headers say.
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
	text := body
	if label.mediaType != formType || byteCharsets[label.charset] == nil { // a form has escapes to be decoded first
		if text, label.encodingKnown, err = toUTF8(body, label.charset); err != nil {
			return nil, Label{}, err
		}
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return nil, label, nil
	}
	if label.mediaType == formType && (text[0] == '{' || text[0] == '[') {
		return nil, label, Unsupported("The body is JSON but its Content-Type is that of a form; send Content-Type: application/json")
	}
	return text, label, nil
}

// IsForm reports whether the headers label a body as a form.
func IsForm(h http.Header) bool {
	label, err := readLabel(h)
	return err == nil && label.mediaType == formType
}

// readLabel reads what the headers say about a body. Without a Content-Type it is
// JSON.
func readLabel(h http.Header) (Label, error) {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return Label{}, Unsupported("A body with a Content-Encoding is not supported; send it uncompressed")
	}
	text := h.Get("Content-Type")
	if strings.TrimSpace(text) == "" {
		return Label{mediaType: "application/json"}, nil
	}
	mediaType, params, err := parseMediaType(text)
	if err != nil {
		return Label{}, Unsupported("The Content-Type is malformed; send application/json")
	}
	if _, known := bodyTypes[mediaType]; !known {
		return Label{}, Unsupported("The Content-Type %s is not supported; send JSON with Content-Type: application/json", Shorten(mediaType))
	}
	return Label{mediaType: mediaType, charset: strings.ToLower(params["charset"])}, nil
}

// parseMediaType is mime.ParseMediaType, except that a parameter with an empty value,
// as in "application/json; charset=", counts as absent.
func parseMediaType(text string) (mediaType string, params map[string]string, err error) {
	if mediaType, params, err = mime.ParseMediaType(text); !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return mediaType, params, err
	}
	var stated []string
	for part := range strings.SplitSeq(text, ";") {
		if !strings.HasSuffix(strings.TrimSpace(part), "=") {
			stated = append(stated, part)
		}
	}
	return mime.ParseMediaType(strings.Join(stated, ";"))
}

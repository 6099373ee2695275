package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// MaskedSecret replaces a secret in every response except that to the call that set
// it. In a draft it keeps the stored value.
const MaskedSecret = "********"

const redacted = "[redacted]"

// Secret is a string that must not be shown: a signing secret, a password, the
// value of a secret header. It prints as "[redacted]" with all verbs of fmt, slog,
// JSON and text encoding. Only Reveal returns the string. The zero value is the
// empty secret.
//
// fmt does not call methods of unexported fields, so a struct that holds a Secret
// in an unexported field must never be printed.
type Secret struct{ text string }

// NewSecret wraps a string.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the string itself. Call it only to pass the string to its
// destination: a signature, a secret store, a request header.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == "" }

// Format prints "[redacted]" for every verb of fmt, with or without flags.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]". slog and encoding/json use it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// SecretDocument holds all secrets of a webhook, as one immutable version in the
// secret store.
type SecretDocument struct {
	// Current signs every attempt. Empty: the webhook is not signed.
	Current Secret
	// Previous also signs until PreviousUntil, so that the receiver has time to
	// change its own copy of the secret.
	Previous      Secret
	PreviousUntil time.Time
	// Headers holds the values of the webhook's secret headers by name, spelled as
	// given.
	Headers map[string]Secret
}

// previousAt returns the previous secret if it is still valid at now, else the empty
// secret.
func (d SecretDocument) previousAt(now time.Time) Secret {
	if now.Before(d.PreviousUntil) {
		return d.Previous
	}
	return Secret{}
}

// Header returns the value of a secret header, and whether the document has one.
// Names are equal if receivers cannot tell them apart.
func (d SecretDocument) Header(name string) (value Secret, ok bool) {
	if value, ok = d.Headers[name]; ok {
		return value, true
	}
	for have, value := range d.Headers {
		if sameHeader(have, name) {
			return value, true
		}
	}
	return Secret{}, false
}

// isZero reports whether the document is empty.
func (d SecretDocument) isZero() bool {
	return d.Current.IsZero() && d.Previous.IsZero() && len(d.Headers) == 0
}

// Size returns the approximate size of the document in memory, in bytes.
func (d SecretDocument) Size() int {
	const empty, header = 128, 96 // of the structures themselves
	n := empty + len(d.Current.text) + len(d.Previous.text)
	for name, value := range d.Headers {
		n += header + len(name) + len(value.text)
	}
	return n
}

// secretDocumentJSON is the stored form of a SecretDocument, in clear. Its member
// names are documented for operators, who may read them in Secrets Manager.
type secretDocumentJSON struct {
	Current       string            `json:"current,omitempty"`
	Previous      string            `json:"previous,omitempty"`
	PreviousUntil *time.Time        `json:"previousUntil,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
}

// EncodeSecretDocument returns the document's stored form: a JSON object with the
// members current, previous, previousUntil (RFC 3339, UTC) and headers. Equal
// documents have equal forms.
func EncodeSecretDocument(d SecretDocument) Secret {
	out := secretDocumentJSON{Current: d.Current.text, Previous: d.Previous.text}
	if !d.PreviousUntil.IsZero() {
		until := d.PreviousUntil.UTC()
		out.PreviousUntil = &until
	}
	if len(d.Headers) > 0 {
		out.Headers = make(map[string]string, len(d.Headers))
		for name, value := range d.Headers {
			out.Headers[name] = value.text
		}
	}
	text, err := json.Marshal(out)
	if err != nil { // strings and a time always marshal
		panic(err)
	}
	return Secret{text: string(text)}
}

// DecodeSecretDocument decodes what EncodeSecretDocument returned. Its error never
// quotes the input.
func DecodeSecretDocument(stored Secret) (SecretDocument, error) {
	var in secretDocumentJSON
	if err := json.Unmarshal([]byte(stored.text), &in); err != nil {
		return SecretDocument{}, fmt.Errorf("decode secret document: %w", ErrSecretUnavailable)
	}
	d := SecretDocument{Current: Secret{in.Current}, Previous: Secret{in.Previous}}
	if in.PreviousUntil != nil {
		d.PreviousUntil = *in.PreviousUntil
	}
	if len(in.Headers) > 0 {
		d.Headers = make(map[string]Secret, len(in.Headers))
		for name, value := range in.Headers {
			d.Headers[name] = Secret{value}
		}
	}
	return d, nil
}

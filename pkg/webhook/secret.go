package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// MaskedSecret stands for a secret that is set, in every answer but the one of
// the call that set it. Sent back on a save it keeps the stored value.
const MaskedSecret = "********"

const redacted = "[redacted]"

// Secret is a text that must not be seen: a signing secret, a password, a
// secret header value. Every way of printing it gives "[redacted]": all verbs
// of fmt, slog, JSON and text encoding. Reveal is the only way to the text.
// The zero value is the empty secret.
//
// fmt prints unexported fields of a struct without asking them, so a struct
// that holds a Secret in an unexported field must never be printed.
type Secret struct{ text string }

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text itself. Call it only where the text leaves for the
// place it is meant for: a signature, a secret store, a request header.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether the secret is the empty text.
func (s Secret) IsZero() bool { return s.text == "" }

// Format keeps the text out of every fmt verb, String and GoString included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText keeps the text out of encoders, slog's and encoding/json's among
// them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// SecretDocument is all that is secret about a webhook, kept together as one
// immutable version in the secret store.
type SecretDocument struct {
	// Current signs every attempt. Empty: the webhook is not signed.
	Current Secret
	// Previous signs too until PreviousUntil, so that a receiver may change
	// its own copy of the secret at leisure.
	Previous      Secret
	PreviousUntil time.Time
	// Headers holds the values of the webhook's secret headers by name, as
	// the name was given.
	Headers map[string]Secret
}

// previousAt returns the previous secret if it is still valid at now, else the
// empty secret.
func (d SecretDocument) previousAt(now time.Time) Secret {
	if now.Before(d.PreviousUntil) {
		return d.Previous
	}
	return Secret{}
}

// Header returns the value of a secret header, and whether there is one. Names
// are compared as receivers do, which cannot tell some of them apart.
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

// isZero reports whether the document holds nothing at all.
func (d SecretDocument) isZero() bool {
	return d.Current.IsZero() && d.Previous.IsZero() && len(d.Headers) == 0
}

// Size is about how many bytes the document takes in memory.
func (d SecretDocument) Size() int {
	const empty, header = 128, 96 // of the structures themselves
	n := empty + len(d.Current.text) + len(d.Previous.text)
	for name, value := range d.Headers {
		n += header + len(name) + len(value.text)
	}
	return n
}

// secretDocumentJSON is the stored form of a SecretDocument, in the clear. Its
// member names are part of what operators may read in Secrets Manager.
type secretDocumentJSON struct {
	Current       string            `json:"current,omitempty"`
	Previous      string            `json:"previous,omitempty"`
	PreviousUntil *time.Time        `json:"previousUntil,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
}

// EncodeSecretDocument gives the document's stored form: a JSON object with
// the members current, previous, previousUntil (RFC 3339, UTC) and headers.
// Equal documents give equal texts.
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

// DecodeSecretDocument reads what EncodeSecretDocument wrote. Its error never
// quotes the text.
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

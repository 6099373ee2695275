package source

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// schema is the version of the form in which sources are stored. It rises when a
// function of an older release would misread the new form.
const schema = 1

// Encode returns the stored form of a source: one JSON object. It refers to
// secrets and holds none.
func Encode(s Source) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Schema int
		Source
	}{schema, s})
	if err != nil {
		return nil, fmt.Errorf("encode source %s: %w", s.Name, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Decode reads what Encode wrote. The error wraps webhook.ErrNewer for a source
// stored by a newer release.
func Decode(stored []byte) (Source, error) {
	var in struct {
		Schema int
		Source
	}
	err := json.Unmarshal(stored, &in) // it continues after a wrong type
	if in.Schema > schema {
		return Source{}, fmt.Errorf("source of schema version %d: %w", in.Schema, webhook.ErrNewer)
	}
	if err != nil {
		return Source{}, fmt.Errorf("decode source: %w", err)
	}
	return in.Source, nil
}

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
		Relay *storedRelay
	}{schema, s, relayToStore(s.Relay)})
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
		Relay *storedRelay
	}
	err := json.Unmarshal(stored, &in) // it continues after a wrong type
	if in.Schema > schema {
		return Source{}, fmt.Errorf("source of schema version %d: %w", in.Schema, webhook.ErrNewer)
	}
	if err != nil {
		return Source{}, fmt.Errorf("decode source: %w", err)
	}
	in.Source.Relay = in.Relay.relay()
	return in.Source, nil
}

// storedRelay is the stored form of a Relay.
type storedRelay struct {
	Relay
	Secret webhook.StoredSecretRef
}

func relayToStore(r *Relay) *storedRelay {
	if r == nil {
		return nil
	}
	return &storedRelay{*r, r.Secret.Stored()}
}

func (s *storedRelay) relay() *Relay {
	if s == nil {
		return nil
	}
	s.Relay.Secret = s.Secret.Ref()
	return &s.Relay
}

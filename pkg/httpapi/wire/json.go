package wire

import (
	"bytes"
	"encoding/json"
)

// EncodeJSON returns the JSON of an answer: members in the order of their structs,
// non-ASCII text and <, >, & as they are.
func EncodeJSON(body any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

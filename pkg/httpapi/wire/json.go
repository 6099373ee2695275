package wire

import (
	"bytes"
	"encoding/json"
)

// EncodeJSON returns a response as JSON. Members are in the order of their
// structs; non-ASCII characters and <, >, & are not escaped.
func EncodeJSON(body any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

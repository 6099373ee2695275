package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// CheckObject returns nil if raw is exactly one JSON object that CheckText accepts,
// nested no deeper than MaxDepth. The error is a clause without a subject.
func CheckObject(raw []byte) error {
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("must be a JSON object")
	}
	if err := CheckText(raw); err != nil {
		return err
	}
	if nesting(raw) <= MaxDepth && json.Valid(raw) {
		return nil
	}
	// Find the fault.
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // 1e999 is valid JSON
	for depth := 0; ; {
		token, err := dec.Token()
		if err == io.EOF {
			if depth > 0 {
				return errors.New("must be valid JSON: unexpected end of input")
			}
			break
		}
		if err != nil {
			return fmt.Errorf("must be valid JSON: %w", err)
		}
		delim, ok := token.(json.Delim)
		switch {
		case ok && (delim == '{' || delim == '['):
			if depth++; depth > MaxDepth {
				return fmt.Errorf("is nested deeper than %d", MaxDepth)
			}
		case ok:
			depth--
		}
	}
	return errors.New("must be a single JSON object")
}

// nesting returns how deep objects and arrays are nested, in valid JSON.
func nesting(raw []byte) (deepest int) {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

package jsonscan

import (
	"encoding/json"
	"fmt"
)

// CheckValue returns nil if raw is exactly one JSON value of any kind that
// CheckText accepts, nested no deeper than MaxDepth. The error is a clause without a
// subject.
func CheckValue(raw []byte) error {
	if err := CheckText(raw); err != nil {
		return err
	}
	if nesting(raw) > MaxDepth {
		return fmt.Errorf("is nested deeper than %d", MaxDepth)
	}
	var value json.RawMessage
	if err := json.Unmarshal(raw, &value); err != nil {
		return fmt.Errorf("is not valid JSON: %w", err)
	}
	return nil
}

package webhook

import (
	"errors"
	"fmt"
)

// UnreadableError reports stored items that cannot be decoded. The list returned
// with it is complete except for them, so that a damaged item never hides the
// others. The zero UnreadableError is ready to collect items. It must not be used
// concurrently.
type UnreadableError struct {
	// Items holds the keys of the items, the first 100 of them.
	Items []string
	// Count is the number of items, at least len(Items). Zero: no error.
	Count int
	// Cause is why the first item cannot be decoded.
	Cause error
}

// maxUnreadable bounds the keys that an [UnreadableError] holds.
const maxUnreadable = 100

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%d stored items cannot be decoded, the first is %q: %v", e.Count, e.Items[0], e.Cause)
}

func (e *UnreadableError) Unwrap() error { return e.Cause }

// Add adds an item and why it cannot be decoded.
func (e *UnreadableError) Add(item string, cause error) {
	if e.Count == 0 {
		e.Cause = cause
	}
	if e.Count++; len(e.Items) < maxUnreadable {
		e.Items = append(e.Items, item)
	}
}

// Err returns the error, or nil if no item was added.
func (e *UnreadableError) Err() error {
	if e.Count == 0 {
		return nil
	}
	return e
}

// Readable splits the error of a list: it returns its unreadable items, or nil, and
// any other error.
func Readable(err error) (*UnreadableError, error) {
	var found *UnreadableError
	if errors.As(err, &found) {
		return found, nil
	}
	return nil, err
}

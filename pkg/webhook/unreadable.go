package webhook

import (
	"errors"
	"fmt"
)

// UnreadableError reports stored items that cannot be decoded. The list that is
// returned beside it is complete but for them, so that one damaged item never
// hides the others. The zero UnreadableError is ready to collect them. It must not
// be used concurrently.
type UnreadableError struct {
	// Items holds the keys of the items, the first 100 of them.
	Items []string
	// Count is how many there are, at least len(Items). Zero: no error.
	Count int
	// Cause says why the first one cannot be decoded.
	Cause error
}

// maxUnreadable bounds the keys that an [UnreadableError] holds.
const maxUnreadable = 100

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%d stored items cannot be read, the first is %q: %v", e.Count, e.Items[0], e.Cause)
}

func (e *UnreadableError) Unwrap() error { return e.Cause }

// Add counts an item.
func (e *UnreadableError) Add(item string, cause error) {
	if e.Count == 0 {
		e.Cause = cause
	}
	if e.Count++; len(e.Items) < maxUnreadable {
		e.Items = append(e.Items, item)
	}
}

// Err returns the error, or nil if every item was readable.
func (e *UnreadableError) Err() error {
	if e.Count == 0 {
		return nil
	}
	return e
}

// Readable returns what is left of a list's error once unreadable items are
// passed over, and these items, nil if there are none.
func Readable(err error) (*UnreadableError, error) {
	var found *UnreadableError
	if errors.As(err, &found) {
		return found, nil
	}
	return nil, err
}

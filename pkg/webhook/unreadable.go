package webhook

import (
	"errors"
	"fmt"
)

// UnreadableError reports stored items that cannot be decoded. The list that is
// returned beside it is complete but for them, so that one damaged item never
// hides the others.
type UnreadableError struct {
	// Items holds the keys of the items, the first 100 of them.
	Items []string
	// Count is how many there are, at least len(Items).
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

// Unreadable collects the items that a list leaves out. The zero value is ready
// to use. It must not be used concurrently.
type Unreadable struct{ found *UnreadableError }

// Add counts an item.
func (u *Unreadable) Add(item string, cause error) {
	if u.found == nil {
		u.found = &UnreadableError{Cause: cause}
	}
	if u.found.Count++; len(u.found.Items) < maxUnreadable {
		u.found.Items = append(u.found.Items, item)
	}
}

// Err returns an *UnreadableError, or nil if every item was readable.
func (u *Unreadable) Err() error {
	if u.found == nil {
		return nil
	}
	return u.found
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

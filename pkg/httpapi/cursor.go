package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// cursorVersion begins the content of every cursor. It changes when the meaning of
// the fields does.
const cursorVersion = 1

// errForeignCursor refuses a cursor that is damaged, of an older version, or of
// another list.
var errForeignCursor = webhook.Invalid("cursor must be one that this list returned; begin without a cursor")

// cursorContent is what a cursor holds.
type cursorContent struct {
	Version int
	// Scope is the start of a hash of the list that the cursor belongs to.
	Scope  []byte
	Fields []string
}

// encodeCursor returns an opaque cursor of a list, for its next page. kind names the
// list, and scope the tenant and whatever else its items belong to. fields say where
// the next page begins.
//
// A cursor carries no authority: the call that brings it is checked as any other.
func encodeCursor(kind, scope string, fields ...string) string {
	content, err := json.Marshal(cursorContent{cursorVersion, cursorScope(kind, scope), fields})
	if err != nil { // numbers and strings always marshal
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(content)
}

// decodeCursor returns the fields of a cursor that encodeCursor returned for the
// same list, n of them.
func decodeCursor(cursor, kind, scope string, n int) ([]string, error) {
	content, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, errForeignCursor
	}
	var c cursorContent
	if json.Unmarshal(content, &c) != nil || c.Version != cursorVersion || string(c.Scope) != string(cursorScope(kind, scope)) || len(c.Fields) != n {
		return nil, errForeignCursor
	}
	return c.Fields, nil
}

// cursorScope is a short hash: it detects mistakes and is not a protection.
func cursorScope(kind, scope string) []byte {
	sum := sha256.Sum256([]byte(kind + "\x00" + scope))
	return sum[:6]
}

// limit reads the query parameter limit, the most items of a page: from 1 to most.
func (c *call) limit(absent, most int) (int, error) {
	text := c.query("limit")
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n < 1 || int(n) > most {
		return 0, webhook.Invalid("limit must be an integer from 1 to %d", most)
	}
	return int(n), nil
}

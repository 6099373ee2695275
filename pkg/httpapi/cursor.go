package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// cursorVersion is the first byte of a cursor. It increases when the fields of any
// kind of cursor change, so that an older cursor is refused and never misread.
const cursorVersion = 1

const (
	cursorCheck = 8    // bytes of the hash that binds a cursor
	maxCursor   = 2048 // characters
)

var errForeignCursor error = &webhook.ValidationError{Faults: webhook.Faults{
	{Member: "cursor", Text: "cursor must be the Cursor of the previous page of the same list, unchanged"},
}}

// encodeCursor returns an opaque cursor of one kind of list: base64url of the version,
// a hash, and the fields, which the next call gets back. scope names the list's owner,
// as cursorScope returns it: the cursor works for no other kind and no other scope.
// It is not a secret and grants nothing, and a caller can forge one: the route checks the
// owner before it reads a cursor, and the handler checks the fields.
func encodeCursor(kind, scope string, fields ...string) string {
	stored, err := json.Marshal(fields)
	if err != nil { // strings always marshal
		panic(err)
	}
	raw := append([]byte{cursorVersion}, cursorHash(kind, scope, stored)...)
	return base64.RawURLEncoding.EncodeToString(append(raw, stored...))
}

// decodeCursor returns the fields of a cursor that encodeCursor made for this kind and
// scope, with exactly n fields. Otherwise (it is broken, from another version, another
// kind or another owner) the error is a *webhook.ValidationError.
func decodeCursor(kind, scope, cursor string, n int) ([]string, error) {
	if len(cursor) > maxCursor {
		return nil, errForeignCursor
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) <= 1+cursorCheck || raw[0] != cursorVersion {
		return nil, errForeignCursor
	}
	stored := raw[1+cursorCheck:]
	var fields []string
	if string(raw[1:1+cursorCheck]) != string(cursorHash(kind, scope, stored)) || json.Unmarshal(stored, &fields) != nil || len(fields) != n {
		return nil, errForeignCursor
	}
	return fields, nil
}

// cursorHash returns what binds a cursor's fields to its version, kind and scope.
func cursorHash(kind, scope string, stored []byte) []byte {
	bound, err := json.Marshal([]any{cursorVersion, kind, scope, stored})
	if err != nil { // strings and bytes always marshal
		panic(err)
	}
	sum := sha256.Sum256(bound)
	return sum[:cursorCheck]
}

// cursorScope returns the scope of lists of a tenant, or of one of its webhooks, as
// this caller sees them. The app is part of it: callers of several apps see different
// parts of a tenant.
func cursorScope(who webhook.Principal, id int32) string {
	scope, err := json.Marshal([]any{who.Tenant, who.App, id})
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return string(scope)
}

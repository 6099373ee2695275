package source

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

func skipped(why Reason) Outcome { return Outcome{Skip: why} }

const (
	maxKey  = 256 // characters
	keptKey = 200 // of a longer one
)

// keyOf returns the key that parts make: one canonical integer of 32 bits is a
// primary key, anything else the parts joined with "#". A key of more than 256
// characters is cut to 200, and "~" and 32 hex digits of the SHA-256 of the
// whole tell it from others.
func keyOf(parts []string) (primary int32, key string) {
	if len(parts) == 1 {
		if n, ok := canonicalInt32(parts[0]); ok {
			return n, ""
		}
	}
	key = strings.Join(parts, "#")
	if utf8.RuneCountInString(key) <= maxKey {
		return 0, key
	}
	sum := sha256.Sum256([]byte(key))
	return 0, string([]rune(key)[:keptKey]) + "~" + hex.EncodeToString(sum[:16])
}

// canonicalInt32 returns the integer of 32 bits that a string is, if it is
// written as Go prints one.
func canonicalInt32(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && strconv.FormatInt(n, 10) == s
}

// scalar returns a JSON string's characters or a number's digits, and whether the
// value is one of these.
func scalar(value json.RawMessage) (string, bool) {
	if len(value) == 0 {
		return "", false
	}
	switch c := value[0]; {
	case c == '"':
		var s string
		err := json.Unmarshal(value, &s)
		return s, err == nil
	case c == '-' || '0' <= c && c <= '9':
		return string(value), true
	}
	return "", false
}

// compact returns valid JSON without white space.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	return b.Bytes()
}

// appendMember appends a member to an open object.
func appendMember(b []byte, name string, value json.RawMessage) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(append(append(b, quote(name)...), ':'), value...)
}

// quote returns a JSON string that escapes only what JSON requires.
func quote(s string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil { // a string always encodes
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

package webhook

import (
	"slices"
	"strings"
)

// reservedHeaders must not be set by a webhook: they belong to the connection or
// to the service, or make Go's HTTP client send a POST twice.
var reservedHeaders = map[string]bool{
	"host": true, "content-length": true, "transfer-encoding": true, "connection": true, "keep-alive": true,
	"proxy-connection": true, "proxy-authenticate": true, "te": true, "trailer": true, "upgrade": true, "expect": true,
	"content-type": true, "content-encoding": true, "accept-encoding": true, "user-agent": true,
	"idempotency-key": true, "x-idempotency-key": true,
	"webhook-id": true, "webhook-timestamp": true, "webhook-signature": true, "x-hook-test": true,
}

// foldHeaderName returns the form in which header names are compared: lower
// case, with "-" for every byte that is not an ASCII letter or digit. CGI and
// WSGI pass headers to a program as variables such as HTTP_X_API_KEY, so a
// receiver cannot tell apart names that fold to the same string.
func foldHeaderName(name string) string {
	folded := make([]byte, len(name))
	for i := range len(name) {
		folded[i] = foldHeaderByte(name[i])
	}
	return string(folded)
}

// sameHeader reports whether two header names fold to the same string.
func sameHeader(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldHeaderByte(a[i]) != foldHeaderByte(b[i]) {
			return false
		}
	}
	return true
}

func foldHeaderByte(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return c
	}
	return '-'
}

// ReservedHeader reports whether a webhook must not set a header of this name
// because the service or the connection sets it.
func ReservedHeader(name string) bool {
	folded := foldHeaderName(name)
	return reservedHeaders[folded] || strings.HasPrefix(folded, "x-superoffice-") || strings.HasPrefix(folded, "x-posthaste-")
}

// secretParts mark a header as secret anywhere in its name; secretWords only as a
// whole word: X-Auth, but not X-Author.
var (
	secretParts = []string{"key", "token", "secret", "password"}
	secretWords = map[string]bool{
		"auth": true, "authorization": true, "pass": true, "pwd": true, "credential": true, "session": true,
		"jwt": true, "signature": true, "cookie": true,
	}
)

// SecretHeader reports whether the value of a header of this name is treated as
// a secret.
func SecretHeader(name string) bool {
	folded := foldHeaderName(name)
	for word := range strings.SplitSeq(folded, "-") {
		if secretWords[word] {
			return true
		}
	}
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(folded, part) })
}

// headerName reports whether the name is a token (RFC 9110 section 5.6.2) of at
// most 200 bytes.
func headerName(name string) bool {
	if name == "" || len(name) > 200 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// headerValue reports whether the value has no control characters except tabs.
func headerValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// superOffice returns the value of X-SuperOffice-Signature.
func superOffice(secret, body string) string { return mac([]byte(secret), body) }

// standard returns an entry of webhook-signature.
func standard(secret, id, timestamp, body string) string {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		key, _ = base64.StdEncoding.DecodeString(encoded)
	}
	return "v1," + mac(key, fmt.Sprintf("%s.%s.%s", id, timestamp, body))
}

func mac(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Signs reports whether a request has the signature that a receiver with this
// secret accepts.
func (r Request) Signs(secret string) bool {
	return r.Get("X-SuperOffice-Signature") == superOffice(secret, r.Body)
}

// Package signature computes and verifies the two signatures of a delivery:
// SuperOffice's X-SuperOffice-Signature and the v1 entries of Standard
// Webhooks' webhook-signature.
//
// It uses only the standard library, so receivers may import it. It refuses to
// know about HTTP, clocks or the storage of secrets: bytes, strings and times
// are arguments. Asymmetric signatures (v1a) are not supported.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// SuperOffice returns a body's X-SuperOffice-Signature: the padded standard
// base64 of its HMAC-SHA256, keyed with the UTF-8 bytes of the whole secret,
// even if the secret has Standard Webhooks' form (whsec_…).
func SuperOffice(secret string, body []byte) string {
	return base64.StdEncoding.EncodeToString(sum([]byte(secret), body))
}

// VerifySuperOffice reports, in constant time, whether signature is the body's
// signature with secret. The empty secret verifies nothing.
func VerifySuperOffice(secret string, body []byte, signature string) bool {
	return secret != "" && hmac.Equal([]byte(signature), []byte(SuperOffice(secret, body)))
}

func sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

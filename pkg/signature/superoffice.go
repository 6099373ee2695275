// Package signature computes and checks the two signatures that a delivery
// carries: SuperOffice's X-SuperOffice-Signature and the v1 entries of Standard
// Webhooks' webhook-signature.
//
// It uses the standard library alone, so receivers may import it. It refuses to
// know HTTP, clocks and where secrets are kept: bytes, texts and times are
// passed in. Asymmetric signatures (v1a) are not offered.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// SuperOffice signs a body as X-SuperOffice-Signature: the padded standard
// base64 of HMAC-SHA256 with the UTF-8 bytes of the whole secret as key. A
// secret in Standard Webhooks' form (whsec_…) is no exception.
func SuperOffice(secret string, body []byte) string {
	return base64.StdEncoding.EncodeToString(sum([]byte(secret), body))
}

// VerifySuperOffice reports, in constant time, whether a signature is the
// secret's for the body. The empty secret verifies nothing.
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

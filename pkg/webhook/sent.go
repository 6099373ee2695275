package webhook

import (
	"crypto/sha256"
	"encoding/base64"
)

// Sent identifies what an attempt sent, so that its request can be rebuilt and
// compared later. The zero Sent means that nothing is known.
type Sent struct {
	// Revision of the webhook that the attempt was made for.
	Revision int64 `json:",omitempty"`
	// Body is the BodyMark of the body. Empty: no request was built.
	Body string `json:",omitempty"`
	// Signer is the secret that made X-SuperOffice-Signature. SignerNone: the request
	// was not signed.
	Signer Signer `json:",omitempty"`
	// Both says that the other secret signed as well, in webhook-signature.
	Both bool `json:",omitempty"`
	// Replay says that the request was marked as a replay.
	Replay bool `json:",omitempty"`
}

// markBytes is how much of a body's SHA-256 a BodyMark has.
const markBytes = 8

// BodyMark returns the first 8 bytes of the SHA-256 of a body, in 11 characters of
// unpadded base64url.
func BodyMark(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:markBytes])
}

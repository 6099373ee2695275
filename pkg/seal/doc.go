// Package seal encrypts short secrets so that they can be stored where others can
// read them: AES-256-GCM under a key that HKDF-SHA256 derives, for each sealed text,
// from a root key and from the [Place] that the text belongs to. A sealed text that
// was changed, or that was moved to another place, does not open.
//
// A [Ring] holds the root keys by id. Each sealed text names its key, so a new key
// does not make older texts unreadable.
//
// The package uses crypto/hkdf and crypto/cipher and has no primitives of its own. It
// refuses to read or write anything: who keeps the ring, and where, is not its concern.
package seal

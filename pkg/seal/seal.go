package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Place is what a sealed text belongs to. It is not part of the sealed text: who
// opens the text states it.
type Place struct {
	// Kind says what is sealed and by whom, so that two uses of one ring never
	// open each other's texts.
	Kind   string
	Tenant string
	ID     int32
	// Version must be unique among the texts of the other members: only one text is
	// ever sealed with the key of a place.
	Version string
}

// ErrUnknownKey is returned for a text whose key is not in the ring. A newer ring may
// have it.
var ErrUnknownKey = errors.New("sealed with an unknown key")

// ErrTampered is returned for a text that was changed, or sealed for another place.
var ErrTampered = errors.New("sealed text is damaged or belongs elsewhere")

const (
	// format begins every sealed text, "<format>.<key id>.<nonce and ciphertext>", the
	// last in unpadded base64url.
	format  = "s1"
	keySize = 32
)

// encoding accepts one form of each text only.
var encoding = base64.RawURLEncoding.Strict()

// Seal encrypts a text for a place under the key with this id. It reads 12 bytes of
// random. Errors: ErrUnknownKey, and those of random.
func (r Ring) Seal(text []byte, at Place, keyID string, random io.Reader) (string, error) {
	root, ok := r.keys[keyID]
	if !ok {
		return "", ErrUnknownKey
	}
	box, err := root.box(at)
	if err != nil {
		return "", err
	}
	sealed := make([]byte, box.NonceSize(), box.NonceSize()+len(text)+box.Overhead())
	if _, err := io.ReadFull(random, sealed); err != nil {
		return "", fmt.Errorf("draw a nonce: %w", err)
	}
	sealed = box.Seal(sealed, sealed, text, at.bound(keyID))
	return format + "." + keyID + "." + encoding.EncodeToString(sealed), nil
}

// Open decrypts what Seal returned for the same place. Errors: ErrUnknownKey,
// ErrTampered. They never quote the text.
func (r Ring) Open(sealed string, at Place) ([]byte, error) {
	keyID, body, ok := split(sealed)
	if !ok {
		return nil, ErrTampered
	}
	root, known := r.keys[keyID]
	if !known {
		return nil, ErrUnknownKey
	}
	raw, err := encoding.DecodeString(body)
	if err != nil || strings.ContainsAny(body, "\r\n") { // which the decoder skips
		return nil, ErrTampered
	}
	box, err := root.box(at)
	if err != nil {
		return nil, err
	}
	if len(raw) < box.NonceSize() {
		return nil, ErrTampered
	}
	text, err := box.Open(nil, raw[:box.NonceSize()], raw[box.NonceSize():], at.bound(keyID))
	if err != nil {
		return nil, ErrTampered
	}
	return text, nil
}

// KeyOf returns the id of the key that a text was sealed with. It is empty for a text
// that Seal did not return.
func KeyOf(sealed string) string {
	keyID, _, _ := split(sealed)
	return keyID
}

func split(sealed string) (keyID, body string, ok bool) {
	rest, ok := strings.CutPrefix(sealed, format+".")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ".")
}

// box returns the cipher of a place.
func (k rootKey) box(at Place) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.secret, nil, string(at.bytes()), keySize)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return cipher.NewGCM(block)
}

// bound returns the additional data of a text: the place and the id of the key.
func (p Place) bound(keyID string) []byte { return appendText(p.bytes(), keyID) }

// bytes returns a form of the place that no other place has: each string follows its
// length.
func (p Place) bytes() []byte {
	b := make([]byte, 0, 96)
	b = appendText(b, "posthaste seal "+format)
	b = appendText(b, p.Kind)
	b = appendText(b, p.Tenant)
	b = binary.BigEndian.AppendUint32(b, uint32(p.ID)) //nolint:gosec // any number is fine as long as it is another
	return appendText(b, p.Version)
}

func appendText(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // texts in memory that are far shorter
	return append(b, text...)
}

package signature

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Reasons to reject a Standard Webhooks signature.
var (
	ErrKey       = errors.New("secret must be standard base64 after its prefix")
	ErrTimestamp = errors.New("timestamp must be in seconds and close to the current time")
	ErrMismatch  = errors.New("no signature matches")
)

const (
	keyPrefix = "whsec_"
	v1        = "v1,"
)

// Key returns a secret's key in Standard Webhooks: the decoded base64 after
// "whsec_", or the UTF-8 bytes of any other string. It returns ErrKey if the
// base64 is invalid or empty.
func Key(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, keyPrefix)
	if !ok {
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return nil, ErrKey // the cause would quote the secret's bytes
	}
	return key, nil
}

// Standard signs a message and returns the value of webhook-signature: a v1
// entry per non-empty secret, in the given order (new first), separated by
// spaces. at is the time of the attempt, truncated to seconds. It returns
// ErrKey if a secret cannot be a key.
func Standard(id string, at time.Time, body []byte, secrets ...string) (string, error) {
	var list strings.Builder
	seconds := strconv.FormatInt(at.Unix(), 10)
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		key, err := Key(secret)
		if err != nil {
			return "", fmt.Errorf("sign message %s: %w", id, err)
		}
		if list.Len() > 0 {
			list.WriteByte(' ')
		}
		list.WriteString(v1)
		list.WriteString(base64.StdEncoding.EncodeToString(sumStandard(key, id, seconds, body)))
	}
	return list.String(), nil
}

// VerifyStandard checks the three headers of a message against one secret. It
// returns ErrTimestamp if the timestamp differs from now by more than
// tolerance, ErrMismatch if no v1 entry of the list matches, and ErrKey if the
// secret cannot be a key. It skips entries of other versions and compares in
// constant time.
func VerifyStandard(secret, id, timestamp, list string, body []byte, now time.Time, tolerance time.Duration) error {
	if secret == "" {
		return ErrMismatch
	}
	key, err := Key(secret)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return ErrTimestamp
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return ErrTimestamp
	}
	want := []byte(base64.StdEncoding.EncodeToString(sumStandard(key, id, timestamp, body)))
	for entry := range strings.FieldsSeq(list) {
		if got, ok := strings.CutPrefix(entry, v1); ok && hmac.Equal([]byte(got), want) {
			return nil
		}
	}
	return ErrMismatch
}

func sumStandard(key []byte, id, seconds string, body []byte) []byte {
	return sum(key, []byte(id), []byte{'.'}, []byte(seconds), []byte{'.'}, body)
}

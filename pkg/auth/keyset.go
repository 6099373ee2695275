package auth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// signatures are the accepted signing algorithms: those with a public key.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
}

// parseKeys parses a JSON Web Key Set. It skips keys of unsupported types and
// algorithms, as RFC 7517 asks.
func parseKeys(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var named struct {
			Algorithm jose.SignatureAlgorithm `json:"alg"`
		}
		if err := json.Unmarshal(raw, &named); err != nil {
			return nil, err
		}
		if named.Algorithm != "" && !slices.Contains(signatures, named.Algorithm) {
			continue
		}
		var key jose.JSONWebKey
		err := json.Unmarshal(raw, &key)
		if errors.Is(err, jose.ErrUnsupportedKeyType) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// supported returns the supported ones of some algorithms.
func supported(algorithms []string) (names []string) {
	for _, name := range algorithms {
		if slices.Contains(signatures, jose.SignatureAlgorithm(name)) {
			names = append(names, name)
		}
	}
	return names
}

// signatureCheck verifies one token's signature with an issuer's keys. It records
// its result, because only the message of the verifier's error distinguishes a
// signature that no key matches from a wrong audience.
type signatureCheck struct {
	keys  []jose.JSONWebKey
	unfit bool // no key matches the signature
}

var _ oidc.KeySet = (*signatureCheck)(nil)

var errUnfit = errors.New("no key matches the signature")

// VerifySignature implements oidc.KeySet. Its caller has checked the token's
// algorithm.
func (c *signatureCheck) VerifySignature(_ context.Context, token string) (payload []byte, err error) {
	signed, err := jose.ParseSignedCompact(token, signatures)
	if err != nil {
		return nil, err
	}
	for _, s := range signed.Signatures { // the verifier refuses several
		for _, key := range c.keys {
			if s.Header.KeyID != "" && s.Header.KeyID != key.KeyID {
				continue
			}
			if payload, err := signed.Verify(key); err == nil {
				return payload, nil
			}
		}
	}
	c.unfit = true
	return nil, errUnfit
}

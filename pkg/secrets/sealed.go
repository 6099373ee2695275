package secrets

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// sealedPrefix begins the names of sealed secrets. Secrets Manager allows no colon in a
// name, so no Manager.Prefix begins with it.
const sealedPrefix = "sealed:webhooks/"

// sealedKind separates these documents from others that are sealed with the same ring.
const sealedKind = "webhooks"

// settled is how long a root key must have existed before it seals: until then a
// reader may not find it.
const settled = time.Minute

// Rings has the root keys.
type Rings interface {
	// ForReading returns a ring that has a key, or the newest that could be read.
	ForReading(ctx context.Context, keyID string) (seal.Ring, error)
	// ForWriting returns a ring that is not older than a minute, or the newest that
	// could be read.
	ForWriting(ctx context.Context) (seal.Ring, error)
}

// Sealed implements webhook.Secrets without storing anything: the reference contains
// the document, sealed for its tenant, webhook and version. A read makes no call once
// the ring is known. Set its fields before use and do not change them afterwards. Its
// methods may be called concurrently.
type Sealed struct {
	Rings Rings
	Now   func() time.Time
	// Random is the source of the random part of names, of version ids and of nonces.
	Random io.Reader
}

var _ webhook.Secrets = (*Sealed)(nil)

// Name implements webhook.Secrets.
func (s *Sealed) Name(tenant webhook.Tenant, id int32) (string, error) {
	random, err := s.draw(8)
	return fmt.Sprintf("%s%s/%d/%s", sealedPrefix, tenant, id, random), err
}

// Create implements webhook.Secrets.
func (s *Sealed) Create(ctx context.Context, name string, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	ref := webhook.SecretRef{Name: name, Signed: !doc.Current.IsZero()}
	var err error
	if ref.Version, err = s.draw(16); err != nil {
		return webhook.SecretRef{}, err
	}
	at, ok := place(ref)
	if !ok {
		return webhook.SecretRef{}, errors.New("seal secret: the name is not of a sealed secret")
	}
	ring, key, err := s.ring(ctx)
	if err != nil {
		return webhook.SecretRef{}, err
	}
	sealed, err := ring.Seal([]byte(webhook.EncodeSecretDocument(doc).Reveal()), at, key, s.Random)
	if err != nil {
		return webhook.SecretRef{}, fmt.Errorf("seal secret: %w", err)
	}
	ref.Sealed = webhook.Sealed(sealed)
	return ref, nil
}

// ring returns the root keys and the id of the one that seals now.
func (s *Sealed) ring(ctx context.Context) (seal.Ring, string, error) {
	ring, err := s.Rings.ForWriting(ctx)
	if err != nil {
		return seal.Ring{}, "", fmt.Errorf("seal secret: %w", err)
	}
	return ring, ring.Newest(s.Now().Add(-settled)), nil
}

// Read implements webhook.Secrets. It returns webhook.ErrSecretDamaged if any part of
// the reference was changed, and webhook.ErrSecretUnavailable while the root key is
// unknown.
func (s *Sealed) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	at, ok := place(ref)
	key := seal.KeyOf(string(ref.Sealed))
	if !ok || key == "" {
		return webhook.SecretDocument{}, fmt.Errorf("read sealed secret: %w", webhook.ErrSecretDamaged)
	}
	ring, err := s.Rings.ForReading(ctx, key)
	if err != nil {
		return webhook.SecretDocument{}, fmt.Errorf("read sealed secret: %w", err)
	}
	text, err := ring.Open(string(ref.Sealed), at)
	switch {
	case errors.Is(err, seal.ErrUnknownKey):
		return webhook.SecretDocument{}, fmt.Errorf("read sealed secret: unknown root key: %w", webhook.ErrSecretUnavailable)
	case err != nil:
		return webhook.SecretDocument{}, fmt.Errorf("read sealed secret: %w", webhook.ErrSecretDamaged)
	}
	return webhook.DecodeSecretDocument(webhook.NewSecret(string(text)))
}

// Put implements webhook.Secrets. The committed version is not looked at.
func (s *Sealed) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	if committed.Sealed == "" {
		return webhook.SecretRef{}, fmt.Errorf("seal secret: %w", webhook.ErrNotFound)
	}
	return s.Create(ctx, committed.Name, doc)
}

// Delete implements webhook.Secrets. The secret is gone once its references are.
func (s *Sealed) Delete(context.Context, string) error { return nil }

func (s *Sealed) draw(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.Random, b); err != nil {
		return "", fmt.Errorf("draw a secret's name or version: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// place returns what a reference is sealed for: the tenant and the id in its name, and
// its version.
func place(ref webhook.SecretRef) (seal.Place, bool) {
	rest, sealed := strings.CutPrefix(ref.Name, sealedPrefix)
	parts := strings.Split(rest, "/")
	if !sealed || len(parts) != 3 || parts[0] == "" || ref.Version == "" {
		return seal.Place{}, false
	}
	id, err := strconv.ParseInt(parts[1], 10, 32)
	if err != nil || strconv.Itoa(int(id)) != parts[1] {
		return seal.Place{}, false
	}
	return seal.Place{Kind: sealedKind, Tenant: parts[0], ID: int32(id), Version: ref.Version}, true
}

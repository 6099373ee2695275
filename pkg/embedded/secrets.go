package embedded

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Secrets is the secret store of a DB. It seals documents with the key in a file of
// its own.
type Secrets struct{ db *DB }

var _ webhook.Secrets = Secrets{}

// Secrets returns the secret store.
func (db *DB) Secrets() Secrets { return Secrets{db} }

// storedSecret is a secret with its versions, each sealed for its name and version.
type storedSecret struct {
	Versions          map[string]string
	Current, Previous string // labels AWSCURRENT and AWSPREVIOUS
}

func (s Secrets) draw(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.db.Random, b); err != nil {
		return "", fmt.Errorf("generate name: %w", err)
	}
	return hex.EncodeToString(b), nil
}

func (s Secrets) seal(name, version string, doc webhook.SecretDocument) (string, error) {
	text := []byte(webhook.EncodeSecretDocument(doc).Reveal())
	return s.db.ring.Seal(text, sealedAt(name, version), s.db.ring.Newest(s.db.Now()), keyRandom)
}

// Name implements webhook.Secrets.
func (s Secrets) Name(tenant webhook.Tenant, id int32) (string, error) {
	random, err := s.draw(8)
	return fmt.Sprintf("%s/%s/%d/%s", s.db.SecretPrefix, tenant, id, random), err
}

// Create implements webhook.Secrets.
func (s Secrets) Create(ctx context.Context, name string, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	version, err := s.draw(16)
	if err != nil {
		return webhook.SecretRef{}, err
	}
	sealed, err := s.seal(name, version, doc)
	if err != nil {
		return webhook.SecretRef{}, err
	}
	err = s.db.update(ctx, func(tx *bbolt.Tx) error {
		b := bucket(tx, "secrets")
		if b.Get([]byte(name)) != nil {
			return fmt.Errorf("secret %s: %w", name, webhook.ErrExists)
		}
		return save(b, []byte(name), storedSecret{
			Versions: map[string]string{version: sealed}, Current: version,
		})
	})
	if err != nil {
		return webhook.SecretRef{}, err
	}
	return webhook.SecretRef{Name: name, Version: version, Signed: !doc.Current.IsZero()}, nil
}

// Read implements webhook.Secrets. Documents are cached, since every POST reads
// one; that is safe because versions never change and only this process has the
// file open.
func (s Secrets) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	doc, deletions, known := s.db.documents.get(ref)
	if known {
		return doc, nil
	}
	doc, err := s.read(ctx, ref)
	if err == nil {
		s.db.documents.keep(ref, doc, deletions)
	}
	return doc, err
}

func (s Secrets) read(ctx context.Context, ref webhook.SecretRef) (doc webhook.SecretDocument, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		var stored storedSecret
		if _, err := load(bucket(tx, "secrets"), []byte(ref.Name), &stored); err != nil {
			return webhook.ErrSecretUnavailable
		}
		text, found := stored.Versions[ref.Version]
		if !found {
			return fmt.Errorf("version %s of secret %s: %w", ref.Version, ref.Name, webhook.ErrNotFound)
		}
		clear, err := s.db.ring.Open(text, sealedAt(ref.Name, ref.Version))
		if err != nil {
			return fmt.Errorf("version %s of secret %s: %w", ref.Version, ref.Name, webhook.ErrSecretDamaged)
		}
		doc, err = webhook.DecodeSecretDocument(webhook.NewSecret(string(clear)))
		return err
	})
	return doc, err
}

// Put implements webhook.Secrets.
func (s Secrets) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	version, err := s.draw(16)
	if err != nil {
		return webhook.SecretRef{}, err
	}
	sealed, err := s.seal(committed.Name, version, doc)
	if err != nil {
		return webhook.SecretRef{}, err
	}
	err = s.db.update(ctx, func(tx *bbolt.Tx) error {
		var stored storedSecret
		found, err := load(bucket(tx, "secrets"), []byte(committed.Name), &stored)
		if err != nil {
			return webhook.ErrUnavailable
		}
		if !found || stored.Versions[committed.Version] == "" {
			return fmt.Errorf("version %s of secret %s: %w", committed.Version, committed.Name, webhook.ErrNotFound)
		}
		stored.Versions[version] = sealed
		stored.Current, stored.Previous = version, committed.Version
		return save(bucket(tx, "secrets"), []byte(committed.Name), stored)
	})
	if err != nil {
		return webhook.SecretRef{}, err
	}
	return webhook.SecretRef{Name: committed.Name, Version: version, Signed: !doc.Current.IsZero()}, nil
}

// Delete implements webhook.Secrets.
func (s Secrets) Delete(ctx context.Context, name string) error {
	defer s.db.documents.forget() // even if the caller gives up, the deletion may still be committed
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		s.db.documents.forget()
		return bucket(tx, "secrets").Delete([]byte(name))
	})
}

// documents caches secret documents by version.
type documents struct {
	known *bytecache.Cache[webhook.SecretRef, webhook.SecretDocument] // by tenant

	mu        sync.Mutex
	deletions int // of secrets, begun or done
}

// maxDocumentBytes bounds the cache.
const maxDocumentBytes = 4 << 20

func newDocuments() *documents {
	return &documents{known: bytecache.New[webhook.SecretRef, webhook.SecretDocument](maxDocumentBytes)}
}

// documentOwner returns the part of a secret's name before the webhook's id and
// the random part: the tenant. See Secrets.Name.
func documentOwner(name string) string {
	for range 2 {
		name = name[:max(strings.LastIndexByte(name, '/'), 0)]
	}
	return name
}

func (d *documents) get(ref webhook.SecretRef) (doc webhook.SecretDocument, deletions int, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc, known = d.known.Get(documentOwner(ref.Name), ref)
	return doc, d.deletions, known
}

// keep caches a document unless a deletion began since it was read.
func (d *documents) keep(ref webhook.SecretRef, doc webhook.SecretDocument, deletions int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if deletions == d.deletions {
		d.known.Put(documentOwner(ref.Name), ref, doc, len(ref.Name)+len(ref.Version)+doc.Size())
	}
}

func (d *documents) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known.Clear()
	d.deletions++
}

// Labels returns the versions labeled AWSCURRENT and AWSPREVIOUS, for tests and
// debugging.
func (s Secrets) Labels(ctx context.Context, name string) (labels map[string]string, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		var stored storedSecret
		if _, err := load(bucket(tx, "secrets"), []byte(name), &stored); err != nil {
			return err
		}
		labels = map[string]string{"AWSCURRENT": stored.Current, "AWSPREVIOUS": stored.Previous}
		return nil
	})
	return labels, err
}

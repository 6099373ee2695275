package embedded_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const keptSecret = "whsec_kept-from-others"

// withSecret returns the folder of a closed store with one secret, and its reference.
func withSecret(t *testing.T) (string, webhook.SecretRef) {
	t.Helper()
	dir := t.TempDir()
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := db.Secrets().Create(t.Context(), "local/Default/1/ab", webhook.SecretDocument{Current: webhook.NewSecret(keptSecret)})
	if err == nil {
		ref, err = db.Secrets().Put(t.Context(), ref, webhook.SecretDocument{
			Current: webhook.NewSecret(keptSecret), Headers: map[string]webhook.Secret{"X-Token": webhook.NewSecret("token-" + keptSecret)},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, ref
}

func reopen(dir string) error {
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		return err
	}
	return db.Close()
}

func TestKey_TheDataFileAloneRevealsNoSecret(t *testing.T) {
	t.Parallel()
	dir, ref := withSecret(t)
	data, err := os.ReadFile(filepath.Join(dir, "posthaste.db"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte(keptSecret)) || bytes.Contains(data, key) || len(key) == 0 {
		t.Error("the data file contains a secret or the key")
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file that only its owner can read", info.Mode(), err)
	}
	doc, err := open(t, dir).Secrets().Read(t.Context(), ref)
	if err != nil || doc.Current.Reveal() != keptSecret || doc.Headers["X-Token"].Reveal() != "token-"+keptSecret {
		t.Errorf("read again: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("the folder has %v", left)
	}
}

// Whatever is wrong with the key is one line that says what to do, and nothing
// changes.
func TestKey_MissingOrWrongIsOneLineAndNoStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(key string) error
		want  string
	}{
		"missing":          {os.Remove, " is missing: "},
		"of another store": {func(key string) error { return os.WriteFile(key, otherKey(t), 0o600) }, " is not the key of the secrets in "},
		"damaged":          {func(key string) error { return os.WriteFile(key, []byte(`{"first":"`), 0o600) }, " is damaged; "},
		"empty":            {func(key string) error { return os.Truncate(key, 0) }, " is damaged; "},
		"readable":         {func(key string) error { return os.Chmod(key, 0o640) }, " may be read by others: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, ref := withSecret(t)
			key := filepath.Join(dir, "secrets.key")
			right, err := os.ReadFile(key)
			if err == nil {
				err = c.spoil(key)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				err := reopen(dir)
				if err == nil || !strings.HasPrefix(err.Error(), key+c.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), keptSecret) {
					t.Errorf("got %v", err)
				}
			}
			if err := os.RemoveAll(key); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(key, right, 0o600); err != nil {
				t.Fatal(err)
			}
			if doc, err := open(t, dir).Secrets().Read(t.Context(), ref); err != nil || doc.Current.Reveal() != keptSecret {
				t.Errorf("with the right key again: %v", err)
			}
		})
	}
}

func otherKey(t *testing.T) []byte {
	t.Helper()
	dir, _ := withSecret(t)
	key, err := os.ReadFile(filepath.Join(dir, "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A data file of a version that did not seal gets a key, and keeps its secrets.
func TestKey_SecretsInPlainTextAreSealed(t *testing.T) {
	t.Parallel()
	dir, ref := withSecret(t)
	db := open(t, dir)
	db.Unseal(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "secrets.key")); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	if doc, err := db.Secrets().Read(context.Background(), ref); err != nil || doc.Current.Reveal() != keptSecret {
		t.Errorf("got %v", err)
	}
	if stored := db.StoredSecrets(t); strings.Contains(stored, keptSecret) || !strings.Contains(stored, ref.Version) {
		t.Errorf("stored in plain text: %s", stored)
	}
}

package secrets_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/secrets/secretstest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestSealed_KeepsTheContract(t *testing.T) {
	t.Parallel()
	store, _ := newFleet().environment()
	secretstest.Run(t, secretstest.Harness{Secrets: store, Carried: true})
}

// both returns both stores, with a file in the place of Secrets Manager.
func both(t *testing.T, sealed bool) *secrets.Stores {
	t.Helper()
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, _ := newFleet().environment()
	return &secrets.Stores{Manager: db.Secrets(), Sealed: store, WriteSealed: sealed}
}

func TestStores_KeepTheContract(t *testing.T) {
	t.Parallel()
	for name, sealed := range map[string]bool{"manager": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secretstest.Run(t, secretstest.Harness{Secrets: both(t, sealed), Carried: sealed})
		})
	}
}

func TestStores_ReadBothAndWriteOne(t *testing.T) {
	t.Parallel()
	stores := both(t, false)
	doc := func(text string) webhook.SecretDocument {
		return webhook.SecretDocument{Current: webhook.NewSecret(text)}
	}
	create := func(text string) webhook.SecretRef {
		t.Helper()
		name, err := stores.Name("Cust1", 7)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := stores.Create(t.Context(), name, doc(text))
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	refs := map[bool]webhook.SecretRef{false: create("in the manager")}
	stores.WriteSealed = true
	refs[true] = create("sealed")
	if refs[false].Sealed != "" || refs[true].Sealed == "" {
		t.Errorf("got %+v", refs)
	}
	for _, stores.WriteSealed = range []bool{false, true} {
		for sealed, want := range map[bool]string{false: "in the manager", true: "sealed"} {
			if got, err := stores.Read(t.Context(), refs[sealed]); err != nil || got.Current.Reveal() != want {
				t.Errorf("got %q, %v, want %q", got.Current.Reveal(), err, want)
			}
			ref, err := stores.Put(t.Context(), refs[sealed], doc(want))
			if written := sealed == stores.WriteSealed; written != (err == nil) || !written && !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("Put of a secret %q while sealed ones are written is %t: %+v, %v", want, stores.WriteSealed, ref, err)
			}
		}
	}
}

// Whatever part of an item is changed, reading fails for good: it is neither the wrong
// document nor none.
func TestSealed_RefusesAReferenceThatWasChanged(t *testing.T) {
	t.Parallel()
	f := newFleet()
	store, root := f.environment()
	ref := f.create(t, store, "ea")
	if _, err := root.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(2 * time.Minute)
	newer := f.create(t, store, "newer")
	for name, change := range map[string]func(*webhook.SecretRef){
		"tenant":             func(r *webhook.SecretRef) { r.Name = strings.Replace(r.Name, "/Cust1/", "/Cust2/", 1) },
		"id":                 func(r *webhook.SecretRef) { r.Name = strings.Replace(r.Name, "/7/", "/8/", 1) },
		"id in another form": func(r *webhook.SecretRef) { r.Name = strings.Replace(r.Name, "/7/", "/07/", 1) },
		"no id":              func(r *webhook.SecretRef) { r.Name = strings.Replace(r.Name, "/7/", "/", 1) },
		"no prefix":          func(r *webhook.SecretRef) { r.Name = "stack/webhooks/Cust1/7/ab" },
		"version":            func(r *webhook.SecretRef) { r.Version = newer.Version },
		"no version":         func(r *webhook.SecretRef) { r.Version = "" },
		"ciphertext":         func(r *webhook.SecretRef) { r.Sealed = r.Sealed[:len(r.Sealed)-2] + "xx" },
		"of another version": func(r *webhook.SecretRef) { r.Sealed = newer.Sealed },
		"no ciphertext":      func(r *webhook.SecretRef) { r.Sealed = "" },
		"in clear":           func(r *webhook.SecretRef) { r.Sealed = `{"current":"ea"}` },
		"key id": func(r *webhook.SecretRef) {
			r.Sealed = webhook.Sealed(strings.Replace(string(r.Sealed), ".first.", "."+keyOf(newer)+".", 1))
		},
	} {
		changed := ref
		change(&changed)
		if doc, err := store.Read(t.Context(), changed); !errors.Is(err, webhook.ErrSecretDamaged) || !doc.Current.IsZero() {
			t.Errorf("%s: got %q, %v", name, doc.Current.Reveal(), err)
		}
	}
	reads(t, store, ref, "ea")
	reads(t, store, newer, "newer")
}

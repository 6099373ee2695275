// Package secretstest is the conformance suite of webhook.Secrets: every secret
// store must pass it. Each testable sentence of the contract is a subtest. It
// generates its own names, so it may run on a store that holds other secrets.
package secretstest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Harness is a secret store under test.
type Harness struct {
	Secrets webhook.Secrets
	// Labels returns the version of each label of a secret. nil means not
	// tested.
	Labels func(t *testing.T, name string) map[string]string
	// Strand leaves the label AWSCURRENT on a version that no webhook refers
	// to, like a Put whose caller died before it wrote its webhook. nil means a
	// Put whose result is discarded.
	Strand func(t *testing.T, committed webhook.SecretRef)
	// Carried says that references contain their documents, so that the store does not
	// know which secrets exist.
	Carried bool
}

func document(text string) webhook.SecretDocument {
	return webhook.SecretDocument{
		Current: webhook.NewSecret(text), Previous: webhook.NewSecret("old " + text),
		PreviousUntil: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Headers:       map[string]webhook.Secret{"Authorization": webhook.NewSecret("Bearer " + text + " ✓ <&>")},
	}
}

func newTenant(t *testing.T) webhook.Tenant {
	t.Helper()
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return webhook.Tenant("Suite" + hex.EncodeToString(b[:]))
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	create := func(t *testing.T, doc webhook.SecretDocument) webhook.SecretRef {
		t.Helper()
		name, err := h.Secrets.Name(newTenant(t), 7)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := h.Secrets.Create(t.Context(), name, doc)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Secrets.Delete(t.Context(), name) })
		return ref
	}
	holds := func(t *testing.T, ref webhook.SecretRef, want webhook.SecretDocument) {
		t.Helper()
		got, err := h.Secrets.Read(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(webhook.Secret{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("version %s (-want +got):\n%s", ref.Version, diff)
		}
	}

	t.Run("a name contains tenant and webhook, and is unique", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		first, err := h.Secrets.Name(tenant, 7)
		if err != nil {
			t.Fatal(err)
		}
		second, err := h.Secrets.Name(tenant, 7)
		if err != nil {
			t.Fatal(err)
		}
		if first == second {
			t.Errorf("Name returned %s twice", first)
		}
		parts := strings.Split(first, "/")
		n := len(parts)
		if n < 4 || parts[n-3] != string(tenant) || parts[n-2] != "7" || len(parts[n-1]) < 16 || strings.Contains(parts[n-1], "-") {
			t.Errorf("got %s, want <prefix>/%s/7/<random without hyphen>", first, tenant)
		}
	})
	t.Run("Read returns what Create stored", func(t *testing.T) {
		t.Parallel()
		for _, doc := range []webhook.SecretDocument{document("ea"), {Current: webhook.NewSecret("ea")}, {Headers: document("x").Headers}} {
			ref := create(t, doc)
			holds(t, ref, doc)
			if ref.Version == "" || ref.Signed == doc.Current.IsZero() {
				t.Errorf("got %+v", ref)
			}
		}
	})
	t.Run("Create of a taken name is ErrExists and changes nothing", func(t *testing.T) {
		t.Parallel()
		if h.Carried {
			t.Skip("the store keeps no names")
		}
		ref := create(t, document("one"))
		if _, err := h.Secrets.Create(t.Context(), ref.Name, document("two")); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("got %v", err)
		}
		holds(t, ref, document("one"))
	})
	t.Run("Put adds a version and does not change the committed one", func(t *testing.T) {
		t.Parallel()
		first := create(t, document("one"))
		second, err := h.Secrets.Put(t.Context(), first, document("two"))
		if err != nil {
			t.Fatal(err)
		}
		if second.Name != first.Name || second.Version == first.Version || !second.Signed {
			t.Errorf("got %+v after %+v", second, first)
		}
		holds(t, second, document("two"))
		holds(t, first, document("one"))
		if h.Labels != nil {
			want := map[string]string{"AWSCURRENT": second.Version, "AWSPREVIOUS": first.Version}
			if diff := cmp.Diff(want, h.Labels(t, first.Name)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		}
	})
	t.Run("Put after a crashed Put repairs the labels", func(t *testing.T) {
		t.Parallel()
		committed := create(t, document("one"))
		if h.Strand != nil {
			h.Strand(t, committed)
		} else if _, err := h.Secrets.Put(t.Context(), committed, document("lost")); err != nil {
			t.Fatal(err)
		}
		holds(t, committed, document("one"))
		third, err := h.Secrets.Put(t.Context(), committed, document("three"))
		if err != nil {
			t.Fatal(err)
		}
		holds(t, third, document("three"))
		holds(t, committed, document("one"))
		if h.Labels != nil {
			want := map[string]string{"AWSCURRENT": third.Version, "AWSPREVIOUS": committed.Version}
			if diff := cmp.Diff(want, h.Labels(t, third.Name)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		}
	})
	t.Run("two Puts at once are two versions", func(t *testing.T) {
		t.Parallel()
		committed := create(t, document("one"))
		var refs [2]webhook.SecretRef
		var errs [2]error
		var wg sync.WaitGroup
		for i, text := range []string{"a", "b"} {
			wg.Go(func() { refs[i], errs[i] = h.Secrets.Put(t.Context(), committed, document(text)) })
		}
		wg.Wait()
		for i, text := range []string{"a", "b"} {
			if errs[i] == nil {
				holds(t, refs[i], document(text))
			} else if !errors.Is(errs[i], webhook.ErrUnavailable) {
				t.Errorf("got %v", errs[i])
			}
		}
		holds(t, committed, document("one"))
	})
	t.Run("Delete removes all versions, and may be repeated", func(t *testing.T) {
		t.Parallel()
		ref := create(t, document("one"))
		for range 2 {
			if err := h.Secrets.Delete(t.Context(), ref.Name); err != nil {
				t.Errorf("got %v", err)
			}
		}
		if h.Carried {
			return
		}
		if _, err := h.Secrets.Put(t.Context(), ref, document("two")); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("Put: got %v, want ErrNotFound", err)
		}
	})
	t.Run("a missing secret is an error that does not contain the new one", func(t *testing.T) {
		t.Parallel()
		name, err := h.Secrets.Name(newTenant(t), 7)
		if err != nil {
			t.Fatal(err)
		}
		absent := webhook.SecretRef{Name: name, Version: "0123456789abcdef0123456789abcdef"}
		_, err = h.Secrets.Read(t.Context(), absent)
		if !errors.Is(err, webhook.ErrNotFound) && !errors.Is(err, webhook.ErrSecretUnavailable) {
			t.Errorf("Read: got %v", err)
		}
		_, err = h.Secrets.Put(t.Context(), absent, document("hush"))
		if !errors.Is(err, webhook.ErrNotFound) || strings.Contains(err.Error(), "hush") {
			t.Errorf("Put: got %v", err)
		}
		if err := h.Secrets.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete: got %v", err)
		}
	})
}

package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// asked is a secret store that counts reads.
type asked struct{ reads int }

func (a *asked) Read(context.Context, webhook.SecretRef) (webhook.SecretDocument, error) {
	a.reads++
	return webhook.SecretDocument{Current: webhook.NewSecret("ea")}, nil
}

// A reference that was copied from another webhook, with everything that belongs to it,
// is not read: the store alone could not tell.
func TestReadSecret_RefusesTheReferenceOfAnother(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{
		"stack/webhooks/Cust1/7/ab": true, "sealed:webhooks/Cust1/7/ab": true, "p/Cust1/7/ab": true,
		"stack/webhooks/Cust2/7/ab": false, "stack/webhooks/Cust1/8/ab": false, "stack/webhooks/Cust1/07/ab": false, "stack/Cust1/webhooks/7/ab": false,
		"stack/webhooks/Cust1/7/x/ab": false, "Cust1/7": false, "7/ab": false, "ab": false, "": false, "xCust1/7/ab": false,
	} {
		from := &asked{}
		ref := webhook.SecretRef{Name: name, Version: "v"}
		doc, err := webhook.ReadSecret(t.Context(), from, "Cust1", 7, ref)
		if own != (err == nil) || own != (from.reads == 1) || own != (ref.OwnSecret("Cust1", 7) == name) && name != "" {
			t.Errorf("%q: got %v after %d reads, own secret %q", name, err, from.reads, ref.OwnSecret("Cust1", 7))
		}
		if !own && (!errors.Is(err, webhook.ErrSecretDamaged) || !errors.Is(err, webhook.ErrSecretUnavailable) || !doc.Current.IsZero()) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestSealed_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	const sealed = "s1.first.bm9rZWw"
	ref := webhook.SecretRef{Name: "n", Version: "v", Signed: true, Sealed: sealed}
	w := webhook.Webhook{ID: 7, Secret: ref}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", ref, w)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "ref", ref, "sealed", ref.Sealed, "webhook", w)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "ref", ref, "sealed", ref.Sealed, "webhook", w)
	if err := json.NewEncoder(&out).Encode([]any{w, &w, ref, webhook.Change{}.Replaces(w)}); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{sealed, "bm9rZWw", fmt.Sprintf("%x", sealed)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("printed as %s in:\n%s", form, out.String())
		}
	}
	if replaced := (webhook.Change{}).Replaces(w); replaced.Webhook.Secret.Sealed != "" || replaced.Webhook.Secret != ref.Bare() {
		t.Errorf("the history has %#v", replaced.Webhook.Secret.Stored())
	}
	stored, err := json.Marshal(ref.Stored())
	var again webhook.StoredSecretRef
	if err == nil {
		err = json.Unmarshal(stored, &again)
	}
	if err != nil || again.Ref() != ref {
		t.Errorf("stored as %s, read as %+v, %v", stored, again, err)
	}
}

// The secret of a webhook whose reference was changed is lost: all of its secrets can
// be set again, and the secret that the reference names is left alone.
func TestRegistry_AForeignReferenceIsReplacedAndLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	victim, w := r.create(t, secret("theirs")), r.create(t, secret("mine"))
	damage := func() {
		t.Helper()
		stored, err := r.Webhooks.Get(t.Context(), w.Tenant, w.ID)
		if err != nil {
			t.Fatal(err)
		}
		stored.Secret = victim.Secret
		stored.Revision++
		if err := r.Webhooks.Update(t.Context(), stored, webhook.Change{}); err != nil {
			t.Fatal(err)
		}
	}
	damage()
	if _, err := r.Document(t.Context(), stored(t, r, w.ID)); !errors.Is(err, webhook.ErrSecretDamaged) {
		t.Errorf("got %v", err)
	}
	saved := r.mustSave(t, w.ID, secret("again"))
	if current, _, _ := r.texts(t, saved); current != "again" || saved.Secret.Name == victim.Secret.Name {
		t.Errorf("got %q in %s", current, saved.Secret.Name)
	}
	damage()
	if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
		t.Fatal(err)
	}
	if current, _, _ := r.texts(t, stored(t, r, victim.ID)); current != "theirs" {
		t.Errorf("the secret that the reference named is %q", current)
	}
}

func stored(t *testing.T, r *registry, id int32) webhook.Webhook {
	t.Helper()
	w, err := r.Webhooks.Get(t.Context(), "Default", id)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// moving is a secret store from which the secret is moved just before it is read.
type moving struct {
	webhook.Secrets
	move func()
}

func (m *moving) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	if move := m.move; move != nil {
		m.move = nil
		move()
	}
	return m.Secrets.Read(ctx, ref)
}

// A change that keeps the secret does not call it lost if a job moves it meanwhile.
func TestRegistry_AChangeFollowsASecretThatMoves(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r *registry, id int32) error{
		"save": func(r *registry, id int32) error {
			r.mustSave(t, id, secret("new"))
			return nil
		},
		"end of the overlap": func(r *registry, id int32) error { return r.EndOverlap(t.Context(), anna, id) },
	} {
		r := newRegistry(t)
		w := r.create(t, secret("first"))
		w = r.mustSave(t, w.ID, secret("second"))
		secrets := r.Secrets
		r.Secrets = &moving{secrets, func() {
			doc, err := secrets.Read(t.Context(), w.Secret)
			if err != nil {
				t.Fatal(err)
			}
			moved := stored(t, r, w.ID)
			if moved.Secret, err = secrets.Create(t.Context(), "local/Default/1/moved", doc); err != nil {
				t.Fatal(err)
			}
			moved.Revision++
			if err := r.Webhooks.Update(t.Context(), moved, webhook.Moving(r.clock.Now(), time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := secrets.Delete(t.Context(), w.Secret.Name); err != nil {
				t.Fatal(err)
			}
		}}
		if err := change(r, w.ID); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		if got := stored(t, r, w.ID).Secret.Name; got != "local/Default/1/moved" {
			t.Errorf("%s: the secret is in %s", name, got)
		}
	}
}

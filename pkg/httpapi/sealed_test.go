package httpapi_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// ring is a root secret that never changes.
type ring struct{ seal.Ring }

func (r ring) ForReading(context.Context, string) (seal.Ring, error) { return r.Ring, nil }
func (r ring) ForWriting(context.Context) (seal.Ring, error)         { return r.Ring, nil }

// sealing makes a server seal its secrets, and returns all that were ever sealed.
func sealing(t *testing.T, cfg *httpapi.Config) (sealed func() []string) {
	t.Helper()
	root, err := seal.NewRing(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	store := &recording{Sealed: &secrets.Sealed{Rings: ring{root}, Now: time.Now, Random: rand.Reader}}
	cfg.Registry.Secrets, cfg.Sources.Secrets = store, store
	return func() []string { return store.all }
}

// recording is a store that remembers what it sealed.
type recording struct {
	*secrets.Sealed
	all []string
}

func (r *recording) Create(ctx context.Context, name string, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	ref, err := r.Sealed.Create(ctx, name, doc)
	r.all = append(r.all, string(ref.Sealed))
	return ref, err
}

func (r *recording) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	ref, err := r.Sealed.Put(ctx, committed, doc)
	r.all = append(r.all, string(ref.Sealed))
	return ref, err
}

// No response and no log line contains a sealed secret, nor a part of one, whatever the
// route, and the history of a webhook does not either.
func TestSealed_IsInNoResponseAndNoLogLine(t *testing.T) {
	t.Parallel()
	for _, visible := range []bool{false, true} {
		var sealed func() []string
		s := crossed(t, func(c *httpapi.Config) {
			sealed = sealing(t, c)
			c.Auth, c.SecretVisible = scoped(webhook.ScopeWebhooks, webhook.ScopeEvents, webhook.ScopeAdmin), visible
		})
		header := []string{"Authorization: owner", "Content-Type: application/json"}
		if got := s.call("POST", "/admin/v1/Sources", relayCRM, header...); got.Code != http.StatusCreated {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
		for n := range 3 { // revisions for the history
			body := fmt.Sprintf(`{"Secret":"another-secret-%d","Name":"n%d"}`, n, n)
			if got := s.call("PATCH", fmt.Sprintf("/api/v1/Webhook/%d", owned), body, header...); got.Code != http.StatusOK {
				t.Fatalf("got %d %s", got.Code, got.Body)
			}
		}
		said := map[string]string{}
		answered := 0
		for _, last := range []bool{false, true} { // deletions come last
			for _, route := range httpapi.Routes() {
				if route.Scope == "" || last != (route.Method == http.MethodDelete) {
					continue
				}
				path, body := crossing(t, route, owned)
				got := s.call(route.Method, strings.Replace(path, "Cust12345", "Default", 1), body, header...)
				said[route.Method+" "+route.Pattern] = fmt.Sprint(got.Header(), got.Body)
				if got.Code < 300 {
					answered++
				}
			}
		}
		if answered < 20 || len(sealed()) < 5 {
			t.Errorf("%d calls succeeded, and %d documents were sealed", answered, len(sealed()))
		}
		said["log"] = s.log.String()
		for where, text := range said {
			for _, whole := range sealed() {
				if body := whole[strings.LastIndexByte(whole, '.')+1:]; strings.Contains(text, body[:20]) || strings.Contains(text, body[len(body)-20:]) {
					t.Errorf("%s has a sealed secret: %s", where, text)
				}
			}
		}
		page, err := s.db.Webhooks().History(t.Context(), "Default", owned, 0, 100)
		if err != nil || len(page) < 3 {
			t.Errorf("%d revisions, %v", len(page), err)
		}
		for _, r := range page {
			if r.Webhook.Secret.Sealed != "" || r.Webhook.Secret.Version == "" {
				t.Errorf("revision %d has the reference %#v", r.Webhook.Revision, r.Webhook.Secret.Stored())
			}
		}
	}
}

// A reference that was changed in the store makes saves and reads fail closed, and the
// secrets can be set again.
func TestSealed_AChangedItemIsRepairedByItsOwner(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { sealing(t, c); c.SecretVisible = true })
	s.call("POST", "/api/v1/Webhook", aWebhook("first"))
	s.call("POST", "/api/v1/Webhook", aWebhook("other"))
	w, other := s.webhooks()[0], s.webhooks()[1]
	w.Secret.Sealed, w.Secret.Version, w.Revision = other.Secret.Sealed, other.Secret.Version, w.Revision+1
	if err := s.db.Webhooks().Update(t.Context(), w, webhook.Change{}); err != nil {
		t.Fatal(err)
	}
	if got := s.call("GET", "/api/v1/Webhook/1", ""); got.Code != http.StatusOK || strings.Contains(got.Body.String(), "other") {
		t.Errorf("read: got %d %s", got.Code, got.Body)
	}
	if got := s.call("PATCH", "/api/v1/Webhook/1", `{"Headers":{"X-Api-Key":"new"}}`); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "must be set again") {
		t.Errorf("a save that keeps the secret: got %d %s", got.Code, got.Body)
	}
	if got := s.call("PATCH", "/api/v1/Webhook/1", `{"Secret":"set-again"}`); got.Code != http.StatusOK {
		t.Errorf("a save that sets it: got %d %s", got.Code, got.Body)
	}
	if got := s.call("GET", "/api/v1/Webhook/1", ""); !strings.Contains(got.Body.String(), "set-again") {
		t.Errorf("read again: got %d %s", got.Code, got.Body)
	}
}

package dispatch_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// oneRing is a root secret that never changes.
type oneRing struct{ ring seal.Ring }

func (r oneRing) ForReading(context.Context, string) (seal.Ring, error) { return r.ring, nil }
func (r oneRing) ForWriting(context.Context) (seal.Ring, error)         { return r.ring, nil }

// A webhook whose sealed secret was changed in the table, whatever part of it, gets no
// POST, signed or not: its delivery stays in the queue until the item is right again.
func TestTampered_DeliveriesWaitAndNoneIsUnsigned(t *testing.T) {
	t.Parallel()
	replace := func(text *string, old, with string) {
		changed := strings.Replace(*text, old, with, 1)
		if changed == *text {
			t.Errorf("%q does not contain %q", *text, old)
		}
		*text = changed
	}
	for name, tamper := range map[string]func(ref *webhook.SecretRef){
		"tenant":  func(ref *webhook.SecretRef) { replace(&ref.Name, "/Default/", "/Other/") },
		"id":      func(ref *webhook.SecretRef) { replace(&ref.Name, "/1/", "/2/") },
		"version": func(ref *webhook.SecretRef) { ref.Version = strings.Repeat("0", len(ref.Version)) },
		"ciphertext": func(ref *webhook.SecretRef) {
			last := ref.Sealed[len(ref.Sealed)-10]
			ref.Sealed = ref.Sealed[:len(ref.Sealed)-10] + webhook.Sealed(map[bool]string{true: "A", false: "B"}[last != 'A']) + ref.Sealed[len(ref.Sealed)-9:]
		},
		"key id":             func(ref *webhook.SecretRef) { replace((*string)(&ref.Sealed), ".first.", ".other.") },
		"removed ciphertext": func(ref *webhook.SecretRef) { ref.Sealed = "" },
		"of another webhook": func(ref *webhook.SecretRef) {
			ref.Name, ref.Version, ref.Sealed = "sealed:webhooks/Default/2/a", "v", "s1.first.AAAA"
		},
		"claims to be unsigned": func(ref *webhook.SecretRef) { ref.Signed, ref.Sealed = false, ref.Sealed[:len(ref.Sealed)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			ring, err := seal.NewRing(rand.Reader)
			s.must(err)
			store := &secrets.Stores{Manager: s.db.Secrets(), Sealed: &secrets.Sealed{Rings: oneRing{ring}, Now: s.clock.Now, Random: rand.Reader}, WriteSealed: true}
			s.Engine = dispatch.New(dispatch.Config{
				Webhooks: s.db.Webhooks(), Events: s.db.Events(), Statistics: s.db.Statistics(), Deliveries: s.db.Deliveries(), Secrets: store,
				Sender: target{s}, Messages: s.db.Queue(), Visibility: s.db.Queue(), DeadLetters: s.db.DeadLetters(), Notices: &s.notices,
				Logger: webhooktest.Logger(t), Now: s.clock.Now, Random: rand.Reader, Policy: webhook.PolicyDurable,
				EventLife: 30 * 24 * time.Hour, RowLife: 33 * 24 * time.Hour,
			})
			secret, err := store.Name(tenant, s.hook.ID)
			s.must(err)
			right, err := store.Create(t.Context(), secret, webhook.SecretDocument{Current: webhook.NewSecret("ea")})
			s.must(err)
			s.change(func(w *webhook.Webhook) { w.Secret = right })
			s.earn()
			s.posts = nil
			s.change(func(w *webhook.Webhook) { tamper(&w.Secret) })
			s.clock.Advance(time.Minute) // past what caches hold
			s.event = s.put("contact.changed")
			record := webhook.Record{Event: s.event, Accepted: s.clock.Now(), Sequence: "1"}
			if failed := s.Stream(t.Context(), []webhook.Record{record}); failed != "" {
				t.Errorf("the record failed at %q: one webhook holds up the stream", failed)
			}
			if s.consume(s.attempt(1, 1)) {
				t.Error("the message is done, and nothing was sent")
			}
			if len(s.posts) != 0 {
				t.Fatalf("got %d POSTs with the secret %q", len(s.posts), s.posts[0].Secrets.Current.Reveal())
			}
			s.change(func(w *webhook.Webhook) { w.Secret = right })
			s.clock.Advance(time.Minute)
			if !s.consume(s.attempt(1, 1)) || len(s.posts) != 1 || s.posts[0].Secrets.Current.Reveal() != "ea" {
				t.Errorf("with the right item again: %d POSTs", len(s.posts))
			}
		})
	}
}

package webhook_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func target(address string) func(*webhook.Draft) {
	return func(d *webhook.Draft) { d.TargetURL = address }
}

// withGuard makes the registry check hosts like a deployed one, and accept http.
func (r *registry) withGuard(t *testing.T) {
	t.Helper()
	guard, err := outbound.NewGuard(outbound.Config{AllowHTTP: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r.Rules = webhook.Rules{AllowHTTP: true, CheckHost: guard.CheckHost}
}

// wantMoved fails the test unless the error names exactly these headers as values to
// be set again.
func wantMoved(t *testing.T, err error, names ...string) {
	t.Helper()
	var invalid *webhook.ValidationError
	if !errors.As(err, &invalid) || len(invalid.Faults) != len(names) {
		t.Fatalf("got %v, want a fault for each of %v", err, names)
	}
	for i, name := range names {
		if !strings.Contains(invalid.Faults[i].Text, name+" must be set again") {
			t.Errorf("got fault %q, want %s must be set again", invalid.Faults[i].Text, name)
		}
	}
}

func TestRegistry_AMaskedHeaderValueStaysAtItsOrigin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from, to string
		moves    bool
	}{
		"the same target":                    {"https://example.com/a", "https://example.com/a", false},
		"another path and query":             {"https://example.com/a", "https://example.com/b?c=d", false},
		"the default port, added":            {"https://example.com/", "https://example.com:443/", false},
		"the default port, removed":          {"http://example.com:80/", "http://example.com/", false},
		"a port with a leading zero":         {"https://example.com:8443/", "https://example.com:08443/", false},
		"a host in upper case":               {"https://example.com/", "HTTPS://EXAMPLE.com/", false},
		"a final dot":                        {"https://example.com/", "https://example.com./", false},
		"an international name, in ASCII":    {"https://bücher.example/", "https://xn--bcher-kva.example/", false},
		"an international name, in capitals": {"https://bücher.example/", "https://BÜCHER.example/", false},
		"full-width letters":                 {"https://example.com/", "https://ｅｘａｍｐｌｅ.com/", false},
		"an IPv6 address, written out":       {"https://[2606:4700::1111]/", "https://[2606:4700:0:0:0:0:0:1111]/", false},
		"another host":                       {"https://example.com/", "https://example.org/", true},
		"a subdomain":                        {"https://example.com/", "https://a.example.com/", true},
		"a host that looks alike":            {"https://example.com/", "https://exаmple.com/", true}, // a Cyrillic a
		"another port":                       {"https://example.com/", "https://example.com:8443/", true},
		"the port of the other scheme":       {"http://example.com/", "http://example.com:443/", true},
		"https to http":                      {"https://example.com/", "http://example.com/", true},
		"http on the same port":              {"https://example.com/", "http://example.com:443/", true},
		"http to https":                      {"http://example.com/", "https://example.com/", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, state := range []func(*webhook.Draft){state(webhook.StateActive), state(webhook.StateStopped), state(webhook.StateTooManyErrors)} {
				r := newRegistry(t)
				r.withGuard(t)
				masked := []func(*webhook.Draft){
					target(test.to), secret(webhook.MaskedSecret), state,
					header("authorization", webhook.MaskedSecret), header("X-Plain", "p"), header("X-Api-Key", webhook.MaskedSecret),
				}
				w := r.create(t, target(test.from), secret("s"), state, header("Authorization", "Bearer 1"), header("X-Plain", "p"), header("X-Api-Key", "k"))
				r.pings = nil
				_, testErr := r.TestDraft(t.Context(), anna, w.ID, draft(masked...))
				_, saveErr := r.save(t, w.ID, masked...)
				if !test.moves {
					if saveErr != nil || testErr != nil {
						t.Errorf("save: %v, test: %v", saveErr, testErr)
					}
					continue
				}
				wantMoved(t, saveErr, "authorization", "X-Api-Key")
				wantMoved(t, testErr, "authorization", "X-Api-Key")
				if len(r.pings) != 0 {
					t.Errorf("%d pings were sent", len(r.pings))
				}
				if existing, err := r.Get(t.Context(), anna, w.ID); err != nil || existing.Revision != w.Revision {
					t.Errorf("got revision %d, %v; want nothing saved", existing.Revision, err)
				}
			}
		})
	}
}

// A value that a change of the target dropped cannot be restored by a second change.
func TestRegistry_ADroppedHeaderValueDoesNotFollowInASecondStep(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s"), header("Authorization", "Bearer 1"), header("X-Api-Key", "k"))
	elsewhere := target("https://example.org/")
	both := []func(*webhook.Draft){header("Authorization", webhook.MaskedSecret), header("X-Api-Key", webhook.MaskedSecret)}

	_, err := r.save(t, w.ID, elsewhere, header("Authorization", "Bearer 2"), both[1])
	wantMoved(t, err, "X-Api-Key")
	w = r.mustSave(t, w.ID, elsewhere, header("Authorization", "Bearer 2"))
	if _, _, headers := r.texts(t, w); len(headers) != 1 || headers["Authorization"] != "Bearer 2" {
		t.Errorf("got headers %v, want only the one that was set", headers)
	}
	_, saveErr := r.save(t, w.ID, append(both, elsewhere)...)
	_, testErr := r.TestDraft(t.Context(), anna, w.ID, draft(append(both, elsewhere)...))
	for _, err := range []error{saveErr, testErr} {
		if err == nil || !strings.Contains(err.Error(), "X-Api-Key") || !strings.Contains(err.Error(), "there is no stored secret to keep") {
			t.Errorf("a dropped value: got %v, want a fault", err)
		}
	}
	// A value set for the new origin is not sent to the old one.
	_, err = r.save(t, w.ID, both[0])
	wantMoved(t, err, "Authorization")
	r.mustSave(t, w.ID, elsewhere, both[0])
	for _, p := range r.pings {
		for name, value := range p.Secrets.Headers {
			if sent := value.Reveal(); strings.Contains(p.Webhook.TargetURL, "example.org") != (sent == "Bearer 2") {
				t.Errorf("the value %s of %s was sent to %s", sent, name, p.Webhook.TargetURL)
			}
		}
	}
	if !slices.ContainsFunc(r.pings, func(p webhook.Post) bool { return p.Webhook.TargetURL == "https://example.org/" }) {
		t.Error("the new target was never pinged")
	}
}

// The signing secret is never sent, so it is kept when the target changes.
func TestRegistry_TheSigningSecretMayMove(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s"))
	w = r.mustSave(t, w.ID, target("https://example.org/"), secret(webhook.MaskedSecret))
	if current, _, _ := r.texts(t, w); current != "s" {
		t.Errorf("got secret %q, want s", current)
	}
}

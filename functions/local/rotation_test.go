package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	secretBefore = "Something Super Secret" // what create sets
	secretAfter  = "Something New"
	refusal      = http.StatusForbidden
)

// keyholder is a target that accepts only POSTs whose X-SuperOffice-Signature is
// made with the one secret it knows.
type keyholder struct {
	url string

	mu     sync.Mutex
	secret string
	strays int // how many of the next POSTs are refused whatever their signature
	posts  int
	signed map[string]int // POSTs by secret
}

func newKeyholder(t *testing.T, secret string) *keyholder {
	k := &keyholder{secret: secret, signed: map[string]int{}}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	k.url = server.URL
	return k
}

func (k *keyholder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.posts++
	for _, secret := range []string{secretBefore, secretAfter} {
		if signature.VerifySuperOffice(secret, body, r.Header.Get("X-SuperOffice-Signature")) {
			k.signed[secret]++
		}
	}
	k.strays--
	if k.strays >= 0 || !signature.VerifySuperOffice(k.secret, body, r.Header.Get("X-SuperOffice-Signature")) {
		w.WriteHeader(refusal)
	}
}

func (k *keyholder) learns(secret string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secret = secret
}

func (k *keyholder) refuses(next int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.strays = next
}

func (k *keyholder) counted() (posts int, signed map[string]int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.posts, map[string]int{secretBefore: k.signed[secretBefore], secretAfter: k.signed[secretAfter]}
}

func (s *started) rotate(id int32) {
	s.t.Helper()
	status, _, answer := s.call("PATCH", fmt.Sprintf("/api/v1/Webhook/%d", id), `[{"op":"replace","path":"/Secret","value":"`+secretAfter+`"}]`)
	if status != 200 {
		s.t.Fatalf("rotate: got %d %s", status, answer)
	}
}

// burst signals n events as fast as possible and returns their deliveries' keys.
func (s *started) burst(id int32, n int) (keys []delivery.Key) {
	s.t.Helper()
	for range n {
		keys = append(keys, delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()})
	}
	return keys
}

// delivered waits until all of the deliveries have ended, and fails unless each was
// delivered within the given number of attempts.
func (s *started) delivered(keys []delivery.Key, attempts int) {
	s.t.Helper()
	for _, key := range keys {
		row := s.row(key, func(d delivery.Row) bool { return d.Status != delivery.StatusPending })
		if row.Status != delivery.StatusDelivered || row.AttemptCount > attempts {
			s.t.Fatalf("%s is %s after %d attempts, want Delivered within %d", key.Event, row.Status, row.AttemptCount, attempts)
		}
	}
}

// unharmed waits until the webhook's health counts every POST its target received,
// and checks that it counts exactly these failures and that the webhook is active.
func (s *started) unharmed(id int32, k *keyholder, failures int32) {
	s.t.Helper()
	posts, _ := k.counted()
	var h webhook.Health
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		changed := s.service.db.Changed()
		found, err := s.service.db.Webhooks().Health(s.t.Context(), "Default", []int32{id})
		if err != nil {
			s.t.Fatal(err)
		}
		if h = found[id]; int(h.TotalCalls) >= posts {
			break
		}
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		}
	}
	if int(h.TotalCalls) != posts || h.TotalErrors != failures || h.ConsecutiveErrors != 0 || h.Breaker != (webhook.Breaker{}) || !h.FastTimeout.IsZero() {
		s.t.Errorf("health is %+v; want %d calls, %d errors, none in a row and a closed breaker", h, posts, failures)
	}
	w, err := s.service.db.Webhooks().Get(s.t.Context(), "Default", id)
	if err != nil || w.State != webhook.StateActive {
		s.t.Errorf("the webhook is %v (%v)", w.State, err)
	}
}

// In whatever order the API and a receiver change their secrets, no event is lost,
// no attempt fails during the overlap, and no webhook is disabled.
func TestLocal_RotationLosesNothing(t *testing.T) {
	t.Parallel()
	const burst = 30
	for _, policy := range []string{"durable", "superoffice"} {
		for name, run := range map[string]func(s *started, k *keyholder, id int32){
			"the API first, the receiver under load": func(s *started, k *keyholder, id int32) {
				s.rotate(id)
				keys := s.burst(id, burst)
				k.learns(secretAfter)
				s.delivered(append(keys, s.burst(id, burst)...), 1)
				s.unharmed(id, k, 0)
			},
			"the API under load": func(s *started, k *keyholder, id int32) {
				keys := s.burst(id, burst)
				s.rotate(id)
				s.delivered(append(keys, s.burst(id, burst)...), 1)
				s.unharmed(id, k, 0)
			},
			"the receiver stays on the old secret": func(s *started, k *keyholder, id int32) {
				s.rotate(id)
				s.delivered(s.burst(id, burst), 1)
				s.unharmed(id, k, 0) // its health is stored now
				before, _ := k.counted()
				s.delivered(s.burst(id, burst), 1)
				if after, _ := k.counted(); after-before != burst {
					s.t.Errorf("got %d POSTs for %d events, want one each, signed with the secret accepted last", after-before, burst)
				}
			},
			"the receiver first": func(s *started, k *keyholder, id int32) {
				k.learns(secretAfter)
				key := s.burst(id, 1)
				s.row(key[0], func(d delivery.Row) bool { return d.AttemptCount == 1 })
				s.rotate(id)
				s.delivered(append(key, s.burst(id, burst)...), 2)
				s.unharmed(id, k, 1) // refused before the webhook had two secrets
			},
			"a stray refusal at a receiver that has switched": func(s *started, k *keyholder, id int32) {
				s.rotate(id)
				k.learns(secretAfter)
				s.delivered(s.burst(id, burst), 1)
				k.refuses(1)
				// Refused once by chance, then again with the old secret: a failed
				// attempt. The next attempt succeeds.
				s.delivered(s.burst(id, 1), 2)
				s.delivered(s.burst(id, burst), 1)
				s.unharmed(id, k, 1)
			},
		} {
			t.Run(policy+" "+name, func(t *testing.T) {
				t.Parallel()
				s := start(t, t.TempDir(), map[string]string{"DELIVERY_POLICY": policy})
				k := newKeyholder(t, secretBefore)
				run(s, k, s.create(k.url))
			})
		}
	}
}

// A revoked secret signs nothing, neither the first POST nor the second one of an
// attempt.
func TestLocal_ARevokedSecretNeverSigns(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	k := newKeyholder(t, secretBefore)
	id := s.create(k.url)
	s.rotate(id)
	s.delivered(s.burst(id, 3), 1) // the old secret is what it accepted last
	if status, _, answer := s.call("DELETE", fmt.Sprintf("/api/v1/Webhook/%d/PreviousSecret", id), ""); status != 204 {
		t.Fatalf("end of the overlap: got %d %s", status, answer)
	}
	_, before := k.counted()
	keys := s.burst(id, 3)
	for _, key := range keys {
		s.row(key, func(d delivery.Row) bool { return d.AttemptCount > 0 })
	}
	posts, after := k.counted()
	if after[secretBefore] != before[secretBefore] || after[secretAfter] < before[secretAfter]+len(keys) {
		t.Errorf("%d POSTs; by secret, %v before the old one was revoked and %v in total", posts, before, after)
	}
}

// The target check accepts either secret, so that the API and the receiver need not
// change theirs at the same moment.
func TestLocal_RotationWithATargetCheck(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), map[string]string{"TARGET_CHECK": "require"})
	k := newKeyholder(t, secretBefore)
	id := s.create(k.url)
	s.rotate(id)
	if posts, signed := k.counted(); posts != 3 || signed[secretAfter] != 1 || signed[secretBefore] != 2 {
		t.Errorf("got %d pings, %v; want one for the creation and two for the rotation", posts, signed)
	}
	k.learns("neither of the two")
	status, _, answer := s.call("PATCH", fmt.Sprintf("/api/v1/Webhook/%d", id), `[{"op":"replace","path":"/Secret","value":"a third"}]`)
	if status != 400 || !strings.Contains(string(answer), "TargetUrl responded to the test event with 403") {
		t.Errorf("with two refusals: got %d %s", status, answer)
	}
}

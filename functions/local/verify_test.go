package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// official returns the official library's verifier for a secret. A secret without
// the prefix whsec_ is used as the key itself.
func official(t *testing.T, secret string) *standardwebhooks.Webhook {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhookRaw([]byte(secret))
	if strings.HasPrefix(secret, "whsec_") {
		verifier, err = standardwebhooks.NewWebhook(secret)
	}
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// received waits until a target has n POSTs.
func received(t *testing.T, s *started, target *webhooktest.Receiver, n int) []webhooktest.Request {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		changed := s.service.db.Changed() // before looking, so that nothing is missed
		if got := target.Requests(); len(got) >= n {
			return got
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // a POST is seen before it is recorded
		case <-deadline:
			t.Fatalf("the target got %d POSTs, want %d", len(target.Requests()), n)
		}
	}
}

func TestLocal_OfficialVerifierAcceptsARetry(t *testing.T) {
	t.Parallel()
	target := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 503}, webhooktest.Answer{})
	s := start(t, t.TempDir(), map[string]string{"DELIVERY_POLICY": "superoffice"})
	s.create(target.URL)
	event := s.signal()
	posts := received(t, s, target, 2)
	seconds := make([]int, len(posts))
	for i, post := range posts {
		if err := official(t, "Something Super Secret").Verify(post.Body, post.Header); err != nil {
			t.Errorf("attempt %d: %v", i+1, err)
		}
		if err := official(t, "another").Verify(post.Body, post.Header); err == nil {
			t.Errorf("attempt %d verifies with another secret", i+1)
		}
		if got := post.Header.Get("Webhook-Id"); got != string(event) {
			t.Errorf("attempt %d: webhook-id is %q, want the event's id %q", i+1, got, event)
		}
		seconds[i], _ = strconv.Atoi(post.Header.Get("Webhook-Timestamp"))
	}
	if seconds[1] <= seconds[0] {
		t.Errorf("webhook-timestamp went from %d to %d, want the later time of the second attempt", seconds[0], seconds[1])
	}
}

func TestLocal_OfficialVerifierAcceptsBothSecretsDuringARotation(t *testing.T) {
	t.Parallel()
	const older, newer = "Something Super Secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	target := webhooktest.NewReceiver(t)
	s := start(t, t.TempDir(), nil)
	s.create(target.URL)
	status, _, answer := s.call(http.MethodPut, "/api/v1/Webhook/1", `{"Events":["contact.*"],"TargetUrl":"`+target.URL+`","Secret":"`+newer+`"}`)
	if status != http.StatusOK {
		t.Fatalf("rotate: got %d %s", status, answer)
	}
	s.signal()
	post := received(t, s, target, 1)[0]
	for _, secret := range []string{older, newer} {
		if err := official(t, secret).Verify(post.Body, post.Header); err != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if err := official(t, "another").Verify(post.Body, post.Header); err == nil {
		t.Error("the POST verifies with a secret the webhook never had")
	}
}

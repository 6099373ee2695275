package outbound_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const newSecret, oldSecret = "the new secret", "the old secret"

// rotating is the secret document of a webhook during a rotation.
func rotating() webhook.SecretDocument {
	return webhook.SecretDocument{
		Current: webhook.NewSecret(newSecret), Previous: webhook.NewSecret(oldSecret), PreviousUntil: time.Now().Add(time.Hour),
	}
}

// keyholder is a target that reports which secret signed each POST, and whose
// responses a test chooses.
func keyholder(t *testing.T, answer func(post int, secret string, w http.ResponseWriter, r *http.Request)) (url string, got func() []string) {
	t.Helper()
	var (
		mu   sync.Mutex
		seen []string
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		secret, text := "neither", ""
		for name, key := range map[string]string{"new": newSecret, "old": oldSecret} {
			if signature.VerifySuperOffice(key, body, r.Header.Get("X-SuperOffice-Signature")) {
				secret = name
			}
		}
		both, _ := signature.Standard(r.Header.Get("webhook-id"), at, body, newSecret, oldSecret)
		if strings.Count(r.Header.Get("webhook-signature"), "v1,") == strings.Count(both, "v1,") {
			text = " and both"
		}
		if retry := r.Header.Get("X-SuperOffice-Retry"); retry != "" {
			text += " retry " + retry
		}
		mu.Lock()
		seen = append(seen, secret+text)
		post := len(seen)
		mu.Unlock()
		answer(post, secret, w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

func accepts(which string, refusal int) func(int, string, http.ResponseWriter, *http.Request) {
	return func(_ int, secret string, w http.ResponseWriter, _ *http.Request) {
		if secret != which {
			w.WriteHeader(refusal)
		}
	}
}

func inTurn(codes ...int) func(int, string, http.ResponseWriter, *http.Request) {
	return func(post int, _ string, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(codes[min(post, len(codes))-1])
	}
}

// Decision 0.11: two refusals are a failure, one is not.
func TestSend_Rotation(t *testing.T) {
	t.Parallel()
	const current, previous = webhook.SignerCurrent, webhook.SignerPrevious
	for _, c := range []struct {
		name   string
		answer func(int, string, http.ResponseWriter, *http.Request)
		change func(*webhook.Post)
		posts  []string
		want   webhook.Result
	}{
		{name: "the new secret is known", answer: accepts("new", 401), posts: []string{"new and both"}, want: webhook.Result{StatusCode: 200, Signer: current}},
		{name: "only the old one, 400", answer: accepts("old", 400), posts: []string{"new and both", "old and both"}, want: webhook.Result{StatusCode: 200, Repeats: 1, Signer: previous}},
		{name: "only the old one, 401", answer: accepts("old", 401), posts: []string{"new and both", "old and both"}, want: webhook.Result{StatusCode: 200, Repeats: 1, Signer: previous}},
		{name: "only the old one, 403", answer: accepts("old", 403), posts: []string{"new and both", "old and both"}, want: webhook.Result{StatusCode: 200, Repeats: 1, Signer: previous}},
		{
			name: "the old one was accepted last", answer: accepts("old", 401), change: func(p *webhook.Post) { p.First = previous },
			posts: []string{"old and both"}, want: webhook.Result{StatusCode: 200, Signer: previous},
		},
		{
			name: "the old one was accepted last, and the target has switched", answer: accepts("new", 401), change: func(p *webhook.Post) { p.First = previous },
			posts: []string{"old and both", "new and both"}, want: webhook.Result{StatusCode: 200, Repeats: 1, Signer: current},
		},
		{name: "a stray 403", answer: inTurn(403, 204), posts: []string{"new and both", "old and both"}, want: webhook.Result{StatusCode: 204, Repeats: 1, Signer: previous}},
		{
			name: "neither is known: the second response counts", answer: inTurn(401, 403),
			posts: []string{"new and both", "old and both"}, want: webhook.Result{StatusCode: 403, Error: failure.Status, Repeats: 1},
		},
		{
			name: "a target that fails otherwise has not refused", answer: inTurn(401, 503),
			posts: []string{"new and both", "old and both"}, want: webhook.Result{StatusCode: 503, Error: failure.Status, Repeats: 1, Signer: previous},
		},
		{name: "another failure is not a refusal", answer: inTurn(404), posts: []string{"new and both"}, want: webhook.Result{StatusCode: 404, Error: failure.Status}},
		{
			name: "the schedule's attempts are counted, not POSTs", answer: accepts("old", 401), change: func(p *webhook.Post) { p.Retry = 2 },
			posts: []string{"new and both retry 2", "old and both retry 2"}, want: webhook.Result{StatusCode: 200, Repeats: 1, Signer: previous},
		},
		{
			name: "after the overlap there is one secret", answer: accepts("old", 401),
			change: func(p *webhook.Post) { p.Secrets.PreviousUntil, p.First = time.Now(), previous },
			posts:  []string{"new"}, want: webhook.Result{StatusCode: 401, Error: failure.Status},
		},
		{
			name: "a webhook that has changed gets no second POST with its old state", answer: accepts("old", 401),
			change: func(p *webhook.Post) { p.Unchanged = func(context.Context) bool { return false } },
			posts:  []string{"new and both"}, want: webhook.Result{StatusCode: 401, Error: failure.Status, Signer: previous, Undecided: true},
		},
		{
			name: "a second POST that is cut short leaves it undecided", answer: func(post int, _ string, w http.ResponseWriter, r *http.Request) {
				if post == 1 {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				<-r.Context().Done()
			},
			change: func(p *webhook.Post) { p.Timeout = 2 * time.Second },
			posts:  []string{"new and both", "old and both"}, want: webhook.Result{Error: failure.Timeout, Repeats: 1, Signer: previous, Undecided: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, posts := keyholder(t, c.answer)
			post := webhook.Post{Webhook: hook(url), Event: event, Secrets: rotating()}
			if c.change != nil {
				c.change(&post)
			}
			got := sender(t, func(c *outbound.Config) { c.Now = time.Now }).Send(t.Context(), post)
			sent := got.Sent
			got.At, got.Duration, got.Response, got.Excerpt, got.Sent = time.Time{}, 0, "", "", webhook.Sent{}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			// Sent is that of the last POST.
			last := map[webhook.Signer]string{webhook.SignerCurrent: "new", webhook.SignerPrevious: "old"}[sent.Signer]
			if sent.Both {
				last += " and both"
			}
			if got := c.posts[len(c.posts)-1]; !strings.HasPrefix(got, last) || strings.Contains(got, "both") != sent.Both {
				t.Errorf("Sent is %+v, and the last POST %q", sent, got)
			}
			if diff := cmp.Diff(c.posts, posts()); diff != "" {
				t.Errorf("POSTs (-want +got):\n%s", diff)
			}
		})
	}
}

// The first response takes all but 400 ms of the attempt.
func TestSend_RotationWithoutTimeForASecondPost(t *testing.T) {
	t.Parallel()
	var late atomic.Int64
	url, posts := keyholder(t, func(_ int, _ string, w http.ResponseWriter, _ *http.Request) {
		late.Store(int64(webhook.DefaultAttemptTimeout - 400*time.Millisecond))
		w.WriteHeader(http.StatusUnauthorized)
	})
	now := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	got := sender(t, func(c *outbound.Config) { c.Now = now }).Send(t.Context(), webhook.Post{Webhook: hook(url), Event: event, Secrets: rotating()})
	if n := len(posts()); n != 1 || !got.Undecided || got.Signer != webhook.SignerPrevious || got.StatusCode != 401 {
		t.Errorf("got %d POSTs and %+v; want one POST and an undecided result", n, got)
	}
}

// The clock passes the end of the overlap between the two POSTs: the revoked
// secret must not sign, and the remaining one was refused.
func TestSend_RotationThatEndsBetweenTwoPosts(t *testing.T) {
	t.Parallel()
	for first, want := range map[webhook.Signer]webhook.Result{
		webhook.SignerCurrent:  {StatusCode: 401, Error: failure.Status},
		webhook.SignerPrevious: {StatusCode: 401, Error: failure.Status, Repeats: 1},
	} {
		t.Run(string(first), func(t *testing.T) {
			t.Parallel()
			var late atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
			url, posts := keyholder(t, func(_ int, _ string, w http.ResponseWriter, _ *http.Request) {
				late.Store(int64(10 * time.Second))
				w.WriteHeader(http.StatusUnauthorized)
			})
			post := webhook.Post{Webhook: hook(url), Event: event, Secrets: rotating(), First: first}
			post.Secrets.PreviousUntil = time.Now().Add(10 * time.Second)
			got := sender(t, func(c *outbound.Config) { c.Now = now }).Send(t.Context(), post)
			got.At, got.Duration, got.Response, got.Excerpt, got.Sent = time.Time{}, 0, "", "", webhook.Sent{}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			for i, p := range posts() {
				if i > 0 && p != "new" {
					t.Errorf("POST %d is signed with %s", i+1, p)
				}
			}
		})
	}
}

// An attempt that its caller ends says nothing about the target, whether the
// caller is canceled or reaches its own deadline.
func TestSend_AnAttemptCutByItsCallerIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, secrets := range map[string]webhook.SecretDocument{"one secret": {}, "a rotation": rotating()} {
		for _, end := range []string{"cancelled", "deadline"} {
			t.Run(name+" "+end, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if end == "deadline" {
					ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
					defer cancel()
				}
				url, _ := keyholder(t, func(_ int, _ string, _ http.ResponseWriter, r *http.Request) {
					if end == "cancelled" {
						cancel()
					}
					<-r.Context().Done()
				})
				got := sender(t, func(c *outbound.Config) { c.Now = time.Now }).Send(ctx, webhook.Post{Webhook: hook(url), Event: event, Secrets: secrets})
				if !got.Interrupted || got.StatusCode != 0 || got.Error == failure.None {
					t.Errorf("got %+v, want it interrupted", got)
				}
			})
		}
	}
}

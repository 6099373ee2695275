package outbound_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var signatures = regexp.MustCompile(`(?m)^(X-SuperOffice-Signature: |webhook-signature:).*$`)

// masked masks the secrets of a request that a target received.
func masked(request string) string {
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	head = signatures.ReplaceAllStringFunc(strings.ReplaceAll(head, "\r\n", "\n"), func(line string) string {
		if entries := strings.Count(line, " v1,"); entries > 0 {
			return "webhook-signature:" + strings.Repeat(" v1,********", entries)
		}
		return "X-SuperOffice-Signature: ********"
	})
	return strings.ReplaceAll(head, "the key", "********") + "\n\n" + body
}

// printed prints a rebuilt request as a target receives it.
func printed(r delivery.Request) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), "/")
	lines := []string{"POST /" + path + " HTTP/1.1"}
	for _, h := range r.Headers {
		lines = append(lines, h.Name+": "+h.Value)
	}
	return strings.Join(lines, "\n") + "\n\n" + string(r.Body)
}

// What is rebuilt from what a row keeps is what the target received.
func TestRebuild_IsWhatWasSent(t *testing.T) {
	t.Parallel()
	one, two := webhook.NewSecret("the current secret"), webhook.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	for name, c := range map[string]struct {
		change func(*webhook.Post)
		want   webhook.Sent // without Body
	}{
		"unsigned": {func(*webhook.Post) {}, webhook.Sent{}},
		"signed": {
			func(p *webhook.Post) { p.Secrets.Current = one },
			webhook.Sent{Signer: webhook.SignerCurrent},
		},
		"during a rotation": {
			func(p *webhook.Post) {
				p.Secrets.Current, p.Secrets.Previous, p.Secrets.PreviousUntil = one, two, at.Add(time.Hour)
			},
			webhook.Sent{Signer: webhook.SignerCurrent, Both: true},
		},
		"with the previous secret first": {
			func(p *webhook.Post) {
				p.Secrets.Current, p.Secrets.Previous, p.Secrets.PreviousUntil = one, two, at.Add(time.Hour)
				p.First = webhook.SignerPrevious
			},
			webhook.Sent{Signer: webhook.SignerPrevious, Both: true},
		},
		"after the overlap": {
			func(p *webhook.Post) {
				p.Secrets.Current, p.Secrets.Previous, p.Secrets.PreviousUntil = one, two, at
				p.First = webhook.SignerPrevious
			},
			webhook.Sent{Signer: webhook.SignerCurrent},
		},
		"a retry of a replay": {
			func(p *webhook.Post) { p.Retry, p.Replay = 3, true },
			webhook.Sent{Replay: true},
		},
		"of every kind of header, in another format": {
			func(p *webhook.Post) {
				p.Webhook.Headers = []webhook.Header{{Name: "X-Api-Key", Secret: true}, {Name: "X-Source", Value: "crm"}, {Name: "user-agent", Value: "ours wins"}}
				p.Webhook.Options.Format = webhook.FormatCloudEvents
				p.Secrets.Headers = map[string]webhook.Secret{"X-Api-Key": webhook.NewSecret("the key")}
				p.Event.Hops = 2
			},
			webhook.Sent{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, got := target(t, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
			post := webhook.Post{Webhook: hook(url), Event: event}
			c.change(&post)
			post.Webhook.Secret.Signed = !post.Secrets.Current.IsZero()
			s := sender(t, nil)
			result := s.Send(t.Context(), post)
			received := <-got
			_, body, _ := strings.Cut(received, "\r\n\r\n")
			c.want.Body = webhook.BodyMark([]byte(body))
			if diff := cmp.Diff(c.want, result.Sent); diff != "" {
				t.Errorf("Sent (-want +got):\n%s", diff)
			}
			stored := webhook.Post{Webhook: post.Webhook, Event: post.Event, Retry: post.Retry}
			rebuilt, err := s.Rebuild(stored, result.Sent, result.At)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(masked(received), printed(rebuilt)); diff != "" {
				t.Errorf("(-sent +rebuilt):\n%s", diff)
			}
			if rebuilt.URL != post.Webhook.TargetURL {
				t.Errorf("the URL is %s, want %s", rebuilt.URL, post.Webhook.TargetURL)
			}
		})
	}
}

// A request can be shown although it could not be made: nothing is sent.
func TestRebuild_NeedsNoSecretAndNoTarget(t *testing.T) {
	t.Parallel()
	strict := sender(t, func(c *outbound.Config) { c.AllowHTTP, c.AllowPrivate = false, false })
	post := webhook.Post{Webhook: hook("http://127.0.0.1:1/in"), Event: event}
	post.Webhook.Secret.Signed = true
	post.Webhook.Headers = []webhook.Header{{Name: "X-Api-Key", Secret: true}}
	if r := strict.Send(t.Context(), post); r.Error != failure.Blocked || r.Sent != (webhook.Sent{}) {
		t.Errorf("got %v and %+v", r.Error, r.Sent)
	}
	rebuilt, err := strict.Rebuild(post, webhook.Sent{}, at)
	if err != nil || rebuilt.URL != "http://127.0.0.1:1/in" || rebuilt.Headers[0].Value != "127.0.0.1:1" {
		t.Errorf("got %+v, %v", rebuilt, err)
	}
	if text := printed(rebuilt); !strings.Contains(text, "X-Api-Key: ********") || strings.Contains(text, "ignature") {
		t.Errorf("got %s", text)
	}
	post.Event.Data = []byte("[")
	if _, err := strict.Rebuild(post, webhook.Sent{}, at); err == nil {
		t.Error("an event that is not JSON has a request")
	}
}

package outbound

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// ours are the headers that no webhook may set, in lower case, beside those
// with one of our prefixes: the service's own, the connection's, and those that
// make net/http send a POST again.
var ours = map[string]bool{
	"content-type": true, "content-length": true, "content-encoding": true, "transfer-encoding": true,
	"user-agent": true, "host": true, "connection": true, "keep-alive": true, "proxy-connection": true,
	"te": true, "trailer": true, "upgrade": true, "expect": true, "accept-encoding": true,
	"webhook-id": true, "webhook-timestamp": true, "webhook-signature": true, "x-hook-test": true,
	"idempotency-key": true, "x-idempotency-key": true,
}

func isOurs(name string) bool {
	lower := strings.ToLower(name)
	return ours[lower] || strings.HasPrefix(lower, "x-superoffice-") || strings.HasPrefix(lower, "x-posthaste-")
}

// headers builds the headers of a post, assigned directly so that they go out
// spelled as documented: some receivers' maps know one spelling only. It also
// returns every text that must not come back in an excerpt.
//
// ErrSecretUnavailable if a secret is missing that the webhook has, ErrKey if
// the signing secret cannot be used.
func (s *Sender) headers(post webhook.Post, body []byte, now time.Time) (http.Header, *scrubber, error) {
	h := make(http.Header, 12+len(post.Webhook.Headers))
	scrub := &scrubber{}
	for _, custom := range post.Webhook.Headers {
		value := custom.Value
		if custom.Secret {
			secret, ok := secretHeader(post.Secrets, custom.Name)
			if !ok {
				return nil, nil, fmt.Errorf("header %s: %w", custom.Name, webhook.ErrSecretUnavailable)
			}
			value = secret.Reveal()
		}
		if !isOurs(custom.Name) {
			h[custom.Name] = []string{value}
		}
		scrub.header(value, custom.Secret)
	}
	event := post.Event.Name
	if post.Test {
		event = webhook.TestEventName
		h["X-Hook-Test"] = []string{"true"}
	}
	id := string(post.Event.ID)
	h["Content-Type"] = []string{contentType(post.Webhook.Options.Format)}
	h["User-Agent"] = []string{s.config.UserAgent}
	h["X-SuperOffice-Event"] = []string{event}
	h["X-SuperOffice-EventId"] = []string{id}
	h["webhook-id"] = []string{id}
	h["webhook-timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	if post.Retry > 0 {
		h["X-SuperOffice-Retry"] = []string{strconv.Itoa(post.Retry)}
	}
	if post.Replay {
		h["X-Posthaste-Replay"] = []string{"true"}
	}
	if post.Event.Hops > 0 {
		h["X-Posthaste-Hops"] = []string{strconv.Itoa(post.Event.Hops)}
	}
	return h, scrub, sign(h, scrub, post, body, now)
}

func sign(h http.Header, scrub *scrubber, post webhook.Post, body []byte, now time.Time) error {
	current, previous := post.Secrets.Current, post.Secrets.PreviousAt(now)
	scrub.secret(current.Reveal())
	scrub.secret(post.Secrets.Previous.Reveal())
	if current.IsZero() {
		if post.Webhook.Secret.Signed {
			return fmt.Errorf("sign: %w", webhook.ErrSecretUnavailable)
		}
		return nil
	}
	only := current // the SuperOffice header has room for one
	if post.SignWithPrevious && !previous.IsZero() {
		only = previous
	}
	superOffice := signature.SuperOffice(only.Reveal(), body)
	standard, err := signature.Standard(string(post.Event.ID), now, body, current.Reveal(), previous.Reveal())
	if err != nil {
		return err
	}
	h["X-SuperOffice-Signature"] = []string{superOffice}
	h["webhook-signature"] = []string{standard}
	scrub.secret(superOffice)
	for entry := range strings.FieldsSeq(standard) {
		scrub.secret(strings.TrimPrefix(entry, "v1,"))
	}
	return nil
}

// secretHeader finds the value of a secret header without regard to case.
func secretHeader(doc webhook.SecretDocument, name string) (webhook.Secret, bool) {
	if value, ok := doc.Headers[name]; ok {
		return value, true
	}
	for have, value := range doc.Headers {
		if strings.EqualFold(have, name) {
			return value, true
		}
	}
	return webhook.Secret{}, false
}

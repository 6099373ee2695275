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

// maxOurs is the most headers that the sender itself adds to a post.
const maxOurs = 12

// headers collects a post's headers. It assigns to the map directly to keep the
// documented spelling, since some receivers know only one. All values share one
// backing array.
type headers struct {
	header http.Header
	values []string
}

func newHeaders(n int) *headers {
	return &headers{header: make(http.Header, n), values: make([]string, 0, n)}
}

func (h *headers) set(name, value string) {
	h.values = append(h.values, value)
	n := len(h.values)
	h.header[name] = h.values[n-1 : n : n]
}

// headers builds the headers of a post, and a scrubber for everything that must
// not come back in an excerpt.
//
// It returns ErrSecretUnavailable if one of the webhook's secrets is missing,
// and ErrKey if the signing secret is unusable.
func (s *Sender) headers(post webhook.Post, body []byte, now time.Time) (http.Header, *scrubber, error) {
	h := newHeaders(maxOurs + len(post.Webhook.Headers))
	scrub := &scrubber{}
	for _, custom := range post.Webhook.Headers {
		value := custom.Value
		if custom.Secret {
			secret, ok := post.Secrets.Header(custom.Name)
			if !ok {
				return nil, nil, fmt.Errorf("header %s: %w", custom.Name, webhook.ErrSecretUnavailable)
			}
			value = secret.Reveal()
		}
		if !webhook.ReservedHeader(custom.Name) {
			h.set(custom.Name, value)
		}
		scrub.header(value, custom.Secret)
	}
	if post.Test {
		h.set("X-Hook-Test", "true")
	}
	id := post.Event.PublicID()
	h.set("Content-Type", contentType(post.Webhook.Options.Format))
	h.set("User-Agent", s.config.UserAgent)
	h.set("X-SuperOffice-Event", post.Event.Name)
	h.set("X-SuperOffice-EventId", id)
	h.set("webhook-id", id)
	h.set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	if post.Retry > 0 {
		h.set("X-SuperOffice-Retry", strconv.Itoa(post.Retry))
	}
	if post.Replay {
		h.set("X-Posthaste-Replay", "true")
	}
	if post.Event.Hops > 0 {
		h.set("X-Posthaste-Hops", strconv.Itoa(post.Event.Hops))
	}
	return h.header, scrub, sign(h, scrub, post, body, now)
}

func sign(h *headers, scrub *scrubber, post webhook.Post, body []byte, now time.Time) error {
	first, second := post.Secrets.InOrder(post.First, now)
	scrub.secret(post.Secrets.Current.Reveal())
	scrub.secret(post.Secrets.Previous.Reveal())
	if first.IsZero() {
		if post.Webhook.Secret.Signed {
			return fmt.Errorf("sign: %w", webhook.ErrSecretUnavailable)
		}
		return nil
	}
	superOffice := signature.SuperOffice(first.Reveal(), body) // this header holds one signature
	standard, err := signature.Standard(post.Event.PublicID(), now, body, first.Reveal(), second.Reveal())
	if err != nil {
		return err
	}
	h.set("X-SuperOffice-Signature", superOffice)
	h.set("webhook-signature", standard)
	scrub.signature(superOffice)
	for entry := range strings.FieldsSeq(standard) {
		scrub.signature(strings.TrimPrefix(entry, "v1,"))
	}
	return nil
}

package dispatch_test

import (
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestStream_ShareOfAWebhook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		known, alone bool
		takes        time.Duration // a response
		posts        int
	}{
		{"without health, nothing", false, true, 0, 0},
		{"with health and no other webhook, everything", true, true, time.Second, 40},
		{"with health and another webhook, everything that starts within a second", true, false, 0, 40},
		{"with health and another webhook, 32 of a target that takes longer", true, false, time.Second, 32},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if tt.known {
				s.earn()
			}
			if !tt.alone {
				s.create(webhook.Webhook{ID: 2, Events: []string{"sale.sold"}})
			}
			var first sync.Once // no response comes before the first one
			s.answer = func(webhook.Post) webhook.Result {
				first.Do(func() { s.clock.Advance(tt.takes) })
				return webhook.Result{StatusCode: 200}
			}
			batch := s.records(40)
			s.clock.Advance(time.Millisecond)
			if !tt.alone {
				batch = append(batch, webhook.Record{Event: s.put("sale.sold"), Accepted: s.clock.Now(), Sequence: "41"})
			}
			s.Stream(t.Context(), batch)
			posts := 0
			for _, p := range s.posts {
				if p.Webhook.ID == s.hook.ID {
					posts++
				}
			}
			left := 0
			for _, m := range s.messages() {
				if m.Webhook == s.hook.ID {
					left++
				}
			}
			if posts != tt.posts || posts+left != 40 {
				t.Errorf("got %d POSTs and %d messages, want %d POSTs of 40", posts, left, tt.posts)
			}
		})
	}
}

// All fast attempts of a batch are in memory at once, so in a batch with very many of
// them no webhook gets more than its share, however quickly its target responds.
func TestStream_SharesOfALargeBatch(t *testing.T) {
	t.Parallel()
	const webhooks, events, share = 33, 34, 32
	s := newSite(t)
	s.earn()
	for id := int32(2); id <= webhooks; id++ {
		s.hook = s.create(webhook.Webhook{ID: id, Events: []string{"contact.changed"}})
		s.earn()
	}
	s.clock.Advance(time.Minute)
	batch := s.records(events)
	s.Stream(t.Context(), batch)
	posts := map[int32]int{}
	for _, p := range s.posts {
		posts[p.Webhook.ID]++
	}
	for id, n := range posts {
		if n != share {
			t.Errorf("webhook %d got %d POSTs, want %d", id, n, share)
		}
	}
	if left := len(s.messages()); len(posts) != webhooks || left != webhooks*(events-share) {
		t.Errorf("%d webhooks got POSTs and %d attempts were enqueued, want %d and %d", len(posts), left, webhooks, webhooks*(events-share))
	}
}

package dispatch

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func TestView_FindsAWebhookThatMovesBetweenLists(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	epoch, key := int64(1), "*"
	store := &countingWebhooks{epoch: func() int64 { return epoch }}
	store.subscribed = func(asked string) (found []webhook.Webhook) {
		if asked == key {
			found = append(found, webhook.Webhook{Tenant: "Default", ID: 1, State: webhook.StateActive, Events: []string{key}})
		}
		if asked == "contact.changed" && epoch == 1 {
			epoch, key = 2, "contact.changed" // saved after this list was read
		}
		return found
	}
	v := newView(newSubscriptions(store), func() time.Time { return now }, webhooktest.Random(1))
	matches, _, err := v.match(t.Context(), webhook.Event{Tenant: "Default", Name: "contact.changed"}, now)
	if err != nil || len(matches) != 1 {
		t.Errorf("got %d matches, %v; want 1: the webhook was subscribed at all times", len(matches), err)
	}
}

// slowSecrets runs read, which takes a while, before it returns.
type slowSecrets struct{ read func() }

func (s slowSecrets) Read(context.Context, webhook.SecretRef) (webhook.SecretDocument, error) {
	s.read()
	return webhook.SecretDocument{Current: webhook.NewSecret("Something Super Secret")}, nil
}

type sentMessages struct{ messages []delivery.Message }

func (s *sentMessages) Send(_ context.Context, out []delivery.Outgoing) ([]int, error) {
	for _, o := range out {
		s.messages = append(s.messages, o.Message)
	}
	return nil, nil
}

type countingSender struct{ posts int }

func (s *countingSender) Send(context.Context, webhook.Post) webhook.Result {
	s.posts++
	return webhook.Result{StatusCode: 200}
}

// noHealth is a webhook store without health.
type noHealth struct{ *countingWebhooks }

func (noHealth) Health(context.Context, webhook.Tenant, []int32) (map[int32]webhook.Health, error) {
	return nil, nil
}

func TestStream_MakesNoAttemptIfTheViewAgedWhileTheSecretWasRead(t *testing.T) {
	t.Parallel()
	clock := webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := webhook.Webhook{
		Tenant: "Default", ID: 1, State: webhook.StateActive, Events: []string{"non"}, TargetURL: "https://example.com/",
		Secret: webhook.SecretRef{Name: "p/Default/1/n", Version: "v", Signed: true},
	}
	store := &countingWebhooks{epoch: func() int64 { return 1 }, subscribed: func(key string) []webhook.Webhook {
		if key == "non" {
			return []webhook.Webhook{w}
		}
		return nil
	}}
	sender, messages := &countingSender{}, &sentMessages{}
	engine := New(Config{
		Webhooks: noHealth{store}, Secrets: slowSecrets{func() { clock.Advance(3 * time.Second) }}, Sender: sender, Messages: messages,
		Logger: webhooktest.Logger(t), Now: clock.Now, Random: strings.NewReader(strings.Repeat("x", 1024)), Policy: webhook.PolicyDurable,
	})
	event := webhook.Event{Tenant: "Default", ID: "01234567-89ab-7fff-bfff-ffffffffffff", Name: "non"}
	failed := engine.Stream(t.Context(), []webhook.Record{{Event: event, Accepted: clock.Now(), Sequence: "1"}})
	if failed != "" || sender.posts != 0 || len(messages.messages) != 1 {
		t.Errorf("got %d POSTs, %d messages, failed %q; want one message and no POST: the webhook may be stopped by now", sender.posts, len(messages.messages), failed)
	}
}

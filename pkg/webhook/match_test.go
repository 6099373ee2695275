package webhook_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestRecipients_AStateEventGoesToWebhooksThatMaySeeIt(t *testing.T) {
	t.Parallel()
	of := func(id int32, app string) webhook.Webhook {
		return webhook.Webhook{ID: id, State: webhook.StateActive, App: app}
	}
	listed := []webhook.Webhook{of(1, ""), of(2, "app1"), of(3, "app2")}
	event := webhook.Event{Name: "webhook9.errors", App: "app1"}
	got := webhook.Recipients(event, slices.Values(listed), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	if diff := cmp.Diff([]webhook.Webhook{of(1, ""), of(2, "app1")}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := func(id int32) webhook.Webhook { return webhook.Webhook{ID: id, State: webhook.StateActive} }
	late := active(4)
	late.ActivatedAt = accepted.Add(time.Minute + 1)
	listed := []webhook.Webhook{active(3), active(1), {ID: 2, State: webhook.StateStopped}, late, active(1), active(3)}
	if diff := cmp.Diff([]webhook.Webhook{active(3), active(1)}, webhook.Recipients(webhook.Event{}, slices.Values(listed), accepted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package webhook_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestRecipients(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	active := func(id int32) webhook.Webhook { return webhook.Webhook{ID: id, State: webhook.StateActive} }
	late := active(4)
	late.ActivatedAt = accepted.Add(time.Minute + 1)
	listed := []webhook.Webhook{active(3), active(1), {ID: 2, State: webhook.StateStopped}, late, active(1), active(3)}
	if diff := cmp.Diff([]webhook.Webhook{active(3), active(1)}, webhook.Recipients(slices.Values(listed), accepted)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

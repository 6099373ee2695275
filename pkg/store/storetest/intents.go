package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func testIntents(t *testing.T, h Harness) {
	t.Run("Intents returns intents put before a time until their last writer removes them", func(t *testing.T) {
		t.Parallel()
		tenant, at := newTenant(t), now().Add(-time.Hour)
		mine := func(before time.Time) (found []webhook.Intent) {
			t.Helper()
			all, err := h.Webhooks.Intents(t.Context(), before, 1000)
			must(t, err)
			for _, intent := range all {
				if intent.Tenant == tenant {
					found = append(found, intent)
				}
			}
			return found
		}
		var want []webhook.Intent
		for i := range 3 {
			intent := webhook.Intent{Secret: fmt.Sprintf("p/%s/%d/x", tenant, 3-i), Tenant: tenant, Webhook: int32(3 - i), At: at.Add(time.Duration(i) * time.Second)}
			must(t, h.Webhooks.PutIntent(t.Context(), intent))
			want = append(want, intent)
		}
		h.settle()
		if diff := cmp.Diff(want[:2], mine(at.Add(2*time.Second))); diff != "" {
			t.Errorf("before the third (-want +got):\n%s", diff)
		}
		again := want[0]
		again.At = at.Add(time.Minute)
		must(t, h.Webhooks.PutIntent(t.Context(), again))
		must(t, h.Webhooks.RemoveIntent(t.Context(), want[0])) // put again by another writer since
		must(t, h.Webhooks.RemoveIntent(t.Context(), want[1]))
		must(t, h.Webhooks.RemoveIntent(t.Context(), want[1]))
		h.settle()
		if diff := cmp.Diff([]webhook.Intent{want[2], again}, mine(at.Add(time.Hour))); diff != "" {
			t.Errorf("after one was put again and one removed (-want +got):\n%s", diff)
		}
		for _, intent := range []webhook.Intent{again, want[2]} {
			must(t, h.Webhooks.RemoveIntent(t.Context(), intent))
		}
	})
}

package embedded_test

import (
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func TestPurge_KeepsAGraveWhileItsIDMayBeRemembered(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	for _, test := range []struct {
		later time.Duration
		want  int
	}{{0, 1}, {webhook.IDLife, 1}, {25 * time.Hour, 0}} {
		db, err := embedded.Open(dir, embedded.Options{Now: clock.Now, Random: webhooktest.Random(1)})
		if err != nil {
			t.Fatal(err)
		}
		if test.later == 0 {
			if err := db.Webhooks().Create(t.Context(), webhook.Webhook{Tenant: "Default", ID: 1, Events: []string{"a.b"}, Revision: 1}); err != nil {
				t.Fatal(err)
			}
			if err := db.Webhooks().Delete(t.Context(), "Default", 1, 1, webhook.Change{}); err != nil {
				t.Fatal(err)
			}
		}
		clock.Advance(test.later)
		if _, err := db.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if got := stored(t, dir, "graves"); got != test.want {
			t.Errorf("%v later: %d graves, want %d", test.later, got, test.want)
		}
	}
}

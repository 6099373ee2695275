package sweep_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// The tenants of a house. The first name is a prefix of the second.
const (
	anna = webhook.Tenant("Cust1")
	bert = webhook.Tenant("Cust12")
	cleo = webhook.Tenant("Other")
)

var housemates = []webhook.Tenant{anna, bert, cleo}

// house is a sweep over tenants that have everything in common except their
// names: an active webhook 1, and rows of the same events.
type house struct {
	t       *testing.T
	db      *embedded.DB
	clock   *webhooktest.Clock
	sweeper *sweep.Sweeper
}

func newHouse(t *testing.T) *house {
	t.Helper()
	clock := webhooktest.NewClock(time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC))
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h := &house{t: t, db: db, clock: clock, sweeper: sweep.New(sweep.Config{
		Deliveries: db.Deliveries(), Webhooks: db.Webhooks(), Events: db.Events(), Secrets: db.Secrets(), Messages: db.Queue(),
		DeadLetters: db.DeadLetters(), Logger: webhooktest.Logger(t), Now: clock.Now, RowLife: 33 * 24 * time.Hour,
		Jobs: db.Jobs(), Runners: map[job.Kind]job.Slice{job.Redispatch: replay.RedispatchSlice(db.Events(), db.Queue())},
	})}
	for _, tenant := range housemates {
		h.must(db.Webhooks().Create(t.Context(), webhook.Webhook{
			Tenant: tenant, ID: 1, Events: []string{"a.b"}, TargetURL: "https://example.com/", State: webhook.StateActive, Revision: 1, Activation: 1,
		}))
	}
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func eventID(n int) webhook.EventID {
	return webhook.EventID(fmt.Sprintf("019e0000-0000-7000-8000-%012x", n))
}

// due creates n rows per tenant that are due now.
func (h *house) due(n int) {
	h.t.Helper()
	now := h.clock.Now()
	for i := range n {
		for _, tenant := range housemates {
			_, err := h.db.Deliveries().StartRound(h.t.Context(), delivery.StartRound{
				Key: delivery.Key{Tenant: tenant, Webhook: 1, Event: eventID(i)}, Now: now, Due: now, SweepAt: now,
			})
			h.must(err)
		}
	}
}

// down opens the breaker of a tenant's webhook.
func (h *house) down(tenant webhook.Tenant, probeIn time.Duration) {
	h.t.Helper()
	_, err := h.db.Webhooks().UpdateHealth(h.t.Context(), tenant, 1, func(health webhook.Health) webhook.Health {
		health = health.Under(1)
		health.Breaker = webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: h.clock.Now().Add(probeIn)}
		return health
	})
	h.must(err)
}

// sweep runs once and counts the sent messages by tenant.
func (h *house) sweep() map[webhook.Tenant]int {
	h.t.Helper()
	h.must(h.sweeper.Run(h.t.Context()))
	h.clock.Advance(2 * time.Minute)
	received, err := h.db.Queue().Receive(h.t.Context(), 1000)
	h.must(err)
	sent := map[webhook.Tenant]int{}
	for _, r := range received {
		sent[r.Message.Tenant]++
	}
	return sent
}

// wantSent runs once and checks the number of messages of anna, bert and cleo.
func (h *house) wantSent(want ...int) {
	h.t.Helper()
	got := h.sweep()
	for i, tenant := range housemates {
		if got[tenant] != want[i] {
			h.t.Errorf("sent %d messages of %s, want %d", got[tenant], tenant, want[i])
		}
	}
}

func TestApart_ABreakerHoldsBackOneTenantsRows(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.down(anna, time.Hour)
	h.due(5)
	h.wantSent(0, 5, 5)
}

// One probe for anna and one for cleo, whose rows the first sweep parks.
func TestApart_AProbeIsOneTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.down(anna, 0)
	h.down(cleo, 0)
	h.due(5)
	h.wantSent(0, 5, 0)
	h.wantSent(1, 0, 1)
}

func TestApart_AStoppedWebhookIsOneTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, tenant := range housemates {
		h.down(tenant, time.Hour)
	}
	w, err := h.db.Webhooks().Get(t.Context(), anna, 1)
	h.must(err)
	w.State, w.Revision = webhook.StateStopped, 2
	h.must(h.db.Webhooks().Update(t.Context(), w, webhook.Change{}))
	h.due(5)
	h.wantSent(5, 0, 0) // whose deliveries must end
}

func TestApart_ARowEndsForOneTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.due(1)
	_, err := h.db.Deliveries().End(t.Context(), delivery.End{
		Key: delivery.Key{Tenant: anna, Webhook: 1, Event: eventID(0)}, Round: 1, Status: delivery.StatusCancelled, Now: h.clock.Now(),
	})
	h.must(err)
	h.wantSent(0, 1, 1)
}

func TestApart_AnIntentIsOneTenantsWebhooks(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	doc := webhook.SecretDocument{Current: webhook.NewSecret("s")}
	refs := map[webhook.Tenant]webhook.SecretRef{}
	for _, tenant := range housemates {
		name, err := h.db.Secrets().Name(tenant, 1)
		h.must(err)
		refs[tenant], err = h.db.Secrets().Create(t.Context(), name, doc)
		h.must(err)
		h.must(h.db.Webhooks().PutIntent(t.Context(), webhook.Intent{Secret: name, Tenant: tenant, Webhook: 1, At: h.clock.Now()}))
	}
	w, err := h.db.Webhooks().Get(t.Context(), bert, 1)
	h.must(err)
	w.Secret, w.Revision = refs[bert], 2 // only this one keeps its secret
	h.must(h.db.Webhooks().Update(t.Context(), w, webhook.Change{}))
	h.clock.Advance(2 * time.Hour)
	h.must(h.sweeper.Run(t.Context()))
	for _, tenant := range housemates {
		if _, err := h.db.Secrets().Read(t.Context(), refs[tenant]); (err == nil) != (tenant == bert) {
			t.Errorf("the secret of %s: %v", tenant, err)
		}
	}
}

func TestApart_EventsOfOneTenantAreRedispatched(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, tenant := range housemates {
		id, err := webhook.NewEventID(h.clock.Now(), rand.Reader)
		h.must(err)
		h.must(h.db.Events().Put(t.Context(), webhook.Event{Tenant: tenant, ID: id, Name: "a.b", At: h.clock.Now()}))
	}
	j, err := job.New(job.Redispatch, bert, webhook.Associate{}, h.clock.Now(), rand.Reader)
	h.must(err)
	j.From, j.To = h.clock.Now().Add(-time.Hour), h.clock.Now().Add(time.Hour)
	h.must(h.db.Jobs().Create(t.Context(), j))
	h.wantSent(0, 1, 0)
}

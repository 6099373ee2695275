package embedded_test

import (
	"errors"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var housemates = []webhook.Tenant{"Cust1", "Cust12", "Other"}

// same is a random source that always returns the same bytes.
type same struct{}

func (same) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// alike opens a store for tenants whose webhooks' secrets differ only by
// tenant: their random parts and versions are the same.
func alike(t *testing.T) *embedded.DB {
	t.Helper()
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: time.Now, Random: same{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestApart_SecretsOfTenants(t *testing.T) {
	t.Parallel()
	secrets := alike(t).Secrets()
	refs := map[webhook.Tenant]webhook.SecretRef{}
	for _, tenant := range housemates {
		name, err := secrets.Name(tenant, 1)
		if err == nil {
			refs[tenant], err = secrets.Create(t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret("of " + string(tenant))})
		}
		if err != nil {
			t.Fatalf("%s: %v", tenant, err)
		}
	}
	for range 2 { // from the file, then from the cache
		for _, tenant := range housemates {
			if doc, err := secrets.Read(t.Context(), refs[tenant]); err != nil || doc.Current.Reveal() != "of "+string(tenant) {
				t.Errorf("%s reads %q, %v", tenant, doc.Current.Reveal(), err)
			}
		}
	}
	if err := secrets.Delete(t.Context(), refs[housemates[0]].Name); err != nil {
		t.Fatal(err)
	}
	for i, tenant := range housemates {
		if _, err := secrets.Read(t.Context(), refs[tenant]); (err != nil) != (i == 0) || i == 0 && !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("after another's was deleted, %s reads: %v", tenant, err)
		}
	}
}

// Each tenant's webhook is a fairness group of its own, although all have the
// same id.
func TestApart_MessagesOfTenantsTakeTurns(t *testing.T) {
	t.Parallel()
	queue := alike(t).Queue()
	var out []delivery.Outgoing
	for i, tenant := range housemates {
		for range 20 - 9*i { // most from the first tenant
			out = append(out, delivery.Outgoing{Message: delivery.Message{
				Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: 1, Event: "019e0000-0000-7000-8000-000000000001", Round: 1, Attempt: 1,
			}})
		}
	}
	if _, err := queue.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	received, err := queue.Receive(t.Context(), 6)
	if err != nil {
		t.Fatal(err)
	}
	got := map[webhook.Tenant]int{}
	for _, r := range received {
		got[r.Message.Tenant]++
	}
	for _, tenant := range housemates {
		if got[tenant] != 2 {
			t.Errorf("received %d messages of %s, want 2 of 6", got[tenant], tenant)
		}
	}
}

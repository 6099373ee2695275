package secrets_test

import (
	"context"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// same is a source of randomness that always returns the same bytes.
type same struct{}

func (same) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// byName is a secret store whose documents name their secret, and whose
// versions all have the same id.
type byName struct{ webhook.Secrets }

func (byName) Read(_ context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	return webhook.SecretDocument{Current: webhook.NewSecret("of " + ref.Name)}, nil
}

func (byName) Delete(context.Context, string) error { return nil }

// Webhooks of different tenants stay apart even if their ids, their secrets'
// random parts and their versions are equal.
func TestApart_SecretsOfTenants(t *testing.T) {
	t.Parallel()
	manager := &secrets.Manager{Prefix: "posthaste", Random: same{}}
	cache := secrets.NewCache(byName{manager}, 10)
	names := map[string]webhook.Tenant{}
	for range 2 { // uncached, then cached
		for _, tenant := range []webhook.Tenant{"Cust1", "Cust12", "Other"} {
			name, err := manager.Name(tenant, 1)
			if err != nil {
				t.Fatal(err)
			}
			if other, taken := names[name]; taken && other != tenant || !strings.HasPrefix(name, "posthaste/"+string(tenant)+"/1/") {
				t.Errorf("%s and %s share the secret %s", tenant, names[name], name)
			}
			names[name] = tenant
			doc, err := cache.Read(t.Context(), webhook.SecretRef{Name: name, Version: "1"})
			if err != nil || doc.Current.Reveal() != "of "+name {
				t.Errorf("%s reads the secret %q, %v", tenant, doc.Current.Reveal(), err)
			}
		}
	}
}

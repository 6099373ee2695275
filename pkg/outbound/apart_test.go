package outbound_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// Tenants whose webhooks share an id and a URL, and whose events share an id,
// use one Sender and its connections. Each POST belongs to one tenant.
func TestApart_PostsOfTenants(t *testing.T) {
	t.Parallel()
	receiver := webhooktest.NewReceiver(t)
	s := sender(t, nil)
	tenants := []webhook.Tenant{"Cust1", "Cust12", "Other"}
	const each = 20
	var wg sync.WaitGroup
	for _, tenant := range tenants {
		for _, format := range []webhook.Format{webhook.FormatSuperOffice, webhook.FormatStandard, webhook.FormatCloudEvents} {
			wg.Go(func() {
				for range each {
					w, e := hook(receiver.URL), event
					w.Tenant, e.Tenant, w.Options.Format = tenant, tenant, format
					w.Headers = []webhook.Header{{Name: "X-Tenant", Value: string(tenant)}, {Name: "Authorization", Secret: true}}
					e.Data = json.RawMessage(fmt.Sprintf(`{"of":%q}`, tenant))
					result := s.Send(t.Context(), webhook.Post{Webhook: w, Event: e, Secrets: webhook.SecretDocument{
						Current: webhook.NewSecret("secret of " + string(tenant)),
						Headers: map[string]webhook.Secret{"Authorization": webhook.NewSecret("token of " + string(tenant))},
					}})
					if result.Error != failure.None {
						t.Errorf("%s: %v", tenant, result)
					}
				}
			})
		}
	}
	wg.Wait()
	requests := receiver.Requests()
	if want := each * 3 * len(tenants); len(requests) != want {
		t.Errorf("got %d POSTs, want %d", len(requests), want)
	}
	for _, r := range requests {
		tenant := r.Header.Get("X-Tenant")
		if !signature.VerifySuperOffice("secret of "+tenant, r.Body, r.Header.Get("X-SuperOffice-Signature")) {
			t.Errorf("a POST of %s is signed with another tenant's secret", tenant)
		}
		if got := r.Header.Get("Authorization"); got != "token of "+tenant {
			t.Errorf("a POST of %s has %s", tenant, got)
		}
		for _, other := range tenants {
			if named := strings.Contains(string(r.Body), fmt.Sprintf("%q", other)) || strings.Contains(string(r.Body), `/`+string(other)+`"`); named != (string(other) == tenant) {
				t.Errorf("a POST of %s: names %s: %v\n%s", tenant, other, named, r.Body)
			}
		}
	}
}

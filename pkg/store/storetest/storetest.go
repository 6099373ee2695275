// Package storetest is the conformance suite of the store contracts.
// Every store must pass it, so other tests may rely on any store. Each testable sentence of the contracts is a subtest of that name.
//
// The suite draws its own tenants, so it may run on a store with other data,
// and repeatedly on the same one. It does not depend on how a store works.
package storetest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Harness is a store under test.
type Harness struct {
	Webhooks    webhook.Webhooks
	Limited     func(limit int) webhook.Webhooks // Webhooks with a limit per tenant
	Events      webhook.Events
	Deliveries  delivery.Store
	Jobs        job.Jobs
	Tenants     tenancy.Tenants
	Credentials tenancy.Credentials
	Erasure     tenancy.Erasure
	Sources     source.Sources
	Statistics  statistics.Store
	// Feed returns what the change feed has recorded of a tenant's events, in
	// any order. nil: the feed is tested elsewhere.
	Feed func(t *testing.T, tenant webhook.Tenant) []webhook.Record
	// Stamp is the precision that the feed's times are truncated to. 0: a
	// second.
	Stamp time.Duration
	// Settle waits until lagging reads (Due, Health, Hours) see all completed writes.
	// nil: reads never lag.
	Settle func()
	// Damage makes a stored item undecodable: a Webhook, Replaced, Event, Delivery,
	// Job, Intent, StoredHour, tenancy.Record, Credential or Source. nil: damage is tested
	// elsewhere.
	Damage func(t *testing.T, thing any)
}

func (h Harness) settle() {
	if h.Settle != nil {
		h.Settle()
	}
}

// Run runs the suite. open is called once per group of subtests and registers
// its own cleanup.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	groups := []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"Webhooks", testWebhooks},
		{"History", testHistory},
		{"Limit", testLimit},
		{"Health", testHealth},
		{"Statistics", testStatistics},
		{"Intents", testIntents},
		{"Events", testEvents},
		{"Search", testSearch},
		{"Jobs", testJobs},
		{"Deliveries", testDeliveries},
		{"Log", testLog},
		{"Responses", testResponses},
		{"Protocol", testProtocol},
		{"Racing", testRacing},
		{"Tenants", testTenants},
		{"Credentials", testCredentials},
		{"Erasure", testErasure},
		{"Sources", testSources},
		{"Unreadable", testUnreadable},
		{"Apart", testApart},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			g.run(t, open(t))
		})
	}
}

// now returns the time of the suite's items: real time, since stores compare
// expiry with their own clock, truncated to the milliseconds that stores keep.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// newTenant draws a tenant without stored data.
func newTenant(t *testing.T) webhook.Tenant {
	t.Helper()
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return webhook.Tenant("Suite" + hex.EncodeToString(b[:]))
}

func newEventID(t *testing.T, at time.Time) webhook.EventID {
	t.Helper()
	id, err := webhook.NewEventID(at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// newWebhook returns webhook 1 of a tenant with every member set.
func newWebhook(tenant webhook.Tenant, events ...string) webhook.Webhook {
	overlap := time.Hour
	return webhook.Webhook{
		Tenant: tenant, ID: 1, Name: "Blåbær <&> ✓", Events: events, TargetURL: "https://example.com/a?b=c", State: webhook.StateActive,
		Type:       "aliquam",
		Headers:    []webhook.Header{{Name: "X-B", Value: "1"}, {Name: "X-A", Value: "<2>"}, {Name: "Authorization", Secret: true}},
		Properties: []byte(`{"n":1.50,"b":{"a":["<å>&"]}}`),
		Registered: now(), RegisteredBy: webhook.Associate{ID: 5, Name: "RJ", FullName: "Roy", UserName: "rj", Type: "InternalAssociate"},
		Updated: now(), UpdatedBy: webhook.Associate{ID: 6, Name: "ØÅ"},
		ErrorsEmail: "a@example.com", ErrorEmails: []string{"b@example.com"}, ErrorAssociates: []byte(`[{"Id":1}]`),
		Description: "d", NotifyVia: 1, NotifyWhen: 3, App: "app",
		Options:     webhook.Options{Policy: webhook.PolicySuperOffice, Timeout: 7 * time.Second, SecretOverlap: &overlap, Format: webhook.FormatCloudEvents, Include: []webhook.Include{webhook.IncludePrevious}, Filter: []byte(`{"FieldValues":{"name":[{"prefix":"Blå<&"}]}}`), OnlyFields: []string{"name", "x"}, IgnoreFields: []string{"updated"}, SkipOwn: []int32{5, 7}, Fields: []string{"name", "Å"}, Template: []byte(`{"text":"Blå<&{{FieldValues.name}}"}`)},
		Secret:      webhook.SecretRef{Name: "p/t/1/x", Version: "v", Signed: true, Sealed: "s1.first.x"},
		SecretSince: now(), PreviousSince: now().Add(-time.Hour),
		Rotations: 2, RotationDay: "2026-03-01",
		Revision: 1, Activation: 1, ActivatedAt: now(),
	}
}

// bareWebhook returns a webhook with only the required members.
func bareWebhook(tenant webhook.Tenant, id int32, events ...string) webhook.Webhook {
	return webhook.Webhook{
		Tenant: tenant, ID: id, Events: events, TargetURL: "https://example.com/", State: webhook.StateStopped, Type: "webhook",
		Registered: now(), Updated: now(), Revision: 1,
	}
}

func newEvent(t *testing.T, tenant webhook.Tenant) webhook.Event {
	t.Helper()
	at := time.Now().UTC().Truncate(100 * time.Nanosecond)
	return webhook.Event{
		Tenant: tenant, ID: newEventID(t, at), Name: "Contact.Changed", PrimaryKey: 7,
		Data: []byte(`{"name":"Blåbær <&> ✓","n":1.50,"big":12345678901234567890}`), ChangedBy: 5, At: at, Hops: 1, App: "app1",
		ExpiresAt: now().Add(14 * 24 * time.Hour).Truncate(time.Second),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func describe(d delivery.Row) string {
	return fmt.Sprintf("%s round %d attempt %d lease %q", d.Status, d.Round, d.Attempt, d.LeaseBy)
}

package simulation_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// tenants are the tenants of a run that has them all. Each one's webhook ids
// begin at 1, their events have the same names, and their targets the same
// hosts. The first name is a prefix of the second.
var tenants = []webhook.Tenant{"Cust1", "Cust12", "Other"}

// hook numbers a webhook of any tenant: its id plus ten thousand for each
// tenant before its own. w10007 is Cust12's webhook 7.
type hook int32

const hooksOfTenant = 10_000

func hookOf(tenant webhook.Tenant, id int32) hook {
	at := slices.Index(tenants, tenant)
	if at < 0 {
		at = len(tenants) // no tenant has this index
	}
	return hook(at)*hooksOfTenant + hook(id)
}

func (h hook) id() int32 { return int32(h % hooksOfTenant) }

func (h hook) tenant() webhook.Tenant {
	if at := int(h / hooksOfTenant); at < len(tenants) {
		return tenants[at]
	}
	return "unknown"
}

func about(key delivery.Key) hook { return hookOf(key.Tenant, key.Webhook) }

// tenantOf returns the tenant of a partition key, <kind>#<tenant>[#…].
func tenantOf(pk string) webhook.Tenant {
	_, rest, _ := strings.Cut(pk, "#")
	tenant, _, _ := strings.Cut(rest, "#")
	return webhook.Tenant(tenant)
}

// anyTenant returns a random tenant of the run.
func (w *world) anyTenant() webhook.Tenant { return w.tenants[w.rnd.IntN(len(w.tenants))] }

// urlAt returns a new URL for a tenant's webhook. All tenants share the hosts; the
// path names the tenant, and is no other webhook's.
func (w *world) urlAt(tenant webhook.Tenant, host string) string {
	w.drawn++
	return fmt.Sprintf("http://%s/%s/%d", host, tenant, w.drawn)
}

// apps are those that register webhooks, in every tenant; "" means no app.
var apps = []string{"", "", "app1", "app2"}

func (w *world) app() string { return apps[w.rnd.IntN(len(apps))] }

func secretOf(tenant webhook.Tenant, n int) webhook.Secret {
	return webhook.NewSecret(fmt.Sprintf("secret-%s-%d", tenant, n))
}

func isSecretOf(tenant webhook.Tenant, secret webhook.Secret) bool {
	return secret.IsZero() || strings.HasPrefix(secret.Reveal(), fmt.Sprintf("secret-%s-", tenant))
}

// dataOf returns data that only this tenant's events have.
func dataOf(tenant webhook.Tenant) string {
	return fmt.Sprintf(`{"of":%q,"amount":1.50,"Name":"Blåbær <&> \"AS\"","list":[1,{"a":null}]}`, tenant)
}

// checkTenants checks that a POST belongs to one tenant: its event, the event's
// data, the webhook, its target and its secret.
func (l *witness) checkTenants(name string, post webhook.Post) {
	tenant := post.Event.Tenant
	current, previous := post.Secrets.InOrder(webhook.SignerCurrent, time.Now())
	switch {
	case l.events[post.Event.ID].event.Tenant != tenant:
		l.w.violated("tenants", "%s is an event of %s but is attempted as one of %s", name, l.events[post.Event.ID].event.Tenant, tenant)
	case post.Webhook.Tenant != tenant:
		l.w.violated("tenants", "%s is of %s but is attempted for webhook %d of %s", name, tenant, post.Webhook.ID, post.Webhook.Tenant)
	case !strings.Contains(post.Webhook.TargetURL, "/"+string(tenant)+"/"):
		l.w.violated("tenants", "%s of %s goes to %s", name, tenant, post.Webhook.TargetURL)
	case len(post.Event.Data) > 0 && !strings.HasPrefix(post.Event.Name, "webhook") && string(post.Event.Data) != dataOf(tenant):
		l.w.violated("tenants", "%s of %s carries %s", name, tenant, post.Event.Data)
	case !isSecretOf(tenant, current) || !isSecretOf(tenant, previous):
		l.w.violated("tenants", "%s of %s is signed with another tenant's secret", name, tenant)
	}
}

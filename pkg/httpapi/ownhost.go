package httpapi

import (
	"net/url"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Registry gives the registry by whose rules a call saves and tests webhooks:
// the API's own hosts, PublicURL's and the one that the call came to, are no
// targets, and what is changed is audited. It hides Config's, so that no
// operation can leave either out.
func (a *api) Registry(c *call) *webhook.Registry {
	own := *a.Config.Registry
	own.Webhooks = auditedWebhooks{own.Webhooks, a, c}
	if a.AllowOwnHost {
		return &own
	}
	own.Rules.OwnHosts = append([]string(nil), own.Rules.OwnHosts...)
	public, err := url.Parse(a.PublicURL)
	for _, u := range []*url.URL{public, {Host: c.Host}} {
		if err == nil && u.Hostname() != "" {
			own.Rules.OwnHosts = append(own.Rules.OwnHosts, u.Hostname())
		}
	}
	return &own
}

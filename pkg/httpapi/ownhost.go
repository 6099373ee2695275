package httpapi

import (
	"net/url"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Registry gives the registry by whose rules a call saves and tests webhooks:
// the API's own hosts, PublicURL's and the one that the call came to, are no
// targets. It hides Config's, so that no operation can leave the rule out.
func (a *api) Registry(c *call) *webhook.Registry {
	if a.AllowOwnHost {
		return a.Config.Registry
	}
	own := *a.Config.Registry
	own.Rules.OwnHosts = append([]string(nil), own.Rules.OwnHosts...)
	public, err := url.Parse(a.PublicURL)
	for _, u := range []*url.URL{public, {Host: c.Host}} {
		if err == nil && u.Hostname() != "" {
			own.Rules.OwnHosts = append(own.Rules.OwnHosts, u.Hostname())
		}
	}
	return &own
}

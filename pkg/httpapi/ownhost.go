package httpapi

import (
	"net/url"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// registryOf returns the registry that the API uses. It refuses PublicURL's host
// as a target, and audits its writes.
func (a *api) registryOf(cfg Config) *webhook.Registry {
	registry := *cfg.Registry
	registry.Audit = a.written
	if public, err := url.Parse(cfg.PublicURL); err == nil && !cfg.AllowOwnHost {
		registry.Rules = registry.Rules.Own(public.Hostname())
	}
	return &registry
}

// ownHost returns the host of the call's own address, without port, which must
// not be a target. It returns "" if targets on it are allowed.
func (a *api) ownHost(c *call) string {
	if a.AllowOwnHost {
		return ""
	}
	return (&url.URL{Host: c.Host}).Hostname()
}

// rules returns the rules for webhooks that a call saves or tests.
func (a *api) rules(c *call) webhook.Rules { return a.Registry.Rules.Own(a.ownHost(c)) }

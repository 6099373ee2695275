package httpapi

import (
	"net/url"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// registryOf returns the registry that the API works with: PublicURL's host is
// not a target, and what is written is audited.
func (a *api) registryOf(cfg Config) *webhook.Registry {
	registry := *cfg.Registry
	registry.Audit = a.written
	if public, err := url.Parse(cfg.PublicURL); err == nil && !cfg.AllowOwnHost {
		registry.Rules = registry.Rules.Own(public.Hostname())
	}
	return &registry
}

// ownHost returns the host that a call came to, without port, which is not a
// target. Empty where targets on it are allowed.
func (a *api) ownHost(c *call) string {
	if a.AllowOwnHost {
		return ""
	}
	return (&url.URL{Host: c.Host}).Hostname()
}

// rules returns the rules of what a call saves and tests.
func (a *api) rules(c *call) webhook.Rules { return a.Registry.Rules.Own(a.ownHost(c)) }

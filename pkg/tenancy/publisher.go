package tenancy

import (
	"slices"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// AnyTenant means every tenant, as the only entry of Credential.Tenants.
const AnyTenant webhook.Tenant = "*"

const (
	maxTenants      = 1000     // names that a credential may list
	maxTenantsBytes = 32 << 10 // of the names together
)

// Publisher reports whether the credential is a publisher's: it acts for the
// tenant that the address of a call names, and for none without a name.
func (c Credential) Publisher() bool { return len(c.Tenants) > 0 }

// Lists reports whether a publisher's credential lists a tenant, by name or as
// AnyTenant. The tenant need not exist.
func (c Credential) Lists(tenant webhook.Tenant) bool {
	return tenant.Valid() && (slices.Contains(c.Tenants, tenant) || slices.Contains(c.Tenants, AnyTenant))
}

// checkTenants adds the faults of the member Tenants to f.
func (n NewCredential) checkTenants(f *webhook.Faults) {
	if n.Tenants == nil {
		return
	}
	if slices.ContainsFunc(n.Scopes, func(s webhook.Scope) bool { return s != webhook.ScopeEvents }) {
		f.Add("Tenants", "requires the scope events alone")
	}
	if n.Kind == KindApp {
		f.Add("Tenants", "is not for kind app: an app token belongs to one tenant")
	}
	size, seen := 0, make(map[webhook.Tenant]bool, len(n.Tenants))
	for _, name := range n.Tenants {
		size += len(name)
		switch {
		case name == AnyTenant && len(n.Tenants) > 1:
			f.AddText("Tenants", `Tenants: "*" must be the only entry`)
		case name != AnyTenant && !name.Valid():
			f.AddText("Tenants", "Tenants: %.*q must be a tenant's name (1 to 64 characters of A-Z a-z 0-9 _ -)", maxCredentialText, string(name))
		case seen[name]:
			f.AddText("Tenants", "Tenants: duplicate tenant %q", string(name))
		}
		seen[name] = true
	}
	switch {
	case len(n.Tenants) == 0:
		f.Add("Tenants", `is empty: list names or "*", or leave it out`)
	case len(n.Tenants) > maxTenants:
		f.Add("Tenants", `has more than %d names; use "*" for all tenants`, maxTenants)
	case size > maxTenantsBytes:
		f.Add("Tenants", `has more than %d bytes of names; use "*" for all tenants`, maxTenantsBytes)
	}
}

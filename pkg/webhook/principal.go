package webhook

import "slices"

// Tenant names one customer of the service, as the wire's ContextIdentifier does:
// "Cust12345", or "Default". Form: [A-Za-z0-9_-]{1,64}, case-sensitive.
type Tenant string

// Valid reports whether the tenant has the documented form.
func (t Tenant) Valid() bool { return ofLetters(string(t), "_-", 64) }

// Associate is the user who did something, in SuperOffice's terms.
type Associate struct {
	ID       int32
	Name     string
	FullName string
	UserName string
	Type     string // "InternalAssociate" for people, "SystemAssociate" for AWS sources
}

// Scope is one permission of a credential.
type Scope string

// The scopes.
const (
	ScopeWebhooks Scope = "webhooks" // everything under /Webhook except signalling
	// ScopeRead is every GET of ScopeWebhooks, which includes it.
	ScopeRead   Scope = "webhooks:read"
	ScopeEvents Scope = "events" // signalling events
	ScopeAdmin  Scope = "admin"  // /admin/v1
)

// Principal is the caller of an operation: the result of checking a credential.
type Principal struct {
	Tenant    Tenant
	Associate Associate
	// App is the application that the credential belongs to. An app sees only the
	// webhooks that it registered. Empty: no app, and the principal sees all
	// webhooks of its tenant.
	App    string
	Scopes []Scope
}

// May reports whether the principal holds the scope, or one that includes it.
func (p Principal) May(s Scope) bool {
	return slices.ContainsFunc(p.Scopes, func(have Scope) bool {
		return have == s || s == ScopeRead && have == ScopeWebhooks
	})
}

// Sees reports whether the webhook is visible to the principal: same tenant, and
// registered by the principal's app if it has one.
func (p Principal) Sees(w Webhook) bool {
	return p.Tenant == w.Tenant && (p.App == "" || p.App == w.App)
}

package webhook

// Tenant names one customer of the service, as the wire's ContextIdentifier
// does: "Cust12345", or "Default". Shape: [A-Za-z0-9_-]{1,64}, compared as
// written.
type Tenant string

// Valid reports whether the tenant has the documented shape.
func (t Tenant) Valid() bool { return ofLetters(string(t), "_-", 64) }

// Associate is the user who did something, as SuperOffice shows users.
type Associate struct {
	ID       int32
	Name     string
	FullName string
	UserName string
	Type     string // "InternalAssociate" for people, "SystemAssociate" for AWS sources
}

// Scope is one thing that a credential may do.
type Scope string

// The scopes.
const (
	ScopeWebhooks Scope = "webhooks" // everything under /Webhook but signalling
	ScopeEvents   Scope = "events"   // signalling events
	ScopeAdmin    Scope = "admin"    // /admin/v1
)

// Principal is who makes a call: the result of checking a credential.
type Principal struct {
	Tenant    Tenant
	Associate Associate
	// App is the application that the credential belongs to. Empty: none, and
	// the principal sees all of its tenant's webhooks. An app sees only the
	// webhooks that it registered.
	App    string
	Scopes []Scope
}

// May reports whether the principal holds the scope.
func (p Principal) May(s Scope) bool {
	for _, have := range p.Scopes {
		if have == s {
			return true
		}
	}
	return false
}

// sees reports whether the webhook exists as far as the principal may know:
// same tenant, and registered by the principal's app if it has one.
func (p Principal) sees(w Webhook) bool {
	return p.Tenant == w.Tenant && (p.App == "" || p.App == w.App)
}

package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	// adminPage is how many things a list of the administration shows at a time.
	adminPage = 1000
	// adminPageNames ends a page of credentials once their lists of tenants have
	// this many bytes, so that the page fits into a response.
	adminPageNames = 1 << 20
)

// tenant is a tenant as it is shown. JobId is null unless it is being deleted.
type tenant struct {
	Name    webhook.Tenant
	Created *time.Time
	JobID   textOrNull `json:"JobId"`
}

// tenantPage holds the tenants after the query parameter cursor.
type tenantPage struct {
	Tenants []tenant
	Cursor  textOrNull
}

func (a *api) listTenants(c *call) (reply, error) {
	after := webhook.Tenant(c.query("cursor"))
	records, err := a.Administration.Tenants.List(c.Context(), after, adminPage)
	if err != nil {
		return reply{}, err
	}
	page := tenantPage{Tenants: []tenant{}}
	first := func(r tenancy.Record) bool { return r.Name == tenancy.FirstTenant }
	if len(records) == adminPage {
		page.Cursor = textOrNull(records[adminPage-1].Name)
	}
	// The first tenant needs no record: it is inserted in order.
	if after < tenancy.FirstTenant && !slices.ContainsFunc(records, first) &&
		(page.Cursor == "" || tenancy.FirstTenant < webhook.Tenant(page.Cursor)) {
		records = append(records, tenancy.Record{Name: tenancy.FirstTenant})
		sort.Slice(records, func(i, j int) bool { return records[i].Name < records[j].Name }) // smaller code than slices.SortFunc
	}
	for _, r := range records {
		page.Tenants = append(page.Tenants, tenant{r.Name, timeOrNull(r.Created), textOrNull(r.Deleting)})
	}
	return ok(page), nil
}

// timeOrNull is a time, null if it is zero.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *api) createTenant(c *call) (reply, error) {
	var name string
	if err := readStrictly(c, func(v value) { name = v.text() }, "Name"); err != nil {
		return reply{}, err
	}
	if err := a.Administration.CreateTenant(c.Context(), webhook.Tenant(name)); err != nil {
		return reply{}, existing(err, "The tenant already exists")
	}
	a.audit(c.Context(), c, auditedChange{action: "create tenant", tenant: webhook.Tenant(name)})
	return reply{status: http.StatusCreated, body: struct{ Name string }{name}}, nil
}

func (a *api) deleteTenant(c *call) (reply, error) {
	name := webhook.Tenant(c.PathValue("tenant"))
	job, err := a.Administration.DeleteTenant(c.Context(), c.who.Associate, name)
	if job != "" { // the deletion has begun, even if the call fails
		a.audit(c.Context(), c, auditedChange{action: "delete tenant", tenant: name})
	}
	if err != nil {
		return reply{}, tenantNotFound(err)
	}
	return reply{status: http.StatusAccepted, body: struct {
		JobID string `json:"JobId"`
	}{job}}, nil
}

// credential is a credential as it is shown. Secret is set only in the response
// to the call that creates it.
type credential struct {
	ID          string `json:"Id"`
	Kind        tenancy.CredentialKind
	User        textOrNull
	FullName    textOrNull
	AssociateID int32 `json:"AssociateId"`
	App         textOrNull
	Scopes      []webhook.Scope
	Tenants     []webhook.Tenant // null unless it is a publisher's
	Role        textOrNull
	Created     time.Time
	ExpiresAt   *time.Time
	Secret      string `json:",omitempty"`
}

func showCredential(c tenancy.Credential) credential {
	who := c.Principal
	scopes := who.Scopes
	if scopes == nil {
		scopes = []webhook.Scope{}
	}
	return credential{
		ID: c.ID, Kind: c.Kind, User: textOrNull(who.Associate.UserName), FullName: textOrNull(who.Associate.FullName),
		AssociateID: who.Associate.ID, App: textOrNull(who.App), Scopes: scopes, Tenants: c.Tenants, Role: textOrNull(c.Role),
		Created: c.Created.UTC(), ExpiresAt: timeOrNull(c.ExpiresAt),
	}
}

// credentialPage holds the credentials after the query parameter cursor.
type credentialPage struct {
	Credentials []credential
	Cursor      textOrNull
}

func (a *api) listCredentials(c *call) (reply, error) {
	name := webhook.Tenant(c.PathValue("tenant"))
	if _, err := a.Administration.Tenant(c.Context(), name); err != nil {
		return reply{}, tenantNotFound(err)
	}
	found, err := a.Administration.Credentials.List(c.Context(), name, c.query("cursor"), adminPage)
	if err != nil {
		return reply{}, err
	}
	page := credentialPage{Credentials: []credential{}}
	size := 0
	for i, each := range found {
		if each.Kind == tenancy.KindSession { // and all that follow
			return ok(page), nil
		}
		page.Credentials = append(page.Credentials, showCredential(each))
		for _, tenant := range each.Tenants {
			size += len(tenant)
		}
		if i == adminPage-1 || size > adminPageNames {
			page.Cursor = textOrNull(each.ID)
			break
		}
	}
	return ok(page), nil
}

func (a *api) createCredential(c *call) (reply, error) {
	name := webhook.Tenant(c.PathValue("tenant"))
	if _, err := a.Administration.Tenant(c.Context(), name); err != nil {
		return reply{}, tenantNotFound(err)
	}
	var wanted tenancy.NewCredential
	err := readStrictly(c, func(v value) {
		switch strings.ToLower(v.member) {
		case "kind":
			wanted.Kind = tenancy.CredentialKind(strings.ToLower(v.text()))
		case "user":
			wanted.User = v.text()
		case "fullname":
			wanted.FullName = v.text()
		case "associateid":
			wanted.AssociateID = v.number()
		case "app":
			wanted.App = v.text()
		case "scopes":
			wanted.Scopes = nil // if two spellings are sent, the last counts
			for _, s := range v.texts() {
				wanted.Scopes = append(wanted.Scopes, webhook.Scope(s))
			}
		case "tenants":
			wanted.Tenants = nil
			if !v.isNull() {
				wanted.Tenants = []webhook.Tenant{} // an empty list is a fault, null is not
			}
			for _, name := range v.texts() {
				wanted.Tenants = append(wanted.Tenants, webhook.Tenant(name))
			}
		case "role":
			wanted.Role = v.text()
		case "expiresat":
			wanted.ExpiresAt = v.instant()
		}
	}, "Kind", "User", "FullName", "AssociateId", "App", "Scopes", "Tenants", "Role", "ExpiresAt")
	if err != nil {
		return reply{}, err
	}
	made, secret, err := a.Administration.Issue(c.Context(), name, wanted)
	if err != nil {
		return reply{}, tenantNotFound(existing(err, "The role already has a credential"))
	}
	a.audit(c.Context(), c, auditedChange{action: "create credential", tenant: name, credential: made.ID})
	shown := showCredential(made)
	shown.Secret = secret.Reveal()
	return reply{status: http.StatusCreated, body: shown}, nil
}

func (a *api) revokeCredential(c *call) (reply, error) {
	name, id := webhook.Tenant(c.PathValue("tenant")), c.PathValue("id")
	if _, err := a.Administration.Tenant(c.Context(), name); err != nil {
		return reply{}, tenantNotFound(err)
	}
	err := a.Administration.Credentials.Revoke(c.Context(), name, id)
	if errors.Is(err, webhook.ErrNotFound) {
		return reply{}, explain(err, "The tenant has no credential with this id")
	}
	if err != nil {
		return reply{}, err
	}
	a.audit(c.Context(), c, auditedChange{action: "revoke credential", tenant: name, credential: id})
	return noContent(nil), nil
}

// readStrictly reads a body that is one object with these members. An unknown member
// is a fault: it may be a misspelled restriction.
func readStrictly(c *call, read func(value), names ...string) error {
	object, err := wire.ReadObject(c.Request, carriers)
	if err != nil {
		return err
	}
	var f webhook.Faults
	for _, m := range object.Members() {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, m.Name) }) {
			f.AddText(m.Name, "unknown member %q; the known ones are %s", wire.Shorten(m.Name), strings.Join(names, ", "))
			continue
		}
		read(memberValue(m.Name, m.Value, &f))
	}
	return f.Err()
}

// instant reads a time with a zone, as in RFC 3339. Only null is the zero time: a
// zero time that a client sends because it forgot to set one is a fault.
func (v value) instant() time.Time {
	if v.isNull() {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, v.text())
	if err != nil || at.IsZero() {
		v.fault("must be a time such as 2030-01-31T12:00:00Z")
	}
	return at.UTC().Truncate(time.Millisecond)
}

func existing(err error, text string) error {
	if !errors.Is(err, webhook.ErrExists) {
		return err
	}
	return explain(err, "%s", text)
}

func tenantNotFound(err error) error {
	if !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	return explain(err, "Tenant not found")
}

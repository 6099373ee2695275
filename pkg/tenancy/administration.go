package tenancy

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Administration creates and deletes tenants and their credentials. Its fields
// must be set before use and not changed after; its methods may be called
// concurrently. The caller checks whether the principal may use it.
type Administration struct {
	Tenants     Tenants
	Credentials Credentials
	Jobs        job.Jobs
	Now         func() time.Time
	Random      io.Reader
}

// NewCredential describes a credential to be issued.
type NewCredential struct {
	Kind CredentialKind // basic, ticket, bearer, app or iam
	// User is the user name; may be "" for kinds app and iam.
	User        string
	FullName    string // "": the user name
	AssociateID int32
	App         string // "": none
	Scopes      []webhook.Scope
	Tenants     []webhook.Tenant // as Credential.Tenants; nil: not a publisher's
	Role        string           // ARN of the role, for kind iam
	ExpiresAt   time.Time        // zero: never
}

const (
	maxCredentialText = 200 // characters
	maxBasicUser      = 64  // characters
)

func (n NewCredential) validate(now time.Time) error {
	var f webhook.Faults
	user := false
	switch n.Kind {
	case KindBasic, KindTicket, KindBearer:
		user = true
	case KindApp:
		if n.App == "" {
			f.Add("App", "is empty: an app token needs an app")
		}
	case KindIAM:
		if RoleARN(n.Role) == "" {
			f.Add("Role", "must be the ARN of a role")
		}
	default:
		f.Add("Kind", "must be one of basic, ticket, bearer, app, iam")
	}
	if n.Role != "" && n.Kind != KindIAM {
		f.Add("Role", "is only for kind iam")
	}
	if user && n.User == "" {
		f.Add("User", "is empty")
	}
	for _, text := range []struct {
		name, value string
		most        int
	}{{"User", n.User, maxBasicUser}, {"FullName", n.FullName, maxCredentialText}, {"App", n.App, maxCredentialText}} {
		if utf8.RuneCountInString(text.value) > text.most {
			f.Add(text.name, "has more than %d characters", text.most)
		}
		for _, r := range text.value {
			if unicode.IsControl(r) || r == utf8.RuneError || text.name == "User" && r == ':' {
				f.Add(text.name, "must not contain %s", forbidden(text.name))
				break
			}
		}
	}
	if n.AssociateID < 0 {
		f.Add("AssociateId", "is negative")
	}
	if len(n.Scopes) == 0 {
		f.Add("Scopes", "is empty: name webhooks, webhooks:read or events")
	}
	for _, s := range n.Scopes {
		if s != webhook.ScopeWebhooks && s != webhook.ScopeRead && s != webhook.ScopeEvents {
			f.AddText("Scopes", "Scopes: %.*q must be webhooks, webhooks:read or events", maxCredentialText, string(s))
		}
	}
	n.checkTenants(&f)
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		f.Add("ExpiresAt", "has passed")
	}
	return f.Err()
}

// forbidden names the characters that a member of NewCredential may not have.
func forbidden(member string) string {
	if member == "User" { // it comes before the colon of a Basic credential
		return "control characters, U+FFFD, or a colon"
	}
	return "control characters or U+FFFD"
}

// CreateTenant creates a tenant. Errors: *webhook.ValidationError; ErrExists if it
// exists, even if it is being deleted.
func (a *Administration) CreateTenant(ctx context.Context, name webhook.Tenant) error {
	if !name.Valid() {
		var f webhook.Faults
		f.Add("Name", "must be 1 to 64 characters of A-Z a-z 0-9 _ -")
		return f.Err()
	}
	if name == FirstTenant {
		return fmt.Errorf("tenant %s: %w", name, webhook.ErrExists)
	}
	return a.Tenants.Create(ctx, name, a.now())
}

func (a *Administration) now() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }

// Tenant returns a tenant's record. FirstTenant always exists, perhaps without a
// Created time.
func (a *Administration) Tenant(ctx context.Context, name webhook.Tenant) (Record, error) {
	if !name.Valid() {
		return Record{}, fmt.Errorf("tenant: %w", webhook.ErrNotFound)
	}
	record, err := a.Tenants.Get(ctx, name)
	if errors.Is(err, webhook.ErrNotFound) && name == FirstTenant {
		return Record{Name: FirstTenant}, nil
	}
	return record, err
}

// Exists returns nil if the tenant exists, else ErrNotFound.
func (a *Administration) Exists(ctx context.Context, name webhook.Tenant) error {
	_, err := a.Tenant(ctx, name)
	return err
}

// Receives returns nil for a tenant that events may be stored for, otherwise
// ErrNotFound: it does not exist or is being deleted.
func (a *Administration) Receives(ctx context.Context, name webhook.Tenant) error {
	record, err := a.Tenant(ctx, name)
	if err == nil && record.Deleting != "" {
		return fmt.Errorf("tenant %s is being deleted: %w", name, webhook.ErrNotFound)
	}
	return err
}

// Issue creates a credential for a tenant and returns its secret, which cannot be
// read again: the password for kind basic, else the token. Kind iam has none.
// Errors: *webhook.ValidationError, ErrNotFound (no such tenant), ErrExists (the
// role already has a credential).
func (a *Administration) Issue(ctx context.Context, tenant webhook.Tenant, n NewCredential) (Credential, webhook.Secret, error) {
	record, err := a.Tenant(ctx, tenant)
	if err != nil {
		return Credential{}, webhook.Secret{}, err
	}
	now := a.now()
	if err := n.validate(now); err != nil {
		return Credential{}, webhook.Secret{}, err
	}
	text, secret, err := a.draw(tenant, n)
	if err != nil {
		return Credential{}, webhook.Secret{}, err
	}
	id, err := webhook.NewEventID(now, a.Random)
	if err != nil {
		return Credential{}, webhook.Secret{}, err
	}
	associate := webhook.Associate{ID: n.AssociateID, Name: n.User, FullName: n.FullName, UserName: n.User, Type: "InternalAssociate"}
	if n.FullName == "" {
		associate.FullName = n.User
	}
	if n.Kind == KindIAM {
		associate.Type = "SystemAssociate"
	}
	c := Credential{
		ID: string(id), Hash: KeyHash(n.Kind, text), Kind: n.Kind, Role: RoleARN(n.Role), Created: now, ExpiresAt: n.ExpiresAt,
		Principal: webhook.Principal{Tenant: tenant, Associate: associate, App: n.App, Scopes: n.Scopes}, Tenants: n.Tenants,
	}
	if record.Created.IsZero() { // the first tenant, before it has a record
		if err := a.Tenants.Create(ctx, tenant, now); err != nil && !errors.Is(err, webhook.ErrExists) {
			return Credential{}, webhook.Secret{}, err
		}
	}
	return c, secret, a.Credentials.Create(ctx, c)
}

// draw returns a new random credential, and the part of it that Issue returns.
func (a *Administration) draw(tenant webhook.Tenant, n NewCredential) (credential, shown webhook.Secret, err error) {
	if n.Kind == KindIAM {
		return webhook.NewSecret(RoleARN(n.Role)), webhook.Secret{}, nil
	}
	var b [32]byte
	if _, err := io.ReadFull(a.Random, b[:]); err != nil {
		return webhook.Secret{}, webhook.Secret{}, fmt.Errorf("draw a credential: %w", err)
	}
	random := base64.RawURLEncoding.EncodeToString(b[:])
	// Tickets and tokens look like SuperOffice's.
	switch n.Kind {
	case KindBasic:
		return webhook.NewSecret(n.User + ":" + random), webhook.NewSecret(random), nil
	case KindTicket:
		random = "7T:" + base64.StdEncoding.EncodeToString(b[:])
	case KindApp:
		random = hex.EncodeToString(b[:16])
	default:
		random = "8A:" + string(tenant) + "." + random
	}
	return webhook.NewSecret(random), webhook.NewSecret(random), nil
}

// DeleteTenant starts to delete a tenant with all of its data, and returns the id
// of the job that does it. Once it has returned, none of the tenant's credentials
// is accepted. A tenant that is already being deleted keeps its job. ErrNotFound
// if the tenant does not exist. An id together with an error means that the
// deletion has started and that some credentials are accepted until the job has
// revoked them.
func (a *Administration) DeleteTenant(ctx context.Context, by webhook.Associate, tenant webhook.Tenant) (id string, err error) {
	record, err := a.Tenant(ctx, tenant)
	if err != nil {
		return "", err
	}
	if record.Deleting == "" {
		if record.Created.IsZero() {
			if err := a.Tenants.Create(ctx, tenant, a.now()); err != nil && !errors.Is(err, webhook.ErrExists) {
				return "", err
			}
		}
		j, err := job.New(job.DeleteTenant, tenant, by, a.Now(), a.Random)
		if err != nil {
			return "", err
		}
		// The job first: a job whose tenant is not marked does nothing, but a
		// marked tenant without a job would stay marked.
		if err := a.Jobs.Create(ctx, j); err != nil {
			return "", err
		}
		if record, err = a.Tenants.BeginDelete(ctx, tenant, j.ID); err != nil {
			return "", err
		}
	}
	for range revokePages {
		_, more, err := revokePage(ctx, a.Credentials, tenant)
		if _, err = webhook.Readable(err); err != nil || !more { // the job reports unreadable credentials
			return record.Deleting, err
		}
	}
	return record.Deleting, fmt.Errorf("revoke credentials of %s: too many for one call: %w", tenant, webhook.ErrUnavailable)
}

const (
	revokeAtOnce = 100
	revokePages  = 20 // revoked by DeleteTenant itself; the job revokes the rest
)

// revokePage revokes some of a tenant's credentials. It returns how many, and
// whether there may be more. An *UnreadableError names those it could not revoke.
func revokePage(ctx context.Context, credentials Credentials, tenant webhook.Tenant) (n int, more bool, err error) {
	page, unreadable := credentials.List(ctx, tenant, "", revokeAtOnce)
	if _, err := webhook.Readable(unreadable); err != nil {
		return 0, false, err
	}
	for _, c := range page {
		err := credentials.Revoke(ctx, tenant, c.ID)
		switch {
		case err == nil:
			n++
		case !errors.Is(err, webhook.ErrNotFound): // not found: revoked by another call
			return n, false, err
		}
	}
	return n, len(page) == revokeAtOnce, unreadable
}

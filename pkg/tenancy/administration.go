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

// Administration makes and removes tenants and their credentials. Its fields
// must be set before use and not changed after; its methods may be called
// concurrently. The caller checks whether the principal may use it.
type Administration struct {
	Tenants     Tenants
	Credentials Credentials
	Jobs        job.Jobs
	Now         func() time.Time
	Random      io.Reader
}

// NewCredential says what a new credential is to be.
type NewCredential struct {
	Kind CredentialKind // basic, ticket, bearer, app or iam
	// User is the user name; "" for kinds app and iam, where nobody need act.
	User        string
	FullName    string // "" is the user name
	AssociateID int32
	App         string // "" is none
	Scopes      []webhook.Scope
	Role        string    // ARN of the role, for kind iam
	ExpiresAt   time.Time // zero: never
}

const (
	maxCredentialText = 200
	maxBasicUser      = 64
)

func (n NewCredential) validate(now time.Time) error {
	var f webhook.Faults
	user := false
	switch n.Kind {
	case KindBasic, KindTicket, KindBearer:
		user = true
	case KindApp:
		if n.App == "" {
			f.Add("App", "is empty: an app's token names one")
		}
	case KindIAM:
		if RoleARN(n.Role) == "" {
			f.Add("Role", "is no ARN of a role")
		}
	default:
		f.Add("Kind", "must be one of basic, ticket, bearer, app, iam")
	}
	if n.Role != "" && n.Kind != KindIAM {
		f.Add("Role", "is for the kind iam only")
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
				f.Add(text.name, "holds a character that it may not")
				break
			}
		}
	}
	if n.AssociateID < 0 {
		f.Add("AssociateId", "is negative")
	}
	if len(n.Scopes) == 0 {
		f.Add("Scopes", "is empty: name webhooks, events or both")
	}
	for _, s := range n.Scopes {
		if s != webhook.ScopeWebhooks && s != webhook.ScopeEvents {
			f.AddText("Scopes", "Scopes: %.*q is none of webhooks, events", maxCredentialText, string(s))
		}
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		f.Add("ExpiresAt", "has passed")
	}
	return f.Err()
}

// CreateTenant makes a tenant. Errors: *webhook.ValidationError; ErrExists if it is
// there, being deleted or not.
func (a *Administration) CreateTenant(ctx context.Context, name webhook.Tenant) error {
	if !name.Valid() {
		var f webhook.Faults
		f.Add("Name", "must have 1 to 64 characters of A-Z a-z 0-9 _ -")
		return f.Err()
	}
	if name == FirstTenant {
		return fmt.Errorf("tenant %s: %w", name, webhook.ErrExists)
	}
	return a.Tenants.Create(ctx, name, a.now())
}

func (a *Administration) now() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }

// Tenant reads a tenant. FirstTenant is there always.
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

// Exists returns nil if there is such a tenant, else ErrNotFound.
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

// Issue makes a credential for a tenant and draws its text, which nobody can
// ask for again: the password of kind basic, else the token. Of kind iam there
// is none. Errors: *webhook.ValidationError, ErrNotFound (no such tenant), ErrExists (the
// role has a credential already).
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
		Principal: webhook.Principal{Tenant: tenant, Associate: associate, App: n.App, Scopes: n.Scopes},
	}
	if record.Created.IsZero() { // the first tenant, which has no record yet
		if err := a.Tenants.Create(ctx, tenant, now); err != nil && !errors.Is(err, webhook.ErrExists) {
			return Credential{}, webhook.Secret{}, err
		}
	}
	return c, secret, a.Credentials.Create(ctx, c)
}

// draw makes a credential's text, and the part of it that is shown.
func (a *Administration) draw(tenant webhook.Tenant, n NewCredential) (text, shown webhook.Secret, err error) {
	if n.Kind == KindIAM {
		return webhook.NewSecret(RoleARN(n.Role)), webhook.Secret{}, nil
	}
	var b [32]byte
	if _, err := io.ReadFull(a.Random, b[:]); err != nil {
		return webhook.Secret{}, webhook.Secret{}, fmt.Errorf("draw a credential: %w", err)
	}
	random := base64.RawURLEncoding.EncodeToString(b[:])
	// Tickets and tokens look as SuperOffice's do.
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

// DeleteTenant begins to delete a tenant with all that is theirs, and returns
// the id of the job that does it. When it returns none of the tenant's
// credentials is accepted any more. A tenant that is being deleted keeps its
// job. ErrNotFound if there is none. An id beside an error says that the
// deletion has begun, and that credentials may be accepted until the job has
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
		// The job first: one that finds its tenant not marked does nothing, but
		// a tenant marked without a job would stay so.
		if err := a.Jobs.Create(ctx, j); err != nil {
			return "", err
		}
		if record, err = a.Tenants.BeginDelete(ctx, tenant, j.ID); err != nil {
			return "", err
		}
	}
	for range revokePages {
		_, more, err := revokePage(ctx, a.Credentials, tenant)
		if _, err = webhook.Readable(err); err != nil || !more { // the job tells of what cannot be read
			return record.Deleting, err
		}
	}
	return record.Deleting, fmt.Errorf("revoke credentials of %s: more than one call sees to: %w", tenant, webhook.ErrUnavailable)
}

const (
	revokeAtOnce = 100
	revokePages  = 20 // that DeleteTenant revokes itself; the job does the rest
)

// revokePage revokes some credentials of a tenant. It returns how many, and
// whether there may be more. An *UnreadableError names those that stay.
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
		case !errors.Is(err, webhook.ErrNotFound): // which somebody else has revoked
			return n, false, err
		}
	}
	return n, len(page) == revokeAtOnce, unreadable
}

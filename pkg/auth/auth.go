// Package auth authenticates calls: it turns the credential in a request into a
// webhook.Principal, starts and ends browser sessions, and slows down guessing.
//
// A credential is never compared as a string and never stored: it is looked up
// by the SHA-256 of its kind and string, so that a wrong user and a wrong
// password are the same miss, in the response and in its timing. Every lookup is
// a consistent read, so a revoked credential is refused at once; no credential
// is cached. The package refuses to decide what a principal may do
// (webhook.Principal.May and webhook.Registry do), to respond to a request
// (pkg/httpapi does), and to put a credential into an error.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Authenticator checks the credentials of requests. Its fields must be set
// before use, unless they say what being unset means, and not changed after;
// its methods may be called concurrently.
type Authenticator struct {
	// First returns the credential that a deployment starts with, as
	// "user:password": AssociateId 1 of tenancy.FirstTenant. An empty secret or
	// a nil First means there is no such credential. It is called for every
	// Basic credential, right or wrong, so it should cache its result, but no
	// longer than a change may take to apply.
	First func(ctx context.Context) (webhook.Secret, error)
	// Admin returns the administrator's password; AdminUser is the user name.
	// It is called only for that user, and should cache as First does. nil:
	// there is no administrator.
	Admin     func(ctx context.Context) (webhook.Secret, error)
	AdminUser string
	// Credentials stores all other credentials.
	Credentials Credentials
	// Tenants stores which tenants exist and which are being deleted.
	Tenants Tenants
	// Tokens verifies tokens of an external issuer. nil: none are accepted.
	Tokens *Tokens
	// Role returns the ARN of the role that signed a call, as verified by the
	// gateway; "" if the call was not signed. nil: calls are never signed. It
	// must not read the ARN from anything that a caller can send.
	Role func(ctx context.Context) string
	// Throttle slows down guessing. nil: guessing is not slowed down.
	Throttle *Throttle
	Now      func() time.Time
	Random   io.Reader // for session tokens
}

// Credentials is the part of tenancy.Credentials that this package uses.
type Credentials interface {
	Create(ctx context.Context, c tenancy.Credential) error
	Find(ctx context.Context, hash string) (tenancy.Credential, error)
	List(ctx context.Context, tenant webhook.Tenant, after string, limit int) ([]tenancy.Credential, error)
	Revoke(ctx context.Context, tenant webhook.Tenant, id string) error
}

// Tenants is the part of tenancy.Tenants that this package uses.
type Tenants interface {
	Create(ctx context.Context, tenant webhook.Tenant, at time.Time) error
	Get(ctx context.Context, tenant webhook.Tenant) (tenancy.Record, error)
}

// login is an authenticated caller, with what a session started now depends on.
type login struct {
	webhook.Principal
	within    []string  // hashes of the presented credentials
	expiresAt time.Time // zero: never
	// credential is the one presented; zero if it is not a stored one.
	credential tenancy.Credential
}

// Authenticate returns the principal of a request's credential. named is the
// tenant in the request's address, empty without one. It decides the
// principal's tenant for a publisher's credential (tenancy.Credential.Tenants);
// for all others it is ignored, and the caller compares.
//
// Errors: webhook.ErrUnauthorized if the credential is missing, unknown or
// expired, always with the same message; webhook.ErrWrongApp if an SO-AppToken
// does not belong to the credential sent with it; *webhook.ThrottledError after
// too many wrong credentials; the errors of the stores (webhook.ErrUnavailable,
// …) if the credential cannot be looked up now. webhook.ErrNoTenant and
// webhook.ErrWrongTenant are a publisher's, if named is empty or not a tenant that
// its credential may name; only with these two the principal is not zero: it is
// the credential's own, for the log.
func (a *Authenticator) Authenticate(r *http.Request, named webhook.Tenant) (webhook.Principal, error) {
	who, err := a.authenticate(r, true, named)
	return who.Principal, err
}

func (a *Authenticator) authenticate(r *http.Request, cookies bool, named webhook.Tenant) (login, error) {
	p, ok := a.presented(r, cookies)
	if !ok {
		return login{}, webhook.ErrUnauthorized
	}
	if a.Throttle == nil {
		return a.check(r.Context(), p, named)
	}
	guess := a.Throttle.guess(source(r), p)
	if err := guess.allowed(); err != nil {
		return login{}, err
	}
	who, err := a.check(r.Context(), p, named)
	switch { // a wrong tenant is neither: the SO-AppToken has not been checked
	case err == nil:
		guess.passed()
	case errors.Is(err, webhook.ErrUnauthorized), errors.Is(err, webhook.ErrWrongApp):
		guess.failed()
	}
	return who, err
}

// check returns the caller that a presented credential identifies.
func (a *Authenticator) check(ctx context.Context, p presented, named webhook.Tenant) (login, error) {
	who, err := a.principal(ctx, p)
	if err == nil && who.credential.Publisher() {
		who, err = a.enter(ctx, who, named)
	}
	if err != nil || !p.withApp {
		return who, err
	}
	return a.narrow(ctx, who, p.app)
}

func (a *Authenticator) principal(ctx context.Context, p presented) (login, error) {
	if p.malformed {
		return login{}, webhook.ErrUnauthorized
	}
	if p.kind == kindToken {
		return a.token(ctx, p.text)
	}
	if p.kind == tenancy.KindBasic {
		for _, find := range []func(context.Context, string) (login, error){a.admin, a.first} {
			who, err := find(ctx, p.text)
			if !errors.Is(err, webhook.ErrUnauthorized) {
				return who, err
			}
		}
	}
	who, within, err := a.stored(ctx, tenancy.KeyHash(p.kind, webhook.NewSecret(p.text)))
	for _, hash := range within {
		if err == nil {
			err = a.stillValid(ctx, hash)
		}
	}
	if err != nil {
		return login{}, err
	}
	return who, nil
}

// admin accepts the administrator's credential. The user name is not secret.
func (a *Authenticator) admin(ctx context.Context, credential string) (login, error) {
	user, password, _ := strings.Cut(credential, ":")
	if a.Admin == nil || a.AdminUser == "" || user != a.AdminUser {
		return login{}, webhook.ErrUnauthorized
	}
	secret, err := a.Admin(ctx)
	if err != nil {
		return login{}, fmt.Errorf("read the administrator's password: %w", err)
	}
	if secret.IsZero() || !same(secret.Reveal(), password) {
		return login{}, webhook.ErrUnauthorized
	}
	return login{Principal: webhook.Principal{
		Associate: webhook.Associate{Name: user, FullName: user, UserName: user},
		Scopes:    []webhook.Scope{webhook.ScopeAdmin},
	}}, nil
}

// first accepts the credential that the deployment started with.
func (a *Authenticator) first(ctx context.Context, credential string) (login, error) {
	if a.First == nil {
		return login{}, webhook.ErrUnauthorized
	}
	secret, err := a.First(ctx)
	if err != nil {
		return login{}, fmt.Errorf("read the first credential: %w", err)
	}
	if secret.IsZero() || !same(secret.Reveal(), credential) {
		return login{}, webhook.ErrUnauthorized
	}
	if err := a.open(ctx, tenancy.FirstTenant); err != nil {
		return login{}, err
	}
	user, _, _ := strings.Cut(credential, ":")
	return login{
		Principal: webhook.Principal{
			Tenant: tenancy.FirstTenant,
			Associate: webhook.Associate{
				ID: 1, Name: user, FullName: user, UserName: user, Type: "InternalAssociate",
			},
			Scopes: []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
		},
		within: []string{tenancy.KeyHash(tenancy.KindBasic, secret)},
	}, nil
}

// same reports whether two strings are equal, in a time that reveals nothing
// about either.
func same(want, got string) bool {
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// stored returns a credential of the store, and the hashes of the credentials it
// depends on in turn. Deleting a tenant revokes its credentials, so the tenant
// need not be looked up.
func (a *Authenticator) stored(ctx context.Context, hash string) (who login, within []string, err error) {
	found, err := a.Credentials.Find(ctx, hash)
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return login{}, nil, webhook.ErrUnauthorized
	case err != nil:
		return login{}, nil, fmt.Errorf("look up a credential: %w", err)
	case !found.Valid(a.Now()):
		return login{}, nil, webhook.ErrUnauthorized
	}
	return login{Principal: found.Principal, within: []string{hash}, expiresAt: found.ExpiresAt, credential: found}, found.Within, nil
}

// enter returns a publisher's login as one of the tenant that the call names. The
// tenant is looked up for each call. A tenant that the credential does not list
// and one that does not exist are the same error, webhook.ErrWrongTenant.
func (a *Authenticator) enter(ctx context.Context, who login, named webhook.Tenant) (login, error) {
	if named == "" {
		return who, webhook.ErrNoTenant
	}
	if !who.credential.Lists(named) {
		return who, webhook.ErrWrongTenant
	}
	switch err := a.open(ctx, named); {
	case errors.Is(err, webhook.ErrUnauthorized):
		return who, webhook.ErrWrongTenant
	case err != nil:
		return login{}, err
	}
	who.Tenant = named
	return who, nil
}

// stillValid returns nil if a credential that a session was started with is
// still valid, else ErrUnauthorized or the store's error.
func (a *Authenticator) stillValid(ctx context.Context, hash string) error {
	if a.First != nil {
		secret, err := a.First(ctx)
		if err != nil {
			return fmt.Errorf("read the first credential: %w", err)
		}
		if !secret.IsZero() && hash == tenancy.KeyHash(tenancy.KindBasic, secret) {
			return nil
		}
	}
	_, _, err := a.stored(ctx, hash)
	return err
}

// open returns ErrUnauthorized for a tenant that is being deleted or does not
// exist.
func (a *Authenticator) open(ctx context.Context, tenant webhook.Tenant) error {
	record, err := a.Tenants.Get(ctx, tenant)
	switch {
	case errors.Is(err, webhook.ErrNotFound) && tenant == tenancy.FirstTenant:
		return nil // it exists without having been created
	case errors.Is(err, webhook.ErrNotFound):
		return webhook.ErrUnauthorized
	case err != nil:
		return fmt.Errorf("look up a tenant: %w", err)
	case record.Deleting != "":
		return webhook.ErrUnauthorized
	}
	return nil
}

// narrow restricts a caller to an app, with the scopes that both have.
func (a *Authenticator) narrow(ctx context.Context, who login, token string) (login, error) {
	app, _, err := a.stored(ctx, tenancy.KeyHash(tenancy.KindApp, webhook.NewSecret(token)))
	switch {
	case errors.Is(err, webhook.ErrUnauthorized):
		return login{}, webhook.ErrWrongApp
	case err != nil:
		return login{}, err
	case app.Tenant != who.Tenant, who.App != "" && who.App != app.App:
		return login{}, webhook.ErrWrongApp
	}
	who.App = app.App
	who.Scopes = slices.DeleteFunc(slices.Clone(who.Scopes), func(s webhook.Scope) bool { return !app.May(s) })
	who.within = append(slices.Clone(who.within), app.within...)
	who.expiresAt = earlier(who.expiresAt, app.expiresAt)
	return who, nil
}

// earlier returns the earlier of two times. A zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Package auth finds out who makes a call: it turns the credential in a request
// into a webhook.Principal, begins and ends browsers' sessions, and makes
// guessing slow.
//
// A credential is never compared as text and never kept: it is looked up by the
// SHA-256 of its kind and text, so that a wrong user and a wrong password are
// the same miss, in the answer and in the time it takes. Every lookup is a
// consistent read, so that what was revoked is refused at once; no credential
// is cached. The package refuses to decide what a principal may do
// (webhook.Principal.May and webhook.Registry do), to answer a request (pkg/httpapi does),
// and to put a credential into an error.
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
	// First gives the credential that a deployment begins with, as the text
	// "user:password": AssociateId 1 of tenancy.FirstTenant. The empty secret
	// is no credential. nil: there is none. It is asked on every call with a
	// Basic credential, right or wrong, so it should remember, and for no longer
	// than a change may take to hold.
	First func(ctx context.Context) (webhook.Secret, error)
	// Admin gives the administrator's password, and AdminUser is the user name.
	// It is asked on calls of that user only, and should remember as First does.
	// nil: there is no administrator.
	Admin     func(ctx context.Context) (webhook.Secret, error)
	AdminUser string
	// Credentials holds all others.
	Credentials Credentials
	// Tenants says which tenants are being deleted, and which there are.
	Tenants Tenants
	// Tokens checks the tokens of an issuer elsewhere. nil: none are accepted.
	Tokens *Tokens
	// Role gives the ARN of the role that has signed a call, as whatever is in
	// front has checked it; "" if it was not signed. nil: calls are never
	// signed. It must not be read from anything that a caller can send.
	Role func(ctx context.Context) string
	// Throttle makes guessing slow. nil: nothing does.
	Throttle *Throttle
	Now      func() time.Time
	Random   io.Reader // of sessions
}

// Credentials is what is needed of tenancy.Credentials.
type Credentials interface {
	Create(ctx context.Context, c tenancy.Credential) error
	Find(ctx context.Context, hash string) (tenancy.Credential, error)
	List(ctx context.Context, tenant webhook.Tenant, after string, limit int) ([]tenancy.Credential, error)
	Revoke(ctx context.Context, tenant webhook.Tenant, id string) error
}

// Tenants is what is needed of tenancy.Tenants.
type Tenants interface {
	Create(ctx context.Context, tenant webhook.Tenant, at time.Time) error
	Get(ctx context.Context, tenant webhook.Tenant) (tenancy.Record, error)
}

// login is who was found, and what a session that begins now depends on.
type login struct {
	webhook.Principal
	within    []string  // hashes of the credentials that were presented
	expiresAt time.Time // zero: never
	id        string    // of the stored credential, if it is one
}

// Authenticate returns the principal of a request's credential.
//
// Errors: webhook.ErrUnauthorized where there is no credential, or none that is
// known and still valid, always with the same text; webhook.ErrWrongApp where
// an SO-AppToken does not belong to the credential beside it;
// *webhook.ThrottledError after too many wrong ones; what the stores return
// (webhook.ErrUnavailable, …) where nothing can be known now.
func (a *Authenticator) Authenticate(r *http.Request) (webhook.Principal, error) {
	who, err := a.authenticate(r, true)
	return who.Principal, err
}

func (a *Authenticator) authenticate(r *http.Request, cookies bool) (login, error) {
	p, ok := a.presented(r, cookies)
	if !ok {
		return login{}, webhook.ErrUnauthorized
	}
	if a.Throttle == nil {
		return a.check(r.Context(), p)
	}
	guess := a.Throttle.guess(source(r), p)
	if err := guess.allowed(); err != nil {
		return login{}, err
	}
	who, err := a.check(r.Context(), p)
	switch {
	case err == nil:
		guess.passed()
	case errors.Is(err, webhook.ErrUnauthorized), errors.Is(err, webhook.ErrWrongApp):
		guess.failed()
	}
	return who, err
}

// check finds out whom a presented credential stands for.
func (a *Authenticator) check(ctx context.Context, p presented) (login, error) {
	who, err := a.principal(ctx, p)
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
			err = a.stands(ctx, hash)
		}
	}
	if err != nil {
		return login{}, err
	}
	return who, nil
}

// admin knows the administrator, whose user name is no secret.
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

// first knows the credential that the deployment began with.
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

// same compares two texts in a time that tells nothing about either.
func same(want, got string) bool {
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// stored finds a credential in the store, and what it depends on in turn.
// Credentials of a tenant that is being deleted are revoked, so the tenant need
// not be asked.
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
	return login{Principal: found.Principal, within: []string{hash}, expiresAt: found.ExpiresAt, id: found.ID}, found.Within, nil
}

// stands reports whether a credential that a session began with is still valid.
func (a *Authenticator) stands(ctx context.Context, hash string) error {
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

// open refuses tenants that are being deleted, or are not there.
func (a *Authenticator) open(ctx context.Context, tenant webhook.Tenant) error {
	record, err := a.Tenants.Get(ctx, tenant)
	switch {
	case errors.Is(err, webhook.ErrNotFound) && tenant == tenancy.FirstTenant:
		return nil // it is there without having been made
	case errors.Is(err, webhook.ErrNotFound):
		return webhook.ErrUnauthorized
	case err != nil:
		return fmt.Errorf("look up a tenant: %w", err)
	case record.Deleting != "":
		return webhook.ErrUnauthorized
	}
	return nil
}

// narrow makes a caller one of an app, which may not do more than both may.
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

// earlier gives the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

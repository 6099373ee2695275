// Package auth finds out who makes a call: it turns the credential in a request
// into a webhook.Principal.
//
// A credential is never compared as text and never kept: it is looked up by the
// SHA-256 of its kind and text, so that a wrong user and a wrong password are
// the same miss, in the answer and in the time it takes. The package refuses to
// decide what a principal may do (webhook.Principal.May and Sees do), to answer
// a request (pkg/httpapi does), and to put a credential into an error.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Authenticator checks the credentials of requests. Its fields must be set
// before use and not changed after; Authenticate may be called concurrently.
type Authenticator struct {
	// First gives the credential that a deployment begins with, as the text
	// "user:password": AssociateId 1 of tenant Default. The empty secret is
	// no credential. nil: there is none. It is asked on every call, so it
	// should remember.
	First func(ctx context.Context) (webhook.Secret, error)
	// Credentials holds all others. nil: there are no others.
	Credentials Credentials
	// Now is asked whether a credential has expired. Must be set if
	// Credentials is.
	Now func() time.Time
}

// Authenticate returns the principal of a request's credential.
//
// Errors: webhook.ErrUnauthorized where there is no credential, or none that is
// known and still valid, always with the same text; what First and Credentials
// return (webhook.ErrUnavailable, …) where nothing can be known now.
func (a *Authenticator) Authenticate(r *http.Request) (webhook.Principal, error) {
	kind, credential, ok := presented(r)
	if !ok {
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	ctx := r.Context()
	who, err := a.first(ctx, kind, credential)
	if !errors.Is(err, webhook.ErrUnauthorized) {
		return who, err
	}
	return a.stored(ctx, kind, credential)
}

// presented reads the credential that a request carries. The text of a Basic
// credential is "user:password".
func presented(r *http.Request) (kind Kind, credential string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", "", false
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	rest = strings.TrimSpace(rest)
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(rest)
	if err != nil || !strings.Contains(string(decoded), ":") {
		return "", "", false
	}
	return KindBasic, string(decoded), true
}

func (a *Authenticator) first(ctx context.Context, kind Kind, credential string) (webhook.Principal, error) {
	if a.First == nil || kind != KindBasic {
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	secret, err := a.First(ctx)
	if err != nil {
		return webhook.Principal{}, fmt.Errorf("read the first credential: %w", err)
	}
	want := sha256.Sum256([]byte(secret.Reveal()))
	got := sha256.Sum256([]byte(credential))
	if secret.IsZero() || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	user, _, _ := strings.Cut(credential, ":")
	return webhook.Principal{
		Tenant: FirstTenant,
		Associate: webhook.Associate{
			ID: 1, Name: user, FullName: user, UserName: user, Type: "InternalAssociate",
		},
		Scopes: []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
	}, nil
}

func (a *Authenticator) stored(ctx context.Context, kind Kind, credential string) (webhook.Principal, error) {
	if a.Credentials == nil {
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	found, err := a.Credentials.Credential(ctx, KeyHash(kind, webhook.NewSecret(credential)))
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return webhook.Principal{}, webhook.ErrUnauthorized
	case err != nil:
		return webhook.Principal{}, fmt.Errorf("look up a credential: %w", err)
	case !found.ExpiresAt.IsZero() && !a.Now().Before(found.ExpiresAt):
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	return found.Principal, nil
}

package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// StartSession starts a session for the caller that the request's credential
// identifies. It does not accept a cookie, so that no session prolongs itself.
// The session ends after SessionLife, with the credential it was started with,
// with its tenant, or once that credential has maxSessions newer ones, whichever
// comes first. StartSession returns the session's cookies; the code that writes
// them knows the service's public address and sets Secure.
//
// Errors: those of Authenticate; webhook.ErrForbidden for the administrator and
// publishers, who have no sessions.
func (a *Authenticator) StartSession(r *http.Request, named webhook.Tenant) ([]*http.Cookie, webhook.Principal, error) {
	who, err := a.authenticate(r, false, named)
	if err != nil {
		return nil, who.Principal, err
	}
	if who.Tenant == "" || who.credential.Publisher() {
		return nil, who.Principal, webhook.ErrForbidden
	}
	token, err := randomToken(a.Random)
	if err != nil {
		return nil, who.Principal, err
	}
	now := a.Now().UTC()
	id, err := webhook.NewEventID(now, a.Random)
	if err != nil {
		return nil, who.Principal, err
	}
	until := earlier(who.expiresAt, now.Add(SessionLife))
	c := tenancy.Credential{
		ID: sessionsOf(who) + string(id), Hash: tenancy.KeyHash(tenancy.KindSession, webhook.NewSecret(token)), Kind: tenancy.KindSession,
		Principal: who.Principal, Within: who.within, Created: now, ExpiresAt: until,
	}
	ctx := r.Context()
	err = a.Credentials.Create(ctx, c)
	if errors.Is(err, webhook.ErrNotFound) && who.Tenant == tenancy.FirstTenant {
		// The first tenant exists without a record until it needs one.
		if err = a.Tenants.Create(ctx, who.Tenant, now); err == nil || errors.Is(err, webhook.ErrExists) {
			err = a.Credentials.Create(ctx, c)
		}
	}
	switch {
	case errors.Is(err, webhook.ErrNotFound): // the tenant has been deleted
		return nil, who.Principal, webhook.ErrUnauthorized
	case err != nil:
		return nil, who.Principal, fmt.Errorf("start a session: %w", err)
	}
	if err := a.endOldest(ctx, who.Tenant, sessionsOf(who)); err != nil {
		return nil, who.Principal, err
	}
	return cookies(token, xsrfToken(token), until.Sub(now)), who.Principal, nil
}

// EndSession ends the request's session, as identified by its cookie and
// X-XSRF-TOKEN, and returns cookies that make the browser forget it. Errors:
// webhook.ErrUnauthorized if the request has no valid session; those of the
// stores.
func (a *Authenticator) EndSession(r *http.Request) ([]*http.Cookie, webhook.Principal, error) {
	p := presented{}
	if len(r.Header.Values("Authorization")) > 0 || !p.cookie(r) {
		return nil, webhook.Principal{}, webhook.ErrUnauthorized
	}
	who, err := a.authenticate(r, true, "")
	if err != nil {
		return nil, who.Principal, err
	}
	err = a.Credentials.Revoke(r.Context(), who.Tenant, who.credential.ID)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return nil, who.Principal, fmt.Errorf("end a session: %w", err)
	}
	return forgotten(), who.Principal, nil
}

// xsrfToken derives the XSRF token from a session's token, so that it is of no
// use with another session's cookie.
func xsrfToken(session string) string {
	mac := hmac.New(sha256.New, []byte(session))
	_, _ = io.WriteString(mac, XSRFCookie)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// randomToken returns 256 random bits as 43 characters.
func randomToken(random io.Reader) (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("draw a token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

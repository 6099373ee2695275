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

// StartSession begins a session for whom the request's credential stands for;
// a cookie is no credential here, so that no session prolongs itself. The
// session ends after SessionLife, with the credential that it began with,
// with its tenant, or once there are maxSessions newer ones of that credential,
// whatever comes first. It returns the session's cookies; whether they are Secure
// is the writer's to say, who knows the service's public address.
//
// Errors: as Authenticate's; webhook.ErrForbidden for the administrator, who
// has no sessions.
func (a *Authenticator) StartSession(r *http.Request) ([]*http.Cookie, webhook.Principal, error) {
	who, err := a.authenticate(r, false)
	if err != nil {
		return nil, who.Principal, err
	}
	if who.Tenant == "" {
		return nil, who.Principal, webhook.ErrForbidden
	}
	token, err := randomText(a.Random)
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
		// The first tenant is there without a record until it needs one.
		if err = a.Tenants.Create(ctx, who.Tenant, now); err == nil || errors.Is(err, webhook.ErrExists) {
			err = a.Credentials.Create(ctx, c)
		}
	}
	switch {
	case errors.Is(err, webhook.ErrNotFound): // deleted meanwhile
		return nil, who.Principal, webhook.ErrUnauthorized
	case err != nil:
		return nil, who.Principal, fmt.Errorf("start a session: %w", err)
	}
	if err := a.endOldest(ctx, who.Tenant, sessionsOf(who)); err != nil {
		return nil, who.Principal, err
	}
	return cookies(token, xsrfToken(token), until.Sub(now)), who.Principal, nil
}

// EndSession ends the session that the request belongs to, by its cookie and
// X-XSRF-TOKEN, and returns cookies that make the browser forget it.
// webhook.ErrUnauthorized if it belongs to none.
func (a *Authenticator) EndSession(r *http.Request) ([]*http.Cookie, webhook.Principal, error) {
	p := presented{}
	if len(r.Header.Values("Authorization")) > 0 || !p.cookie(r) {
		return nil, webhook.Principal{}, webhook.ErrUnauthorized
	}
	who, err := a.authenticate(r, true)
	if err != nil {
		return nil, who.Principal, err
	}
	err = a.Credentials.Revoke(r.Context(), who.Tenant, who.id)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return nil, who.Principal, fmt.Errorf("end a session: %w", err)
	}
	return forgotten(), who.Principal, nil
}

// xsrfToken follows from a session's token, so that one session's is of no use
// with another's cookie.
func xsrfToken(session string) string {
	mac := hmac.New(sha256.New, []byte(session))
	_, _ = io.WriteString(mac, XSRFCookie)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// randomText gives 256 random bits as 43 characters.
func randomText(random io.Reader) (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("draw a token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

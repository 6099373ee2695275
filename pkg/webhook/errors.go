package webhook

import (
	"errors"
	"fmt"
	"time"
)

// The sentinel errors of the domain. Callers compare with errors.Is;
// implementations wrap them with the operation that failed. The API maps each to
// exactly one HTTP status (the table in pkg/httpapi).
var (
	// ErrNotFound: there is no such thing, or it belongs to someone else. Callers
	// cannot tell the two apart.
	ErrNotFound = errors.New("not found")

	// ErrExists: the key is already taken.
	ErrExists = errors.New("already exists")

	// ErrConflict: the thing changed after it was read. It is safe to read it
	// again and repeat the change.
	ErrConflict = errors.New("changed concurrently")

	// ErrUnavailable: the store, queue or secret store cannot respond now
	// (throttled, timed out, unreachable). A write may or may not have taken
	// place.
	ErrUnavailable = errors.New("temporarily unavailable")

	// ErrSecretUnavailable: a version of a secret cannot be read now. The
	// delivery is retried later, never sent unsigned.
	ErrSecretUnavailable = errors.New("secret version unavailable")

	// ErrSecretDamaged is an ErrSecretUnavailable that does not end by itself: what is
	// stored is damaged, or belongs to another webhook. The delivery is retried
	// nevertheless, since the secrets can be set again.
	ErrSecretDamaged = fmt.Errorf("%w: damaged", ErrSecretUnavailable)

	// ErrUnauthorized: the credential is missing or unknown.
	ErrUnauthorized = errors.New("not authenticated")

	// ErrForbidden: the credential is known but lacks a scope.
	ErrForbidden = errors.New("not allowed")

	// ErrWrongApp: the call's app token belongs to a different app than its
	// credential, or is not an app token.
	ErrWrongApp = errors.New("app token of a different credential")

	// ErrWrongTenant: the call names a tenant that its credential is not for, or
	// that does not exist.
	ErrWrongTenant = errors.New("wrong tenant")
	// ErrNoTenant: the credential is for several tenants, and the call names none.
	ErrNoTenant = errors.New("the address names no tenant")

	// ErrTooLarge: an input exceeds a documented size limit.
	ErrTooLarge = errors.New("too large")

	// ErrLoop: a signal has passed through too many webhooks.
	ErrLoop = errors.New("loop detected")

	// ErrIdempotencyKeyReused: an idempotency key was sent again with a different
	// body.
	ErrIdempotencyKeyReused = errors.New("idempotency key reused with a different body")
)

// LimitError reports that a tenant has reached its limit of webhooks.
type LimitError struct{ Webhooks int }

func (e *LimitError) Error() string {
	return fmt.Sprintf("The tenant has reached its limit of %d webhooks (WEBHOOKS_PER_TENANT): delete one before you create another", e.Webhooks)
}

// ThrottledError reports that a documented rate was exceeded, and when to try
// again.
type ThrottledError struct {
	Reason string
	After  time.Duration
}

func (e *ThrottledError) Error() string { return e.Reason }

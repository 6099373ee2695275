package webhook

import (
	"errors"
	"fmt"
	"time"
)

// The sentinels of the domain. Callers compare with errors.Is; implementations
// wrap them with what was being done. The API turns each into exactly one HTTP
// status (one table in pkg/httpapi).
var (
	// ErrNotFound: no such thing, or it belongs to somebody else. The two are
	// never told apart.
	ErrNotFound = errors.New("not found")

	// ErrExists: a thing under this key is there already.
	ErrExists = errors.New("already exists")

	// ErrConflict: the thing changed since it was read. Reading again and
	// repeating the change is safe.
	ErrConflict = errors.New("changed meanwhile")

	// ErrRefused: a delivery row did not meet the condition of a write. The
	// method that returns it returns the row as it stands as well.
	ErrRefused = errors.New("refused by the row's state")

	// ErrUnavailable: the store, queue or secret store cannot answer now
	// (throttled, timed out, unreachable). Nothing is known about whether a
	// write took place.
	ErrUnavailable = errors.New("temporarily unavailable")

	// ErrSecretUnavailable: a secret's version cannot be read now. A delivery
	// that meets it is tried later, never sent unsigned.
	ErrSecretUnavailable = errors.New("secret version not readable")

	// ErrUnauthorized: no credential, or none that is known.
	ErrUnauthorized = errors.New("not authenticated")

	// ErrForbidden: the credential is known and lacks a scope.
	ErrForbidden = errors.New("not allowed")

	// ErrWrongApp: an app's token stands beside a credential that is not of
	// that app, or it is no app's token.
	ErrWrongApp = errors.New("app token of another credential")

	// ErrWrongTenant: the call names a tenant that its credential is not for, or
	// that does not exist.
	ErrWrongTenant = errors.New("wrong tenant")
	// ErrNoTenant: the credential is for several tenants, and the call names none.
	ErrNoTenant = errors.New("no tenant named")

	// ErrPrecondition: a condition that the caller stated does not hold.
	ErrPrecondition = errors.New("precondition failed")

	// ErrTooLarge: an input is over a documented limit of size.
	ErrTooLarge = errors.New("too large")

	// ErrLoop: a signal has passed through webhooks too often.
	ErrLoop = errors.New("loop detected")

	// ErrIdempotencyKeyReused: an idempotency key came back with another body.
	ErrIdempotencyKeyReused = errors.New("idempotency key used with another body")
)

// LimitError says that a tenant has as many webhooks as it may have.
type LimitError struct{ Webhooks int }

func (e *LimitError) Error() string {
	return fmt.Sprintf("A tenant may have %d webhooks (WEBHOOKS_PER_TENANT): delete one before you create another", e.Webhooks)
}

// ThrottledError says that a documented rate was exceeded and when to come
// back.
type ThrottledError struct {
	Reason string
	After  time.Duration
}

func (e *ThrottledError) Error() string { return e.Reason }

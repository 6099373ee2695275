package custody

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Store names a store of secrets, as the setting SECRET_STORE and the API spell it.
type Store string

// The stores.
const (
	InManager Store = "manager" // Secrets Manager
	InItems   Store = "sealed"  // sealed, in the webhooks' items
)

// Stores is both stores of secrets. Methods may be called concurrently.
type Stores interface {
	// Read reads secrets of either store, and Delete deletes them; see webhook.Secrets.
	Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error)
	Delete(ctx context.Context, name string) error

	// In returns one of the stores, whichever of the two the settings write.
	In(store Store) webhook.Secrets

	// Holder returns the store that has the secret with this name.
	Holder(name string) Store

	// Outdated reports whether a sealed secret's key is not the one that seals now.
	// Errors: ErrUnavailable.
	Outdated(ctx context.Context, ref webhook.SecretRef) (bool, error)

	// AddKey adds a root key, which seals after a minute. Errors:
	// *webhook.ValidationError if there is no room for another, ErrUnavailable.
	AddKey(ctx context.Context) error
}

// Administration begins jobs. Its fields must be set before use and not changed
// afterwards; its methods may be called concurrently. The caller checks whether the
// principal may use it.
type Administration struct {
	Jobs job.Jobs
	// TenantExists returns nil if the tenant exists, and webhook.ErrNotFound if not.
	TenantExists func(ctx context.Context, tenant webhook.Tenant) error
	Now          func() time.Time
	Random       io.Reader
}

// Move begins a job that moves the secrets of a tenant's webhooks and sources into a
// store, or of all tenants' if tenant is empty.
//
// Errors: *webhook.ValidationError, webhook.ErrNotFound for an unknown tenant,
// *BusyError, webhook.ErrUnavailable.
func (a *Administration) Move(ctx context.Context, by webhook.Associate, to Store, tenant webhook.Tenant) (job.Job, error) {
	var f webhook.Faults
	kind := kindOf[to]
	if kind == "" {
		f.Add("To", "must be %q or %q", InManager, InItems)
	}
	if err := f.Err(); err != nil {
		return job.Job{}, err
	}
	if tenant != "" {
		if err := a.TenantExists(ctx, tenant); err != nil {
			return job.Job{}, err
		}
	}
	return a.begin(ctx, kind, tenant, by)
}

// Rotate begins a job that adds a root key and then seals all sealed secrets under it.
// Errors: *BusyError, webhook.ErrUnavailable.
func (a *Administration) Rotate(ctx context.Context, by webhook.Associate) (job.Job, error) {
	return a.begin(ctx, job.RotateRoot, "", by)
}

var kindOf = map[Store]job.Kind{InManager: job.MoveToManager, InItems: job.MoveToItems}

// BusyError reports that a job of this package is running. Two at once would move the
// same secrets.
type BusyError struct{ JobID string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("Job %s is still moving secrets: wait for its end, or cancel it", e.JobID)
}

func (a *Administration) begin(ctx context.Context, kind job.Kind, tenant webhook.Tenant, by webhook.Associate) (job.Job, error) {
	const most = 1_000
	running, err := a.Jobs.Running(ctx, most)
	if _, err = webhook.Readable(err); err != nil {
		return job.Job{}, err
	}
	for _, j := range running {
		switch j.Kind {
		case job.MoveToManager, job.MoveToItems, job.RotateRoot:
			return job.Job{}, &BusyError{j.ID}
		case job.Redispatch, job.Replay, job.DeleteTenant:
		}
	}
	j, err := job.New(kind, tenant, by, a.Now(), a.Random)
	if err != nil {
		return job.Job{}, err
	}
	return j, a.Jobs.Create(ctx, j)
}

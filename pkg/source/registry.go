package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Registry creates, replaces and deletes sources for administrators. Its fields
// must be set before use, except where noted, and not changed after; its methods
// may be called concurrently, from any number of processes. The caller checks
// whether the principal may use it.
type Registry struct {
	Sources Sources
	Secrets webhook.Secrets
	Intents Intents
	// TenantExists returns nil for a tenant that exists and is not being deleted,
	// otherwise webhook.ErrNotFound.
	TenantExists func(ctx context.Context, tenant webhook.Tenant) error
	// OwnTables are the names of the service's tables.
	OwnTables []string
	// BusTenant is the tenant of the built-in source's events. Empty: there is no
	// built-in source.
	BusTenant webhook.Tenant
	// EventLife is how long events are kept.
	EventLife time.Duration
	Now       func() time.Time
	Random    io.Reader
}

// Intents is the part of webhook.Webhooks that notes secrets about to be created
// or deleted. Those of sources have the webhook 0.
type Intents interface {
	PutIntent(ctx context.Context, intent webhook.Intent) error
	RemoveIntent(ctx context.Context, intent webhook.Intent) error
}

// Draft is what an administrator states about a source. Revision, the times and
// what the registry keeps about a relay's secret are ignored.
type Draft struct {
	Source
	// Secret verifies a relay's deliveries. nil or webhook.MaskedSecret: the
	// stored one.
	Secret *webhook.Secret
}

// Saved is a source as a method of the registry left it.
type Saved struct {
	Source
	// Changed names the members that changed, as the wire spells them.
	Changed []string
}

// maxStored bounds the stored form of a source: environments that take records
// read all sources every few seconds.
const maxStored = 32 << 10

// saving is how often a save that lost a race starts over.
var saving = backoff.Policy{Tries: 8, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}

func (r *Registry) now() time.Time { return r.Now().UTC().Truncate(time.Millisecond) }

// List returns all sources in the order of their names, the built-in one first.
func (r *Registry) List(ctx context.Context) ([]Source, error) {
	all, err := r.Sources.List(ctx)
	if builtIn := r.builtIn(); r.BusTenant != "" {
		all = append([]Source{builtIn}, all...)
	}
	return all, err
}

// Get returns a source. webhook.ErrNotFound if there is none.
func (r *Registry) Get(ctx context.Context, name string) (Source, error) {
	if builtIn := r.builtIn(); r.BusTenant != "" && name == builtIn.Name {
		return builtIn, nil
	}
	if !validName(name) {
		return Source{}, fmt.Errorf("source: %w", webhook.ErrNotFound)
	}
	return r.Sources.Get(ctx, name)
}

// builtIn returns the built-in source. Its revision is 0: it is not stored.
func (r *Registry) builtIn() Source {
	s := DefaultBus(r.BusTenant)
	s.Revision = 0
	return s
}

// Create stores a new source. Errors: *webhook.ValidationError with all faults,
// also for one more than MaxSources; webhook.ErrExists, webhook.ErrUnavailable.
func (r *Registry) Create(ctx context.Context, by string, d Draft) (Source, error) {
	now := r.now()
	s := d.Source
	s.Revision, s.Created, s.Updated, s.UpdatedBy = 1, now, now, by
	if s.Relay != nil {
		relay := *s.Relay
		relay.Secret, relay.Rotations, relay.RotationDay = webhook.SecretRef{}, 0, ""
		s.Relay = &relay
	}
	all, err := r.validate(ctx, s, d, true)
	if err != nil {
		return Source{}, err
	}
	// Checked before a secret is created; the store has the last word.
	if slices.ContainsFunc(all, func(other Source) bool { return other.Name == s.Name }) {
		return Source{}, fmt.Errorf("create source %s: %w", s.Name, webhook.ErrExists)
	}
	if len(all) >= MaxSources {
		return Source{}, FullError()
	}
	secret := ""
	if s.Relay != nil {
		if s.Relay.Secret, err = r.createSecret(ctx, s, webhook.SecretDocument{Current: *d.Secret}, now); err != nil {
			return Source{}, fmt.Errorf("create source %s: %w", s.Name, err)
		}
		secret = s.Relay.Secret.Name
	}
	err = r.Sources.Put(ctx, s)
	var invalid *webhook.ValidationError
	if errors.Is(err, webhook.ErrExists) || errors.As(err, &invalid) {
		r.dropSecret(ctx, secret, now)
	}
	if err != nil {
		return Source{}, err
	}
	r.forgetIntent(ctx, secret, now)
	return s, nil
}

// Replace stores what a source becomes. revision is the one that the draft is
// based on: webhook.ErrConflict if the stored one is another. 0: any. The draft's
// Name, Kind and Tenant must be the stored ones or empty. Errors: as for Create;
// webhook.ErrNotFound, and *webhook.ThrottledError for too many rotations of a
// secret in a day.
func (r *Registry) Replace(ctx context.Context, by, name string, revision int64, d Draft) (Saved, error) {
	return r.change(ctx, by, name, revision, func(s *Source) (pending, error) {
		current := *s
		if err := fixed(current, &d.Source); err != nil {
			return pending{}, err
		}
		s.Bus, s.Table, s.Relay, s.ExpectWithin = d.Bus, d.Table, d.Relay, d.ExpectWithin
		if d.Relay != nil && current.Relay != nil {
			relay := *current.Relay // with its secret
			relay.Protocol, relay.Context, relay.SecretOverlap = d.Relay.Protocol, d.Relay.Context, d.Relay.SecretOverlap
			s.Relay = &relay
		}
		if _, err := r.validate(ctx, *s, d, false); err != nil {
			return pending{}, err
		}
		if s.Relay == nil || !statesSecret(d.Secret) {
			return pending{}, nil
		}
		return r.rotate(ctx, s, *d.Secret)
	})
}

// EndOverlap makes a relay's previous secret stop verifying. Without a previous
// secret nothing changes. Errors: as for Replace; *webhook.ValidationError for a
// source of another kind.
func (r *Registry) EndOverlap(ctx context.Context, by, name string) (Saved, error) {
	return r.change(ctx, by, name, 0, func(s *Source) (pending, error) {
		if s.Relay == nil {
			return pending{}, webhook.Invalid("Only a source of the kind %s has a secret", KindRelay)
		}
		doc, err := webhook.ReadSecret(ctx, r.Secrets, s.Tenant, 0, s.Relay.Secret)
		if err != nil {
			return pending{}, secretGone(err)
		}
		if _, previous := doc.InOrder(webhook.SignerCurrent, s.Updated); previous.IsZero() {
			return pending{none: true}, nil
		}
		return r.replaceSecret(ctx, s, webhook.SecretDocument{Current: doc.Current})
	})
}

// pending is what a change leaves to do once it is stored.
type pending struct {
	none    bool   // nothing is to be stored
	created string // secret whose intent is removed
	dropped string // secret that is deleted
}

// change stores what decide makes of a source: it is called with the next
// revision, and called again if another writer was faster and any revision will
// do.
func (r *Registry) change(ctx context.Context, by, name string, revision int64, decide func(next *Source) (pending, error)) (saved Saved, err error) {
	wrote := false
	again := func(err error) bool { return wrote && revision == 0 && errors.Is(err, webhook.ErrConflict) }
	err = saving.Retry(ctx, r.Random, again, func() error {
		wrote = false
		current, err := r.stored(ctx, name)
		if err != nil {
			return err
		}
		if revision != 0 && revision != current.Revision {
			return fmt.Errorf("source %s is at revision %d: %w", name, current.Revision, webhook.ErrConflict)
		}
		next := current
		next.Revision, next.Updated, next.UpdatedBy = current.Revision+1, r.now(), by
		todo, err := decide(&next)
		if err != nil || todo.none {
			saved = Saved{Source: current}
			return err
		}
		wrote = true
		if err := r.Sources.Put(ctx, next); err != nil {
			return err
		}
		r.forgetIntent(ctx, todo.created, next.Updated)
		r.dropSecret(ctx, todo.dropped, next.Updated)
		saved = Saved{Source: next, Changed: changedMembers(current, next)}
		return nil
	})
	if err != nil {
		return Saved{}, err
	}
	return saved, nil
}

// stored returns a source that can be changed.
func (r *Registry) stored(ctx context.Context, name string) (Source, error) {
	if builtIn := r.builtIn(); name == builtIn.Name && r.BusTenant != "" {
		return Source{}, webhook.Invalid("The built-in source cannot be changed: create a source of the kind %s, which takes its events first", KindBus)
	}
	return r.Get(ctx, name)
}

// Delete removes a source with its counts and its secret. revision is as for
// Replace. It returns the source as it was.
func (r *Registry) Delete(ctx context.Context, name string, revision int64) (Source, error) {
	return r.delete(ctx, name, revision, nil)
}

// delete is Delete, of a source for which belongs is true if it is not nil; of
// others webhook.ErrNotFound.
func (r *Registry) delete(ctx context.Context, name string, revision int64, belongs func(Source) bool) (deleted Source, err error) {
	wrote := false
	again := func(err error) bool { return wrote && revision == 0 && errors.Is(err, webhook.ErrConflict) }
	err = saving.Retry(ctx, r.Random, again, func() error {
		wrote = false
		s, err := r.stored(ctx, name)
		if err != nil {
			return err
		}
		if revision != 0 && revision != s.Revision {
			return fmt.Errorf("source %s is at revision %d: %w", name, s.Revision, webhook.ErrConflict)
		}
		if belongs != nil && !belongs(s) {
			return fmt.Errorf("source %s: %w", name, webhook.ErrNotFound)
		}
		now, secret := r.now(), ""
		if s.Relay != nil {
			secret = s.Relay.Secret.OwnSecret(s.Tenant, 0)
		}
		if secret != "" {
			if err := r.putIntent(ctx, s, secret, now); err != nil {
				return err
			}
		}
		wrote = true
		if err := r.Sources.Delete(ctx, name, s.Revision); err != nil {
			return err
		}
		r.dropSecret(ctx, secret, now)
		deleted = s
		return nil
	})
	if err != nil {
		return Source{}, err
	}
	return deleted, nil
}

// DeleteTenant removes up to limit sources of a tenant and returns how many it
// removed. A table with a TenantAttribute belongs to no tenant and stays: its
// records for the tenant are skipped. A *webhook.UnreadableError names sources
// that may be the tenant's and stay.
func (r *Registry) DeleteTenant(ctx context.Context, tenant webhook.Tenant, limit int) (n int, err error) {
	all, unreadable := r.Sources.List(ctx)
	if _, err := webhook.Readable(unreadable); err != nil {
		return 0, err
	}
	if errors.Is(unreadable, webhook.ErrNewer) {
		return 0, fmt.Errorf("sources of %s: %w: a newer release must delete them: %s", tenant, webhook.ErrUnavailable, unreadable.Error())
	}
	theirs := func(s Source) bool { return s.Tenant == tenant }
	for _, s := range all {
		if !theirs(s) || n >= limit {
			continue
		}
		if _, err := r.delete(ctx, s.Name, 0, theirs); err != nil && !errors.Is(err, webhook.ErrNotFound) {
			return n, err
		}
		n++
	}
	return n, unreadable
}

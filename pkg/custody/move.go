package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// owner is a webhook or a source, and the reference to its secret.
type owner struct {
	tenant webhook.Tenant
	id     int32  // of the webhook; 0: of a source
	source string // name of the source
	ref    webhook.SecretRef
	// commit stores another reference, if the owner is as it was read.
	// webhook.ErrConflict: it changed, or no longer exists.
	commit func(ctx context.Context, now time.Time, next webhook.SecretRef) error
	// unchanged reports whether the owner is stored as it was read.
	unchanged func(ctx context.Context) bool
}

func (o owner) String() string {
	if o.source != "" {
		return fmt.Sprintf("source %s of tenant %s", o.source, o.tenant)
	}
	return fmt.Sprintf("webhook %d of tenant %s", o.id, o.tenant)
}

// ownedBy returns a webhook as the owner of its secret.
func (m *Mover) ownedBy(w webhook.Webhook) owner {
	return owner{
		tenant: w.Tenant, id: w.ID, ref: w.Secret,
		commit: func(ctx context.Context, now time.Time, ref webhook.SecretRef) error {
			next := w
			next.Secret = ref
			next.Revision++
			err := m.Webhooks.Update(ctx, next, webhook.Moving(now, m.HistoryLife))
			if errors.Is(err, webhook.ErrNotFound) {
				return webhook.ErrConflict
			}
			return err
		},
		unchanged: func(ctx context.Context) bool {
			stored, err := m.Webhooks.Get(ctx, w.Tenant, w.ID)
			return err == nil && stored.Revision == w.Revision
		},
	}
}

// ownedBySource returns a source as the owner of its secret.
func (m *Mover) ownedBySource(name string, tenant webhook.Tenant, ref webhook.SecretRef) owner {
	return owner{
		tenant: tenant, source: name, ref: ref,
		commit: func(ctx context.Context, _ time.Time, next webhook.SecretRef) error {
			return m.Sources.MoveSecret(ctx, name, ref, next)
		},
		unchanged: func(ctx context.Context) bool {
			_, stored, err := m.Sources.SecretOf(ctx, name)
			return err == nil && stored == ref
		},
	}
}

// keep does for one secret what the kind of job asks for, and reports whether there was
// something to do. ErrConflict: its owner changed meanwhile.
func (m *Mover) keep(ctx context.Context, kind job.Kind, o owner) (done bool, err error) {
	if o.ref.Name == "" {
		return false, nil
	}
	from, to := m.Stores.Holder(o.ref.Name), InItems
	if kind == job.MoveToManager {
		to = InManager
	}
	if kind == job.RotateRoot {
		if from != InItems {
			return false, nil
		}
		outdated, err := m.Stores.Outdated(ctx, o.ref)
		if err != nil || !outdated {
			return false, err
		}
		return true, m.replace(ctx, o, to)
	}
	if from == to {
		return false, nil
	}
	return true, m.replace(ctx, o, to)
}

// replace stores the document of an owner in a new secret of a store: it reads the old
// one, creates the new one, commits it if the owner is as it was, and only then deletes
// the old one. Until the commit the old one signs and verifies, after it the new one. Of
// a Mover that dies in between, intents remain, and the sweep deletes the secret that the
// owner does not refer to.
func (m *Mover) replace(ctx context.Context, o owner, to Store) error {
	now := m.Now().UTC()
	doc, err := webhook.ReadSecret(ctx, m.Stores, o.tenant, o.id, o.ref)
	if err != nil {
		return err
	}
	store := m.Stores.In(to)
	name, err := store.Name(o.tenant, o.id)
	if err != nil {
		return err
	}
	created := webhook.Intent{Secret: name, Tenant: o.tenant, Webhook: o.id, At: now}
	dropped := webhook.Intent{Secret: o.ref.Name, Tenant: o.tenant, Webhook: o.id, At: now}
	for _, intent := range []webhook.Intent{created, dropped} {
		if err := m.Webhooks.PutIntent(ctx, intent); err != nil {
			return err
		}
	}
	ref, err := store.Create(ctx, name, doc)
	if err != nil {
		return err
	}
	ref.Signed = o.ref.Signed
	err = o.commit(ctx, now, ref)
	if errors.Is(err, webhook.ErrConflict) {
		m.drop(ctx, created)
		return fmt.Errorf("move the secret of %s: %w", o, err)
	}
	if err != nil {
		return err
	}
	// The secret has moved. What fails from here on the sweep does later.
	_ = m.Webhooks.RemoveIntent(ctx, created)
	m.drop(ctx, dropped)
	return nil
}

// drop deletes the secret of an intent.
func (m *Mover) drop(ctx context.Context, intent webhook.Intent) {
	if m.Stores.Delete(ctx, intent.Secret) == nil {
		_ = m.Webhooks.RemoveIntent(ctx, intent)
	}
}

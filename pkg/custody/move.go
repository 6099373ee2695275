package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// webhook does for one webhook what the kind of job asks for, and reports whether there
// was something to do. ErrConflict: the webhook changed meanwhile.
func (m *Mover) webhook(ctx context.Context, kind job.Kind, w webhook.Webhook) (done bool, err error) {
	if w.Secret.Name == "" {
		return false, nil
	}
	from, to := m.Stores.Holder(w.Secret.Name), InItems
	if kind == job.MoveToManager {
		to = InManager
	}
	if kind == job.RotateRoot {
		if from != InItems {
			return false, nil
		}
		outdated, err := m.Stores.Outdated(ctx, w.Secret)
		if err != nil || !outdated {
			return false, err
		}
		return true, m.replace(ctx, w, to)
	}
	if from == to {
		return false, nil
	}
	return true, m.replace(ctx, w, to)
}

// replace stores the document of a webhook in a new secret of a store: it reads
// the old one, creates the new one, commits it under the webhook's revision, and only
// then deletes the old one. Until the commit every POST is signed with the old one,
// after it with the new one. Of a Mover that dies in between, intents remain, and the
// sweep deletes the secret that the webhook does not refer to.
func (m *Mover) replace(ctx context.Context, w webhook.Webhook, to Store) error {
	now := m.Now().UTC()
	doc, err := webhook.ReadSecret(ctx, m.Stores, w.Tenant, w.ID, w.Secret)
	if err != nil {
		return err
	}
	store := m.Stores.In(to)
	name, err := store.Name(w.Tenant, w.ID)
	if err != nil {
		return err
	}
	created := webhook.Intent{Secret: name, Tenant: w.Tenant, Webhook: w.ID, At: now}
	dropped := webhook.Intent{Secret: w.Secret.Name, Tenant: w.Tenant, Webhook: w.ID, At: now}
	for _, intent := range []webhook.Intent{created, dropped} {
		if err := m.Webhooks.PutIntent(ctx, intent); err != nil {
			return err
		}
	}
	ref, err := store.Create(ctx, name, doc)
	if err != nil {
		return err
	}
	next := w
	next.Secret = ref
	next.Secret.Signed = w.Secret.Signed
	next.Revision++
	err = m.Webhooks.Update(ctx, next, webhook.Moving(now, m.HistoryLife))
	if errors.Is(err, webhook.ErrConflict) || errors.Is(err, webhook.ErrNotFound) {
		m.drop(ctx, created)
		return fmt.Errorf("move the secret of webhook %d: %w", w.ID, webhook.ErrConflict)
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

package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
)

// Registry creates, changes and deletes webhooks for principals. It holds the rules
// that need more than one contract: which secret version a webhook names, which
// events a change of state raises, who may see what.
//
// Methods that check a draft take the hosts by which the call reached the service:
// like Rules.OwnHosts, they are refused as targets.
//
// The fields must be set before use (Ping, Events and Audit may be nil) and must not
// change afterwards. The methods may be called concurrently, from any number of
// processes.
type Registry struct {
	Webhooks Webhooks
	Secrets  Secrets
	Rules    Rules
	Now      func() time.Time
	Random   io.Reader
	// EventLife is how long state events are kept.
	EventLife time.Duration
	// HistoryLife is how long a webhook that a change replaced is kept. 0: as long as
	// the tenant exists.
	HistoryLife time.Duration
	// Ping sends the test event, which a target must accept before it is saved and
	// which the operation Test sends. nil: targets are not checked, and the
	// operation is not available.
	Ping func(ctx context.Context, post Post) Result
	// SkipTargetCheck saves webhooks without testing their targets.
	SkipTargetCheck bool
	// Events keeps the idempotency keys of creates. nil: CreateOnce is not
	// available.
	Events Events
	// Audit is called after each committed write of a webhook, with the context of
	// the method that made it. The action is "create webhook", "change webhook" or
	// "delete webhook". changed names the members, options included, that a change
	// sets to another value; never a value. nil: no audit.
	Audit func(ctx context.Context, action string, written Key, changed []string)
	// Turned is called after each committed write that changes a webhook's State: what
	// waits for the webhook has to be looked at. nil: not called.
	Turned func(ctx context.Context, written Key)
}

// The actions that Audit is called with.
const (
	actionCreate = "create webhook"
	actionChange = "change webhook"
	actionDelete = "delete webhook"
)

func (r *Registry) audit(ctx context.Context, action string, tenant Tenant, id int32, changed ...string) {
	if r.Audit != nil {
		r.Audit(ctx, action, Key{tenant, id}, changed)
	}
}

const (
	// pingTimeout is short because the API gateway ends a call after 30 s.
	pingTimeout = 8 * time.Second
	// maxRotations is the most versions of a secret per day: the secret store
	// keeps all versions of a day, a hundred at most.
	maxRotations = 20
)

// saving is the backoff policy of saves that lose a race.
var saving = backoff.Policy{Tries: 8, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}

// retry repeats a change that lost a race. wrote says that the error is the write's,
// or errSecretMoved: any other error ends the change.
func (r *Registry) retry(ctx context.Context, try func() (wrote bool, err error)) error {
	wrote := false
	return saving.Retry(ctx, r.Random, func(err error) bool { return wrote && errors.Is(err, ErrConflict) }, func() (err error) {
		wrote, err = try()
		return err
	})
}

// Get reads a webhook. ErrNotFound unless the principal sees it.
func (r *Registry) Get(ctx context.Context, who Principal, id int32) (Webhook, error) {
	w, err := r.Webhooks.Get(ctx, who.Tenant, id)
	if err != nil {
		return Webhook{}, fmt.Errorf("webhook %d: %w", id, err)
	}
	if !who.Sees(w) {
		return Webhook{}, fmt.Errorf("webhook %d: %w", id, ErrNotFound)
	}
	return w, nil
}

// List returns a page of the webhooks that the principal sees, in order of id,
// starting after an id: at most limit, and fewer if they are large. next is the id
// to continue after, 0 at the end.
func (r *Registry) List(ctx context.Context, who Principal, after int32, limit int) (seen []Webhook, next int32, err error) {
	for more := true; more && len(seen) == 0; {
		var page []Webhook
		if page, more, err = r.Webhooks.List(ctx, who.Tenant, after, limit); err != nil {
			return nil, 0, fmt.Errorf("list webhooks: %w", err)
		}
		for _, w := range page {
			if after = w.ID; who.Sees(w) {
				seen = append(seen, w)
			}
		}
		if !more {
			return seen, 0, nil
		}
	}
	return seen, after, nil
}

// Document reads the secret document of a webhook. ErrSecretUnavailable if it
// cannot be read now or no longer exists: the webhook itself exists, so ErrNotFound
// would be misleading.
func (r *Registry) Document(ctx context.Context, w Webhook) (SecretDocument, error) {
	if w.Secret.Name == "" {
		return SecretDocument{}, nil
	}
	doc, err := ReadSecret(ctx, r.Secrets, w.Tenant, w.ID, w.Secret)
	return doc, secretGone(err)
}

// Create stores a new webhook for the principal. Errors: *ValidationError with all
// faults, *LimitError, ErrUnavailable.
func (r *Registry) Create(ctx context.Context, who Principal, d Draft, ownHosts ...string) (Webhook, error) {
	doc, err := r.newDocument(d, ownHosts)
	if err != nil {
		return Webhook{}, err
	}
	id, err := r.Webhooks.NextID(ctx, who.Tenant)
	if err != nil {
		return Webhook{}, fmt.Errorf("create webhook: %w", err)
	}
	return r.create(ctx, who, id, d, doc)
}

// newDocument checks the draft of a new webhook and returns its secret document.
func (r *Registry) newDocument(d Draft, ownHosts []string) (SecretDocument, error) {
	if err := d.validate(Webhook{}, r.Rules.Own(ownHosts...)); err != nil {
		return SecretDocument{}, err
	}
	return d.document(SecretDocument{}, time.Time{})
}

// create stores a checked webhook under an id. ErrExists if the id is taken.
func (r *Registry) create(ctx context.Context, who Principal, id int32, d Draft, doc SecretDocument) (Webhook, error) {
	now := r.Now().UTC()
	w := d.webhook(Webhook{
		Tenant: who.Tenant, ID: id, App: who.App, Registered: now, RegisteredBy: who.Associate, State: StateActive,
	})
	w.Updated, w.UpdatedBy, w.Revision = now, who.Associate, 1
	if w.State == StateActive {
		w.Activation, w.ActivatedAt = 1, now
	}
	if !doc.Current.IsZero() {
		w.SecretSince = now
	}
	if err := r.Webhooks.HasRoom(ctx, who.Tenant); err != nil {
		return Webhook{}, fmt.Errorf("create webhook: %w", err)
	}
	if err := r.ping(ctx, Webhook{}, w, doc, true); err != nil {
		return Webhook{}, err
	}
	var err error
	if !doc.isZero() {
		if w.Secret, err = r.createSecret(ctx, w, doc, now); err != nil {
			return Webhook{}, fmt.Errorf("create webhook %d: %w", id, err)
		}
	}
	err = r.Webhooks.Create(ctx, w)
	var full *LimitError
	if errors.Is(err, ErrExists) || errors.As(err, &full) {
		r.dropSecret(ctx, w.Secret.Name, now)
	}
	if err != nil {
		return Webhook{}, fmt.Errorf("create webhook %d: %w", id, err)
	}
	r.audit(ctx, actionCreate, w.Tenant, id)
	r.forgetIntent(ctx, w.Secret.Name, now)
	return w, nil
}

// Delete removes a webhook that the principal sees, and its secret. check is called
// first; its error ends the deletion and is returned unchanged. nil: no check.
func (r *Registry) Delete(ctx context.Context, who Principal, id int32, check func(Webhook) error) error {
	return r.retry(ctx, func() (wrote bool, err error) {
		w, err := r.Get(ctx, who, id)
		if err != nil {
			return false, err
		}
		if check != nil {
			if err := check(w); err != nil {
				return false, err
			}
		}
		now := r.Now().UTC()
		secret := w.Secret.OwnSecret(w.Tenant, w.ID)
		if secret != "" {
			if err := r.putIntent(ctx, w, secret, now); err != nil {
				return false, fmt.Errorf("delete webhook %d: %w", id, err)
			}
		}
		if err := r.Webhooks.Delete(ctx, who.Tenant, id, w.Revision, r.by(who, ActionDeleted, now)); err != nil {
			return true, fmt.Errorf("delete webhook %d: %w", id, err)
		}
		r.audit(ctx, actionDelete, who.Tenant, id)
		r.dropSecret(ctx, secret, now)
		return true, nil
	})
}

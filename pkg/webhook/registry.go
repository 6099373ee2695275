package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
)

// Registry creates, changes and deletes webhooks for principals. It holds the
// rules that need more than one contract: which secret version a webhook names,
// what a change of state raises, who may see what.
//
// Methods that check a draft take the hosts by which the call reached the service
// itself: like Rules.OwnHosts, they are not targets.
//
// Its fields must be set before use (Ping may be nil) and not changed after;
// its methods may be called concurrently, from any number of processes.
type Registry struct {
	Webhooks Webhooks
	Secrets  Secrets
	Rules    Rules
	Now      func() time.Time
	Random   io.Reader
	// EventLife is how long a state event is kept.
	EventLife time.Duration
	// Ping sends the test event: what a target must answer before it is saved,
	// and what the operation Test sends. nil: targets are not checked, and the
	// operation is not available.
	Ping func(ctx context.Context, post Post) Result
	// SkipTargetCheck saves webhooks without asking their targets.
	SkipTargetCheck bool
	// Claims keeps the idempotency keys of creates. nil: CreateOnce is not
	// available.
	Claims Claims
	// Audit is called after each write of a webhook that was committed, with the
	// context of the method that made it. nil: nothing is called.
	Audit func(ctx context.Context, written Written)
}

// Written is a committed write of a webhook.
type Written struct {
	Action  Action
	Tenant  Tenant
	Webhook int32
	// Changed names the members that ActionChange set to another value, options
	// included; never a value. Empty for the other actions.
	Changed []string
}

// Action says what a write did, as audit lines name it.
type Action string

// The actions.
const (
	ActionCreate Action = "create webhook"
	ActionChange Action = "change webhook"
	ActionDelete Action = "delete webhook"
)

func (r *Registry) audit(ctx context.Context, action Action, tenant Tenant, id int32, changed ...string) {
	if r.Audit != nil {
		r.Audit(ctx, Written{action, tenant, id, changed})
	}
}

const (
	// pingTimeout is short since a gateway ends the whole call at 30 s.
	pingTimeout = 8 * time.Second
	// maxRotations is how many versions of a secret a day may bring: the
	// secret store keeps all versions of a day and has room for a hundred.
	maxRotations = 20
)

// saving is how often a save that lost a race starts over.
var saving = backoff.Policy{Tries: 8, First: 10 * time.Millisecond, Most: 200 * time.Millisecond}

// retry tries a change again whose write came too late. wrote says that the
// error is the write's: any other ends the change, whatever it is.
func (r *Registry) retry(ctx context.Context, try func() (wrote bool, err error)) error {
	wrote := false
	return saving.Retry(ctx, r.Random, func(err error) bool { return wrote && errors.Is(err, ErrConflict) }, func() (err error) {
		wrote, err = try()
		return err
	})
}

// Default is the webhook that SuperOffice offers as a start: not stored.
func Default() Webhook {
	return Webhook{Events: []string{"contact.created", "contact.deleted"}, State: StateActive, Type: TypeWebhook}
}

// Get reads a webhook that the principal sees. ErrNotFound for all others.
func (r *Registry) Get(ctx context.Context, who Principal, id int32) (Webhook, error) {
	w, err := r.Webhooks.Get(ctx, who.Tenant, id)
	if err != nil {
		return Webhook{}, fmt.Errorf("webhook %d: %w", id, err)
	}
	if !who.sees(w) {
		return Webhook{}, fmt.Errorf("webhook %d: %w", id, ErrNotFound)
	}
	return w, nil
}

// List returns a page of the webhooks that the principal sees, in order of id,
// beginning after an id: up to limit, and fewer where they are large. next is the
// id to go on after, 0 at the end.
func (r *Registry) List(ctx context.Context, who Principal, after int32, limit int) (seen []Webhook, next int32, err error) {
	for more := true; more && len(seen) == 0; {
		var page []Webhook
		if page, more, err = r.Webhooks.List(ctx, who.Tenant, after, limit); err != nil {
			return nil, 0, fmt.Errorf("list webhooks: %w", err)
		}
		for _, w := range page {
			if after = w.ID; who.sees(w) {
				seen = append(seen, w)
			}
		}
		if !more {
			return seen, 0, nil
		}
	}
	return seen, after, nil
}

// Document reads what is secret about a webhook. ErrSecretUnavailable where it
// cannot be read now, or is gone for good: the webhook itself is there, so
// ErrNotFound would mislead.
func (r *Registry) Document(ctx context.Context, w Webhook) (SecretDocument, error) {
	if w.Secret.Name == "" {
		return SecretDocument{}, nil
	}
	doc, err := r.Secrets.Read(ctx, w.Secret)
	return doc, secretGone(err)
}

// Create stores a new webhook of the principal's. Errors: *ValidationError with
// all faults, *LimitError, ErrUnavailable.
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

// newDocument checks the draft of a new webhook, and gives what is secret about
// it.
func (r *Registry) newDocument(d Draft, ownHosts []string) (SecretDocument, error) {
	if err := d.validate(Webhook{}, r.Rules.Own(ownHosts...)); err != nil {
		return SecretDocument{}, err
	}
	return d.document(SecretDocument{}, time.Time{})
}

// create stores a checked webhook under an id. ErrExists if that is taken.
func (r *Registry) create(ctx context.Context, who Principal, id int32, d Draft, doc SecretDocument) (Webhook, error) {
	now := r.Now().UTC()
	w := d.webhook(Webhook{
		Tenant: who.Tenant, ID: id, App: who.App, Registered: now, RegisteredBy: who.Associate, State: StateActive,
	})
	w.Updated, w.UpdatedBy, w.Revision = now, who.Associate, 1
	if w.State == StateActive {
		w.Activation, w.ActivatedAt = 1, now
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
	r.audit(ctx, ActionCreate, w.Tenant, id)
	r.forgetIntent(ctx, w.Secret.Name, now)
	return w, nil
}

// Delete removes a webhook that the principal sees, with its secret. check is
// asked before; its error ends the deletion and is returned as it is. nil: no
// check.
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
		if w.Secret.Name != "" {
			if err := r.putIntent(ctx, w, w.Secret.Name, now); err != nil {
				return false, fmt.Errorf("delete webhook %d: %w", id, err)
			}
		}
		if err := r.Webhooks.Delete(ctx, who.Tenant, id, w.Revision); err != nil {
			return true, fmt.Errorf("delete webhook %d: %w", id, err)
		}
		r.audit(ctx, ActionDelete, who.Tenant, id)
		r.dropSecret(ctx, w.Secret.Name, now)
		return true, nil
	})
}

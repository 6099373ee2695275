package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Registry creates, changes and deletes webhooks for principals. It holds the
// rules that need more than one contract: which secret version a webhook names,
// what a change of state raises, who may see what.
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
	// Ping sends the test POST that a target must answer before it is saved.
	// nil: targets are not checked.
	Ping func(ctx context.Context, post Post) Result
}

const (
	// pingTimeout is short since a gateway ends the whole call at 30 s.
	pingTimeout = 8 * time.Second
	// defaultOverlap is how long a replaced secret still signs.
	defaultOverlap = 24 * time.Hour
	// maxRotations is how many versions of a secret a day may bring: the
	// secret store keeps all versions of a day and has room for a hundred.
	maxRotations = 20
	// saveTries bounds how often a save that lost a race starts over.
	saveTries = 8
)

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
	if !who.Sees(w) {
		return Webhook{}, fmt.Errorf("webhook %d: %w", id, ErrNotFound)
	}
	return w, nil
}

// List returns the webhooks that the principal sees, in order of id, beginning
// after an id, up to limit. next is the id to go on after, 0 at the end.
func (r *Registry) List(ctx context.Context, who Principal, after int32, limit int) (seen []Webhook, next int32, err error) {
	for len(seen) < limit {
		page, err := r.Webhooks.List(ctx, who.Tenant, after, limit)
		if err != nil {
			return nil, 0, fmt.Errorf("list webhooks: %w", err)
		}
		for _, w := range page {
			if after = w.ID; !who.Sees(w) {
				continue
			}
			if seen = append(seen, w); len(seen) == limit {
				return seen, after, nil
			}
		}
		if len(page) < limit {
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

// secretGone words the absence of a secret that a webhook names.
func secretGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: it is gone: %v", ErrSecretUnavailable, err) //nolint:errorlint // ErrNotFound must not show through
	}
	return err
}

// Create stores a new webhook of the principal's. Errors: *ValidationError with
// all faults, ErrUnavailable.
func (r *Registry) Create(ctx context.Context, who Principal, d Draft) (Webhook, error) {
	if err := d.Validate(r.Rules); err != nil {
		return Webhook{}, err
	}
	doc, err := d.document(SecretDocument{}, time.Time{})
	if err != nil {
		return Webhook{}, err
	}
	now := r.Now().UTC()
	w := d.webhook(Webhook{Tenant: who.Tenant, App: who.App, Registered: now, RegisteredBy: who.Associate, State: StateActive})
	w.Updated, w.UpdatedBy, w.Revision = now, who.Associate, 1
	if w.State == StateActive {
		w.Activation, w.ActivatedAt = 1, now
	}
	if w.ID, err = r.Webhooks.NextID(ctx, who.Tenant); err != nil {
		return Webhook{}, fmt.Errorf("create webhook: %w", err)
	}
	if err := r.ping(ctx, Webhook{}, w, doc, true); err != nil {
		return Webhook{}, err
	}
	if !doc.IsZero() {
		if w.Secret, err = r.createSecret(ctx, w, doc, now); err != nil {
			return Webhook{}, fmt.Errorf("create webhook %d: %w", w.ID, err)
		}
	}
	if err := r.Webhooks.Create(ctx, w); err != nil {
		return Webhook{}, fmt.Errorf("create webhook %d: %w", w.ID, err)
	}
	r.forgetIntent(ctx, w.Secret.Name)
	return w, nil
}

// Save changes a webhook that the principal sees: edit gets the webhook as it
// stands and returns what it shall be. If another save comes between, edit is
// called again with the newer webhook. An error of edit ends the save and is
// returned as it is.
//
// Errors: ErrNotFound, *ValidationError, *ThrottledError (too many rotations of
// the secret), ErrConflict (too many racing saves), ErrUnavailable.
func (r *Registry) Save(ctx context.Context, who Principal, id int32, edit func(Webhook) (Draft, error)) (Webhook, error) {
	for range saveTries {
		current, err := r.Get(ctx, who, id)
		if err != nil {
			return Webhook{}, err
		}
		saved, err := r.save(ctx, who, current, edit)
		if err == nil || !errors.Is(err, ErrConflict) {
			return saved, err
		}
	}
	return Webhook{}, fmt.Errorf("webhook %d: %w", id, ErrConflict)
}

func (r *Registry) save(ctx context.Context, who Principal, current Webhook, edit func(Webhook) (Draft, error)) (Webhook, error) {
	d, err := edit(current)
	if err != nil {
		return Webhook{}, err
	}
	if err := d.Validate(r.Rules); err != nil {
		return Webhook{}, err
	}
	now := r.Now().UTC()
	w := d.webhook(current)
	w.Updated, w.UpdatedBy, w.Revision = now, who.Associate, current.Revision+1
	if w.State == StateActive && current.State != StateActive {
		w.Activation, w.ActivatedAt = current.Activation+1, now
	}
	var old SecretDocument
	reads := d.touchesSecrets(current) || r.pings(current, w)
	if reads {
		if old, err = r.Document(ctx, current); err != nil {
			return Webhook{}, fmt.Errorf("webhook %d: %w", w.ID, err)
		}
	}
	overlap := defaultOverlap
	if current.Options.SecretOverlap != nil {
		overlap = *current.Options.SecretOverlap
	}
	doc, changed := old, false
	if reads {
		if doc, err = d.document(old, now.Add(overlap)); err != nil {
			return Webhook{}, err
		}
		changed = EncodeSecretDocument(doc) != EncodeSecretDocument(old)
	}
	if err := r.ping(ctx, current, w, doc, changed); err != nil {
		return Webhook{}, err
	}
	if changed {
		if err := r.replaceSecret(ctx, &w, current.Secret, doc, now); err != nil {
			return Webhook{}, fmt.Errorf("webhook %d: %w", w.ID, err)
		}
	}
	raised, err := r.stateEvent(current, w, now)
	if err != nil {
		return Webhook{}, err
	}
	if err := r.Webhooks.Update(ctx, w, raised...); err != nil {
		return Webhook{}, fmt.Errorf("webhook %d: %w", w.ID, err)
	}
	switch current.Secret.Name {
	case w.Secret.Name:
	case "":
		r.forgetIntent(ctx, w.Secret.Name)
	default:
		r.dropSecret(ctx, current.Secret.Name)
	}
	return w, nil
}

// Delete removes a webhook that the principal sees, with its secret. check is
// asked before; its error ends the deletion and is returned as it is. nil: no
// check.
func (r *Registry) Delete(ctx context.Context, who Principal, id int32, check func(Webhook) error) error {
	for range saveTries {
		w, err := r.Get(ctx, who, id)
		if err != nil {
			return err
		}
		if check != nil {
			if err := check(w); err != nil {
				return err
			}
		}
		if w.Secret.Name != "" {
			if err := r.putIntent(ctx, w, w.Secret.Name, r.Now().UTC()); err != nil {
				return fmt.Errorf("delete webhook %d: %w", id, err)
			}
		}
		err = r.Webhooks.Delete(ctx, who.Tenant, id, w.Revision)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete webhook %d: %w", id, err)
		}
		if w.Secret.Name != "" {
			r.dropSecret(ctx, w.Secret.Name)
		}
		return nil
	}
	return fmt.Errorf("delete webhook %d: %w", id, ErrConflict)
}

// webhook gives what the draft makes of a stored webhook, or of a new one.
// Everything that is not the client's to set stays.
func (d Draft) webhook(w Webhook) Webhook {
	w.Name, w.TargetURL, w.Description, w.ErrorsEmail = d.Name, d.TargetURL, d.Description, d.ErrorsEmail
	w.Events = append([]string(nil), d.Events...)
	if d.State != StateUnknown {
		w.State = d.State
	}
	if w.Type = d.Type; w.Type == "" {
		w.Type = TypeWebhook
	}
	w.Headers = nil
	if d.Headers != nil {
		w.Headers = make([]Header, 0, len(d.Headers))
	}
	for _, h := range d.Headers {
		if SecretHeader(h.Name) {
			w.Headers = append(w.Headers, Header{Name: h.Name, Secret: true})
		} else {
			w.Headers = append(w.Headers, Header{Name: h.Name, Value: h.Value.text})
		}
	}
	w.Properties = append(json.RawMessage(nil), d.Properties...)
	w.ErrorEmails = append([]string(nil), d.ErrorEmails...)
	w.ErrorAssociates = append(json.RawMessage(nil), d.ErrorAssociates...)
	w.NotifyVia, w.NotifyWhen = d.NotifyVia, d.NotifyWhen
	return w
}

// document gives the secret document that the draft makes of the stored one.
// A secret that is replaced goes on signing until overlapEnd.
func (d Draft) document(old SecretDocument, overlapEnd time.Time) (SecretDocument, error) {
	var f faults
	doc := SecretDocument{Current: old.Current, Previous: old.Previous, PreviousUntil: old.PreviousUntil}
	switch {
	case d.Secret == nil:
	case d.Secret.text == MaskedSecret:
		if old.Current.IsZero() {
			f.add("Secret is %q, which stands for a stored secret, and there is none", MaskedSecret)
		}
	case d.Secret.IsZero():
		doc.Current, doc.Previous, doc.PreviousUntil = Secret{}, Secret{}, time.Time{}
	case *d.Secret != old.Current:
		doc.Previous, doc.PreviousUntil = old.Current, overlapEnd
		if old.Current.IsZero() {
			doc.PreviousUntil = time.Time{}
		}
		doc.Current = *d.Secret
	}
	for _, h := range d.Headers {
		masked := h.Value.text == MaskedSecret
		stored, known := headerSecret(old.Headers, h.Name)
		switch {
		case !SecretHeader(h.Name):
			if masked {
				f.add("Headers: the value of %s is %q, which stands for a stored secret, and it has none", h.Name, MaskedSecret)
			}
			continue
		case masked && !known:
			f.add("Headers: the value of %s is %q, which stands for a stored secret, and it has none", h.Name, MaskedSecret)
			continue
		case !masked:
			stored = h.Value
		}
		if doc.Headers == nil {
			doc.Headers = map[string]Secret{}
		}
		doc.Headers[h.Name] = stored
	}
	return doc, f.err()
}

// touchesSecrets reports whether the draft may change anything secret about the
// stored webhook, so that the others, a renaming or a stop, need no secret store.
func (d Draft) touchesSecrets(w Webhook) bool {
	if d.Secret != nil && (d.Secret.text != MaskedSecret || !w.Secret.Signed) {
		return true
	}
	kept := 0
	for _, h := range d.Headers {
		stored, known := w.HeaderNamed(h.Name)
		masked := h.Value.text == MaskedSecret
		switch {
		case masked && known && stored.Secret:
			kept++
		case masked || SecretHeader(h.Name):
			return true
		}
	}
	for _, h := range w.Headers {
		if h.Secret {
			kept--
		}
	}
	return kept != 0
}

func headerSecret(values map[string]Secret, name string) (Secret, bool) {
	for have, value := range values {
		if strings.EqualFold(have, name) {
			return value, true
		}
	}
	return Secret{}, false
}

// createSecret makes the secret of a webhook that had none, leaving an intent
// first.
func (r *Registry) createSecret(ctx context.Context, w Webhook, doc SecretDocument, now time.Time) (SecretRef, error) {
	name, err := r.Secrets.Name(w.Tenant, w.ID)
	if err != nil {
		return SecretRef{}, err
	}
	if err := r.putIntent(ctx, w, name, now); err != nil {
		return SecretRef{}, err
	}
	ref, err := r.Secrets.Create(ctx, name, doc)
	ref.Signed = !doc.Current.IsZero()
	return ref, err
}

// replaceSecret makes w name a version that holds doc.
func (r *Registry) replaceSecret(ctx context.Context, w *Webhook, committed SecretRef, doc SecretDocument, now time.Time) error {
	if doc.IsZero() {
		w.Secret = SecretRef{}
		return r.putIntent(ctx, *w, committed.Name, now)
	}
	if today := now.Format(time.DateOnly); w.RotationDay != today {
		w.RotationDay, w.Rotations = today, 0
	}
	if w.Rotations++; w.Rotations > maxRotations {
		midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
		return &ThrottledError{
			Reason: fmt.Sprintf("the webhook's secrets were changed %d times today, the most that is allowed", maxRotations),
			After:  midnight.Sub(now),
		}
	}
	var err error
	if committed.Name == "" {
		w.Secret, err = r.createSecret(ctx, *w, doc, now)
		return err
	}
	w.Secret, err = r.Secrets.Put(ctx, committed, doc)
	w.Secret.Signed = !doc.Current.IsZero()
	return secretGone(err)
}

func (r *Registry) putIntent(ctx context.Context, w Webhook, secret string, now time.Time) error {
	return r.Webhooks.PutIntent(ctx, Intent{Secret: secret, Tenant: w.Tenant, Webhook: w.ID, At: now})
}

// forgetIntent and dropSecret finish what is committed already. If they fail
// the intent stays, and the sweep does it later: the caller's work is done
// either way.
func (r *Registry) forgetIntent(ctx context.Context, secret string) {
	if secret != "" {
		_ = r.Webhooks.RemoveIntent(ctx, secret)
	}
}

func (r *Registry) dropSecret(ctx context.Context, secret string) {
	if r.Secrets.Delete(ctx, secret) == nil {
		r.forgetIntent(ctx, secret)
	}
}

// ping checks a target before it is saved, where that matters: the result is
// Active, and the webhook is new or re-activated, or its target, secret or
// headers changed. A dead target thus never prevents stopping or renaming.
func (r *Registry) ping(ctx context.Context, old, w Webhook, doc SecretDocument, secretsChanged bool) error {
	if r.Ping == nil || w.State != StateActive || !secretsChanged && !r.pings(old, w) {
		return nil
	}
	result, err := r.Test(ctx, w, doc)
	if err != nil {
		return err
	}
	if result.Error == AttemptOK {
		return nil
	}
	text := fmt.Sprintf("TargetUrl did not accept the test event (%s)", result.Error)
	if result.StatusCode != 0 {
		text = fmt.Sprintf("TargetUrl answered the test event with %d", result.StatusCode)
	}
	if result.Location != "" {
		text += ", a redirect to " + result.Location + "; redirects are not followed"
	}
	if result.Response != "" {
		text += ": " + truncate(result.Response, MaxStoredResponse)
	}
	return Invalid("%s", text)
}

// pings reports whether the change of a webhook, leaving its secrets aside, asks
// for a test of its target.
func (r *Registry) pings(old, w Webhook) bool {
	return r.Ping != nil && w.State == StateActive &&
		(old.State != StateActive || old.TargetURL != w.TargetURL || !slices.Equal(old.Headers, w.Headers))
}

// TestDraft sends the test event to the target of a draft that need not be
// stored, and returns what came of it. id is the stored webhook that the draft
// was made of, 0 for none: what the draft masks or leaves unsaid is signed and
// sent as that one's. A webhook that the principal does not see has nothing to
// lend.
//
// Errors: *ValidationError, ErrSecretUnavailable, ErrUnavailable (also where
// Ping is nil). That the target did not answer well is no error.
func (r *Registry) TestDraft(ctx context.Context, who Principal, id int32, d Draft) (Result, error) {
	if len(d.Events) == 0 { // of a webhook that is only tried out
		d.Events = []string{TestEventName}
	}
	if err := d.Validate(r.Rules); err != nil {
		return Result{}, err
	}
	var (
		stored Webhook
		old    SecretDocument
		err    error
	)
	if id != 0 {
		stored, err = r.Get(ctx, who, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Result{}, err
		}
	}
	if old, err = r.Document(ctx, stored); err != nil {
		return Result{}, fmt.Errorf("webhook %d: %w", id, err)
	}
	stored.Tenant = who.Tenant
	doc, err := d.document(old, time.Time{})
	if err != nil {
		return Result{}, err
	}
	return r.Test(ctx, d.webhook(stored), doc)
}

// Test sends the test event to a webhook's target, signed, and returns what
// came of it. The webhook need not be stored.
func (r *Registry) Test(ctx context.Context, w Webhook, doc SecretDocument) (Result, error) {
	if r.Ping == nil {
		return Result{}, fmt.Errorf("test webhook: %w", ErrUnavailable)
	}
	now := r.Now().UTC()
	id, err := NewEventID(now, r.Random)
	if err != nil {
		return Result{}, err
	}
	event := Event{Tenant: w.Tenant, ID: id, Name: TestEventName, At: now}
	return r.Ping(ctx, Post{Webhook: w, Event: event, Secrets: doc, Test: true, Timeout: pingTimeout}), nil
}

// stateEvent gives the event that a change of state raises: started on
// re-activation, stopped when the owner stops the webhook.
func (r *Registry) stateEvent(old, w Webhook, now time.Time) ([]Event, error) {
	switch {
	case old.State == w.State:
		return nil, nil
	case w.State == StateActive:
		e, err := NewStateEvent(w, "started", now, r.Random, r.EventLife)
		return []Event{e}, err
	case w.State == StateStopped:
		e, err := NewStateEvent(w, "stopped", now, r.Random, r.EventLife)
		return []Event{e}, err
	}
	return nil, nil
}

// NewStateEvent makes the event that tells of a webhook's change of state. kind
// is "started", "stopped" or "errors".
func NewStateEvent(w Webhook, kind string, now time.Time, random io.Reader, life time.Duration) (Event, error) {
	id, err := NewEventID(now, random)
	if err != nil {
		return Event{}, err
	}
	data, err := json.Marshal(struct {
		Events     string `json:"events"`
		Registered string `json:"registered"`
		By         int32  `json:"registered_associate_id"`
		State      int8   `json:"state"`
		Updated    string `json:"updated"`
		UpdatedBy  int32  `json:"updated_associate_id"`
	}{
		strings.Join(w.Events, ","), w.Registered.UTC().Format(time.RFC3339), w.RegisteredBy.ID,
		int8(w.State), w.Updated.UTC().Format(time.RFC3339), w.UpdatedBy.ID,
	})
	if err != nil {
		return Event{}, fmt.Errorf("state event of webhook %d: %w", w.ID, err)
	}
	return Event{
		Tenant: w.Tenant, ID: id, Name: fmt.Sprintf("webhook%d.%s", w.ID, kind), PrimaryKey: w.ID,
		Data: data, At: now.UTC().Truncate(100 * time.Nanosecond), ExpiresAt: now.Add(life),
	}, nil
}

// TargetHost gives the host of a target, the only part of it that may be
// logged. "" if the target cannot be read.
func TargetHost(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Host
}

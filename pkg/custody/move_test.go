package custody_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// rings is a root secret without a delay.
type rings struct {
	ring seal.Ring
	now  func() time.Time
}

func (r *rings) ForReading(context.Context, string) (seal.Ring, error) { return r.ring, nil }
func (r *rings) ForWriting(context.Context) (seal.Ring, error)         { return r.ring, nil }

func (r *rings) rotate(context.Context) (id string, err error) {
	r.ring, id, err = r.ring.Add(r.now(), rand.Reader)
	return id, err
}

// house has webhooks of two tenants, and both stores: a file in the place of Secrets
// Manager.
type house struct {
	t        *testing.T
	db       *embedded.DB
	clock    *webhooktest.Clock
	stores   *secrets.Stores
	registry *webhook.Registry
	mover    *custody.Mover
	waited   []time.Duration
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, clock: webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	var err error
	if h.db, err = embedded.Open(t.TempDir(), embedded.Options{Now: h.clock.Now, Random: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.db.Close() })
	ring, err := seal.NewRing(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &rings{ring, h.clock.Now}
	h.stores = &secrets.Stores{
		Manager: h.db.Secrets(), Sealed: &secrets.Sealed{Rings: root, Now: h.clock.Now, Random: rand.Reader}, Rotate: root.rotate,
	}
	h.registry = &webhook.Registry{
		Webhooks: h.db.Webhooks(), Secrets: h.stores, Events: h.db.Events(), Now: h.clock.Now, Random: rand.Reader, SkipTargetCheck: true,
	}
	h.mover = &custody.Mover{
		Webhooks: h.db.Webhooks(), Stores: h.stores, Logger: webhooktest.Logger(t), Now: h.clock.Now, HistoryLife: time.Hour,
		NextTenant: func(_ context.Context, after webhook.Tenant) (webhook.Tenant, error) {
			for _, tenant := range []webhook.Tenant{"Cust1", "Cust2"} {
				if tenant > after {
					return tenant, nil
				}
			}
			return "", nil
		},
		Pause: func(_ context.Context, d time.Duration) { h.waited = append(h.waited, d); h.clock.Advance(d) },
	}
	return h
}

func (h *house) create(tenant webhook.Tenant, text string) webhook.Webhook {
	h.t.Helper()
	secret := webhook.NewSecret(text)
	w, err := h.registry.Create(h.t.Context(), webhook.Principal{Tenant: tenant}, webhook.Draft{
		Name: "n", Events: []string{"a.b"}, TargetURL: "https://example.com/", Secret: &secret,
		Headers: []webhook.DraftHeader{{Name: "X-Api-Key", Value: webhook.NewSecret("key of " + text)}},
	})
	h.must(err)
	return w
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) get(w webhook.Webhook) webhook.Webhook {
	h.t.Helper()
	stored, err := h.db.Webhooks().Get(h.t.Context(), w.Tenant, w.ID)
	h.must(err)
	return stored
}

// wants fails unless a webhook's secret is in a store and reads as a text.
func (h *house) wants(w webhook.Webhook, in custody.Store, text string) {
	h.t.Helper()
	stored := h.get(w)
	doc, err := h.registry.Document(h.t.Context(), stored)
	if err != nil || doc.Current.Reveal() != text || doc.Headers["X-Api-Key"].Reveal() != "key of "+text {
		h.t.Errorf("webhook %s %d: %q, %v, want %q", w.Tenant, w.ID, doc.Current.Reveal(), err, text)
	}
	if got := h.stores.Holder(stored.Secret.Name); got != in || (in == custody.InItems) != (stored.Secret.Sealed != "") || !stored.Secret.Signed {
		h.t.Errorf("webhook %s %d: its secret is in the store %s, want %s", w.Tenant, w.ID, got, in)
	}
}

// run does a job's slices until it has ended, through rests, at most limit of them.
func (h *house) run(kind job.Kind, tenant webhook.Tenant, limit int) job.Job {
	h.t.Helper()
	j, err := job.New(kind, tenant, webhook.Associate{}, h.clock.Now(), rand.Reader)
	h.must(err)
	for range limit {
		if j.Status != job.Running {
			break
		}
		next, err := h.mover.Slice(h.t.Context(), j)
		if errors.Is(err, job.ErrNotYet) {
			h.clock.Advance(time.Minute)
			continue
		}
		h.must(err)
		j = next
	}
	return j
}

func (h *house) intents() []webhook.Intent {
	h.t.Helper()
	left, err := h.db.Webhooks().Intents(h.t.Context(), h.clock.Now().Add(time.Hour), 1000)
	h.must(err)
	return left
}

func TestMover_MovesThereAndBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const each = 25
	var all []webhook.Webhook
	for n := range each {
		all = append(all, h.create("Cust1", fmt.Sprint("one ", n)), h.create("Cust2", fmt.Sprint("two ", n)))
	}
	bare, err := h.registry.Create(t.Context(), webhook.Principal{Tenant: "Cust1"}, webhook.Draft{Name: "n", Events: []string{"a"}, TargetURL: "https://example.com/"})
	h.must(err)
	check := func(in custody.Store) {
		t.Helper()
		for i, w := range all {
			h.wants(w, in, fmt.Sprint([]string{"one ", "two "}[i%2], i/2))
		}
		if left := h.intents(); len(left) > 0 {
			t.Errorf("%d intents are left", len(left))
		}
	}
	for _, to := range []struct {
		kind job.Kind
		in   custody.Store
	}{{job.MoveToItems, custody.InItems}, {job.MoveToManager, custody.InManager}} {
		began := h.clock.Now()
		j := h.run(to.kind, "", 100)
		if j.Status != job.Done || j.Processed != 2*each || j.Examined != 2*each+1 || j.Reason != "" {
			t.Errorf("the job ended as %+v", j)
		}
		check(to.in)
		if took := h.clock.Now().Sub(began); took < each*2/10*time.Second || took > each*2/10*time.Second+2*time.Second {
			t.Errorf("%d secrets took %s, want ten a second", 2*each, took)
		}
		if again := h.run(to.kind, "", 100); again.Status != job.Done || again.Processed != 0 {
			t.Errorf("again: %+v", again)
		}
	}
	if stored := h.get(bare); stored.Revision != 1 || stored.Secret.Name != "" {
		t.Errorf("a webhook without a secret was changed: %+v", stored)
	}
	stored := h.get(all[0])
	history, err := h.db.Webhooks().History(t.Context(), stored.Tenant, stored.ID, 0, 10)
	h.must(err)
	if len(history) != 2 || history[0].Action != webhook.ActionMoved || len(history[0].Members) != 0 || !stored.Updated.Equal(all[0].Updated) || stored.Rotations != all[0].Rotations {
		t.Errorf("the history is %+v of %+v", history, stored)
	}
}

func TestMover_OneTenantOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one, two := h.create("Cust1", "one"), h.create("Cust2", "two")
	if j := h.run(job.MoveToItems, "Cust2", 20); j.Status != job.Done || j.Processed != 1 {
		t.Errorf("got %+v", j)
	}
	h.wants(one, custody.InManager, "one")
	h.wants(two, custody.InItems, "two")
}

// meddling is a store of webhooks in which someone else changes a webhook just before
// it is updated.
type meddling struct {
	custody.Webhooks
	change func()
}

func (m *meddling) Update(ctx context.Context, w webhook.Webhook, by webhook.Change, raised ...webhook.Event) error {
	if change := m.change; change != nil {
		m.change = nil
		change()
	}
	return m.Webhooks.Update(ctx, w, by, raised...)
}

func TestMover_LeavesAWebhookThatChangedForTheNextPass(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w, gone := h.create("Cust1", "old"), h.create("Cust1", "gone")
	who := webhook.Principal{Tenant: "Cust1"}
	h.mover.Webhooks = &meddling{h.mover.Webhooks, func() {
		secret := webhook.NewSecret("new")
		_, err := h.registry.Save(t.Context(), who, w.ID, func(webhook.Webhook) (webhook.Draft, error) {
			return webhook.Draft{
				Name: "renamed", Events: []string{"a.b"}, TargetURL: "https://example.com/", Secret: &secret,
				Headers: []webhook.DraftHeader{{Name: "X-Api-Key", Value: webhook.NewSecret("key of new")}},
			}, nil
		})
		h.must(err)
		h.must(h.registry.Delete(t.Context(), who, gone.ID, nil))
	}}
	var log bytes.Buffer
	h.mover.Logger = slog.New(slog.NewTextHandler(&log, nil))
	began := h.clock.Now()
	j := h.run(job.MoveToItems, "", 30)
	if j.Status != job.Done || j.Processed != 1 || j.Reason != "" {
		t.Errorf("got %+v", j)
	}
	if log.Len() > 0 {
		t.Errorf("the log is %q", log.String())
	}
	h.wants(w, custody.InItems, "new")
	if got := h.get(w); got.Name != "renamed" {
		t.Errorf("the change is lost: %+v", got)
	}
	if took := h.clock.Now().Sub(began); took < time.Minute {
		t.Errorf("the next pass began after %s", took)
	}
	for _, intent := range h.intents() { // of the secrets whose webhook changed: the sweep looks at them
		if got := h.get(w).Secret.Name; intent.Secret == got {
			t.Errorf("an intent is left for %s, which is in use", got)
		}
	}
}

// dying is a store of webhooks whose process dies before or after an update.
type dying struct {
	custody.Webhooks
	commits bool
}

func (d dying) Update(ctx context.Context, w webhook.Webhook, by webhook.Change, raised ...webhook.Event) error {
	if d.commits {
		if err := d.Webhooks.Update(ctx, w, by, raised...); err != nil {
			return err
		}
	}
	return webhook.ErrUnavailable
}

// Whenever a Mover dies, the webhook's secret can be read, and intents name both
// secrets, so that the sweep deletes the one that is not needed.
func TestMover_ADeathLosesNothingAndLeavesIntents(t *testing.T) {
	t.Parallel()
	for _, commits := range []bool{false, true} {
		h := newHouse(t)
		w := h.create("Cust1", "kept")
		alive := h.mover.Webhooks
		h.mover.Webhooks = dying{alive, commits}
		h.run(job.MoveToItems, "Cust1", 2)
		in := custody.InManager
		if commits {
			in = custody.InItems
		}
		h.wants(w, in, "kept")
		named := map[custody.Store]int{}
		for _, intent := range h.intents() {
			named[h.stores.Holder(intent.Secret)]++
		}
		if named[custody.InManager] != 1 || named[custody.InItems] != 1 {
			t.Errorf("committed %t: intents by store %v, want one each", commits, named)
		}
		h.mover.Webhooks = alive
		if j := h.run(job.MoveToItems, "Cust1", 20); j.Status != job.Done {
			t.Errorf("the next job ended as %+v", j)
		}
		h.wants(w, custody.InItems, "kept")
	}
}

// A move that cannot be made says so, or an operator would see a job without progress
// and no reason.
func TestMover_LogsWhyASecretWasNotMoved(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.create("Cust1", "kept")
	var log bytes.Buffer
	h.mover.Logger = slog.New(slog.NewTextHandler(&log, nil))
	alive := h.mover.Webhooks
	h.mover.Webhooks = dying{alive, false}
	h.run(job.MoveToItems, "", 3)
	if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "webhook_id="+fmt.Sprint(w.ID)) || !strings.Contains(line, webhook.ErrUnavailable.Error()) {
		t.Errorf("the log is %q", line)
	}
	h.mover.Webhooks = alive
	h.wants(w, custody.InManager, "kept")
}

func TestMover_PassesOverASecretThatIsLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	lost, kept := h.create("Cust1", "lost"), h.create("Cust1", "kept")
	h.must(h.db.Secrets().Delete(t.Context(), lost.Secret.Name))
	j := h.run(job.MoveToItems, "", 20)
	if j.Status != job.Done || j.Processed != 1 || !strings.Contains(j.Reason, fmt.Sprintf("webhook %d of tenant Cust1", lost.ID)) {
		t.Errorf("got %+v", j)
	}
	h.wants(kept, custody.InItems, "kept")
	if got := h.get(lost); got.Revision != lost.Revision {
		t.Errorf("the webhook was changed: %+v", got)
	}
}

func TestMover_ARotationSealsAgainUnderTheNewKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	kept := h.create("Cust1", "in the manager")
	h.stores.WriteSealed = true
	sealed := h.create("Cust2", "sealed")
	began := h.clock.Now()
	j := h.run(job.RotateRoot, "", 30)
	if j.Status != job.Done || j.Processed != 1 || h.clock.Now().Sub(began) < 2*time.Minute {
		t.Errorf("got %+v after %s", j, h.clock.Now().Sub(began))
	}
	h.wants(kept, custody.InManager, "in the manager")
	h.wants(sealed, custody.InItems, "sealed")
	before, after := seal.KeyOf(string(sealed.Secret.Sealed)), seal.KeyOf(string(h.get(sealed).Secret.Sealed))
	if before != seal.FirstKey || after == before || after == "" {
		t.Errorf("sealed with %s, then with %s", before, after)
	}
	if got := h.get(kept); got.Revision != kept.Revision {
		t.Errorf("a webhook of the other store was changed: %+v", got)
	}
}

func TestMover_FailsOnAnUnknownCursor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, cursor := range []string{"x", "1/2/3", "1/x/0/Cust1/0", "1/0/0/Cust1/99999999999"} {
		j, err := h.mover.Slice(t.Context(), job.Job{Kind: job.MoveToItems, Status: job.Running, Cursor: cursor})
		if err != nil || j.Status != job.Failed || j.Reason == "" {
			t.Errorf("%s: got %+v, %v", cursor, j, err)
		}
	}
}

func TestAdministration_BeginsOneJobAtATime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := &custody.Administration{
		Jobs: h.db.Jobs(), Now: h.clock.Now, Random: rand.Reader,
		TenantExists: func(_ context.Context, tenant webhook.Tenant) error {
			if tenant == "Cust1" {
				return nil
			}
			return webhook.ErrNotFound
		},
	}
	by := webhook.Associate{ID: 5}
	if _, err := a.Move(t.Context(), by, custody.InItems, "Other"); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("an unknown tenant: got %v", err)
	}
	var invalid *webhook.ValidationError
	if _, err := a.Move(t.Context(), by, "elsewhere", ""); !errors.As(err, &invalid) {
		t.Errorf("an unknown store: got %v", err)
	}
	j, err := a.Move(t.Context(), by, custody.InItems, "Cust1")
	if err != nil || j.Kind != job.MoveToItems || j.Tenant != "Cust1" || j.By != by {
		t.Fatalf("got %+v, %v", j, err)
	}
	var busy *custody.BusyError
	if _, err := a.Rotate(t.Context(), by); !errors.As(err, &busy) || busy.JobID != j.ID {
		t.Errorf("a rotation during a move: got %v", err)
	}
	if _, err := job.Cancel(t.Context(), h.db.Jobs(), j.ID, h.clock.Now, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if j, err := a.Rotate(t.Context(), by); err != nil || j.Kind != job.RotateRoot {
		t.Errorf("got %+v, %v", j, err)
	}
}

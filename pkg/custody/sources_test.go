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
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// yard is a house whose deployment has sources.
type yard struct {
	*house
	stored  source.Sources
	sources *source.Registry
}

func newYard(t *testing.T) *yard {
	t.Helper()
	h := newHouse(t)
	y := &yard{house: h, stored: h.db.Sources()}
	y.sources = &source.Registry{
		Sources: y.stored, Secrets: h.stores, Intents: h.db.Webhooks(), Now: h.clock.Now, Random: rand.Reader,
		TenantExists: func(context.Context, webhook.Tenant) error { return nil },
	}
	h.mover.Sources = y.sources
	return y
}

func relay(name string, tenant webhook.Tenant, secret string) source.Draft {
	stated := webhook.NewSecret(secret)
	return source.Draft{Secret: &stated, Source: source.Source{
		Name: name, Kind: source.KindRelay, Tenant: tenant, Relay: &source.Relay{Protocol: source.ProtocolStandard},
	}}
}

func (y *yard) relay(name string, tenant webhook.Tenant) {
	y.t.Helper()
	_, err := y.sources.Create(y.t.Context(), "ann", relay(name, tenant, "old of "+name))
	y.must(err)
	_, err = y.sources.Replace(y.t.Context(), "ann", name, 0, relay(name, tenant, "secret of "+name))
	y.must(err)
}

// verifies fails unless a source's secrets are in a store and verify what they did.
func (y *yard) verifies(name string, in custody.Store) {
	y.t.Helper()
	y.hasSecrets(name, in, "secret of "+name, "old of "+name)
}

func (y *yard) hasSecrets(name string, in custody.Store, current, previous string) {
	y.t.Helper()
	s, err := y.stored.Get(y.t.Context(), name)
	y.must(err)
	doc, err := webhook.ReadSecret(y.t.Context(), y.stores, s.Tenant, 0, s.Relay.Secret)
	if err != nil || doc.Current.Reveal() != current || doc.Previous.Reveal() != previous {
		y.t.Errorf("source %s: %q and %q, %v, want %q and %q", name, doc.Current.Reveal(), doc.Previous.Reveal(), err, current, previous)
	}
	if got := y.stores.Holder(s.Relay.Secret.Name); got != in || (in == custody.InItems) != (s.Relay.Secret.Sealed != "") || !s.Relay.Secret.Signed {
		y.t.Errorf("source %s: its secret is in the store %s, want %s", name, got, in)
	}
}

func TestMover_MovesSecretsOfSourcesThereAndBack(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const relays = 23 // more than two slices
	hook := y.create("Cust1", "hook")
	for n := range relays {
		y.relay(fmt.Sprint("crm-", n), []webhook.Tenant{"Cust1", "Cust2"}[n%2])
	}
	_, err := y.sources.Create(t.Context(), "ann", source.Draft{Source: source.Source{Name: "shop", Kind: source.KindBus, Tenant: "Cust1", Bus: &source.Bus{}}})
	y.must(err)
	was, err := y.stored.List(t.Context())
	y.must(err)
	for moves, to := range []struct {
		kind job.Kind
		in   custody.Store
	}{{job.MoveToItems, custody.InItems}, {job.MoveToManager, custody.InManager}} {
		y.waited = nil
		if j := y.run(to.kind, "", 100); j.Status != job.Done || j.Processed != 1+relays || j.Examined != 1+relays || j.Reason != "" {
			t.Errorf("the job ended as %+v", j)
		}
		if want := 1 + 3; len(y.waited) != want { // a second per slice of ten secrets
			t.Errorf("moved in %d slices, want %d", len(y.waited), want)
		}
		y.wants(hook, to.in, "hook")
		all, err := y.stored.List(t.Context())
		y.must(err)
		for i, s := range all {
			revision := was[i].Revision
			if s.Relay != nil {
				y.verifies(s.Name, to.in)
				revision += int64(moves) + 1
			}
			if s.Revision != revision || !s.Updated.Equal(was[i].Updated) || s.UpdatedBy != "ann" || s.Relay != nil && s.Relay.Rotations != was[i].Relay.Rotations {
				t.Errorf("the source is %+v, was %+v", s, was[i])
			}
		}
		if left := y.intents(); len(left) > 0 {
			t.Errorf("%d intents are left", len(left))
		}
		if again := y.run(to.kind, "", 100); again.Status != job.Done || again.Processed != 0 || again.Examined != 1+relays {
			t.Errorf("again: %+v", again)
		}
	}
	for _, s := range was {
		if s.Relay == nil {
			continue
		}
		if _, err := y.db.Secrets().Read(t.Context(), s.Relay.Secret); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("the first secret of %s is left behind: %v", s.Name, err)
		}
	}
}

func TestMover_MovesSourcesOfOneTenantOnly(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.relay("one", "Cust1")
	y.relay("two", "Cust2")
	if j := y.run(job.MoveToItems, "Cust2", 20); j.Status != job.Done || j.Processed != 1 || j.Examined != 1 {
		t.Errorf("got %+v", j)
	}
	y.verifies("one", custody.InManager)
	y.verifies("two", custody.InItems)
}

// meddlingSources is a registry of sources; someone else changes a source just before a
// secret is committed.
type meddlingSources struct {
	custody.Sources
	change func()
	fails  func(commit func() error) error
}

func (m *meddlingSources) MoveSecret(ctx context.Context, name string, from, to webhook.SecretRef) error {
	if change := m.change; change != nil {
		m.change = nil
		change()
	}
	if m.fails != nil {
		return m.fails(func() error { return m.Sources.MoveSecret(ctx, name, from, to) })
	}
	return m.Sources.MoveSecret(ctx, name, from, to)
}

func TestMover_LeavesASourceThatChangedForTheNextPass(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for _, name := range []string{"changed", "gone", "other"} {
		y.relay(name, "Cust1")
	}
	y.mover.Sources = &meddlingSources{Sources: y.sources, change: func() {
		_, err := y.sources.Replace(t.Context(), "bob", "changed", 0, relay("changed", "Cust1", "newest"))
		y.must(err)
		_, err = y.sources.Delete(t.Context(), "gone", 0)
		y.must(err)
	}}
	var log bytes.Buffer
	y.mover.Logger = slog.New(slog.NewTextHandler(&log, nil))
	began := y.clock.Now()
	j := y.run(job.MoveToItems, "", 30)
	if j.Status != job.Done || j.Processed != 2 || j.Examined != 3+2 || j.Reason != "" {
		t.Errorf("got %+v", j)
	}
	if took := y.clock.Now().Sub(began); took < time.Minute {
		t.Errorf("the next pass began after %s", took)
	}
	if log.Len() > 0 {
		t.Errorf("the log is %q", log.String())
	}
	y.hasSecrets("changed", custody.InItems, "newest", "secret of changed")
	y.verifies("other", custody.InItems)
	used := map[string]bool{}
	all, err := y.stored.List(t.Context())
	y.must(err)
	for _, s := range all {
		used[s.Relay.Secret.Name] = true
	}
	for _, intent := range y.intents() { // of what changed: the sweep looks at them
		if used[intent.Secret] {
			t.Errorf("an intent is left for %s, which is in use", intent.Secret)
		}
	}
}

// A source that was changed without its secret is another revision, and is read again
// before the commit: its change stays.
func TestMover_KeepsAChangeOfASourceThatItMoves(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.relay("crm", "Cust1")
	y.mover.Sources = &meddlingSources{Sources: y.sources, change: func() {
		changed := relay("crm", "Cust1", "")
		changed.Secret, changed.ExpectWithin = nil, time.Hour
		_, err := y.sources.Replace(t.Context(), "bob", "crm", 0, changed)
		y.must(err)
	}}
	if j := y.run(job.MoveToItems, "", 30); j.Status != job.Done || j.Processed != 1 {
		t.Errorf("got %+v", j)
	}
	y.verifies("crm", custody.InItems)
	if s, err := y.stored.Get(t.Context(), "crm"); err != nil || s.ExpectWithin != time.Hour || s.UpdatedBy != "bob" {
		t.Errorf("the source is %+v, %v", s, err)
	}
}

// What is deleted between the creation of its new secret and the commit leaves no secret
// behind and is not a fault.
func TestMover_LeavesNoSecretOfWhatWasDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	hook := y.create("Cust1", "hook")
	y.relay("crm", "Cust1")
	y.mover.Webhooks = &meddling{y.mover.Webhooks, func() {
		y.must(y.registry.Delete(t.Context(), webhook.Principal{Tenant: "Cust1"}, hook.ID, nil))
	}}
	y.mover.Sources = &meddlingSources{Sources: y.sources, change: func() {
		_, err := y.sources.Delete(t.Context(), "crm", 0)
		y.must(err)
	}}
	var log bytes.Buffer
	y.mover.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if j := y.run(job.MoveToItems, "", 30); j.Status != job.Done || j.Processed != 0 || j.Examined != 2 || j.Reason != "" || log.Len() > 0 {
		t.Errorf("got %+v, log %q", j, log.String())
	}
	for _, intent := range y.intents() { // the old one's stays, for the sweep to look at
		if y.stores.Holder(intent.Secret) == custody.InItems {
			t.Errorf("an intent is left for the secret %s, which was created for the move", intent.Secret)
		}
	}
}

// A cancelled move keeps what it moved, and the next one goes on with the rest.
func TestMover_ACancelledMoveIsContinuedByTheNext(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const hooks, relays = 15, 15
	for n := range hooks {
		y.create("Cust1", fmt.Sprint("hook ", n))
	}
	for n := range relays {
		y.relay(fmt.Sprint("crm-", n), "Cust1")
	}
	first := y.run(job.MoveToItems, "", 5) // the start, ten and five webhooks, none of Cust2, ten sources
	if first.Status != job.Running || first.Processed != hooks+10 || first.Examined != hooks+10 {
		t.Fatalf("got %+v", first)
	}
	y.must(y.db.Jobs().Create(t.Context(), first))
	control := job.Control{Jobs: y.db.Jobs(), Now: y.clock.Now, Random: rand.Reader}
	if got, err := control.Cancel(t.Context(), first.ID); err != nil || got.Status != job.Cancelled {
		t.Fatalf("got %+v, %v", got, err)
	}
	if next := y.run(job.MoveToItems, "", 30); next.Status != job.Done || next.Processed != relays-10 || next.Examined != hooks+relays {
		t.Errorf("got %+v", next)
	}
	for n := range relays {
		y.verifies(fmt.Sprint("crm-", n), custody.InItems)
	}
}

// Whenever a Mover dies, the source's secret can be read, and intents name both secrets.
func TestMover_ADeathLosesNoSecretOfASource(t *testing.T) {
	t.Parallel()
	for _, commits := range []bool{false, true} {
		y := newYard(t)
		y.relay("crm", "Cust1")
		var log bytes.Buffer
		logger := y.mover.Logger
		y.mover.Logger = slog.New(slog.NewTextHandler(&log, nil))
		y.mover.Sources = &meddlingSources{Sources: y.sources, fails: func(commit func() error) error {
			if commits {
				y.must(commit())
			}
			return webhook.ErrUnavailable
		}}
		y.run(job.MoveToItems, "Cust1", 3)
		if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "source=crm") || strings.Contains(line, "webhook_id") {
			t.Errorf("the log is %q", line)
		}
		in := custody.InManager
		if commits {
			in = custody.InItems
		}
		y.verifies("crm", in)
		named := map[custody.Store]int{}
		for _, intent := range y.intents() {
			if intent.Webhook != 0 || intent.Tenant != "Cust1" {
				t.Errorf("the intent is of %+v", intent)
			}
			named[y.stores.Holder(intent.Secret)]++
		}
		if named[custody.InManager] != 1 || named[custody.InItems] != 1 {
			t.Errorf("committed %t: intents by store %v, want one each", commits, named)
		}
		y.mover.Logger, y.mover.Sources = logger, y.sources
		if j := y.run(job.MoveToItems, "Cust1", 20); j.Status != job.Done {
			t.Errorf("the next job ended as %+v", j)
		}
		y.verifies("crm", custody.InItems)
	}
}

func TestMover_PassesOverASourceWhoseSecretIsLost(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.relay("kept", "Cust1")
	y.relay("lost", "Cust1")
	lost, err := y.stored.Get(t.Context(), "lost")
	y.must(err)
	y.must(y.db.Secrets().Delete(t.Context(), lost.Relay.Secret.Name))
	j := y.run(job.MoveToItems, "", 20)
	if j.Status != job.Done || j.Processed != 1 || !strings.Contains(j.Reason, "source lost of tenant Cust1") {
		t.Errorf("got %+v", j)
	}
	y.verifies("kept", custody.InItems)
	if got, err := y.stored.Get(t.Context(), "lost"); err != nil || got.Revision != lost.Revision {
		t.Errorf("the source was changed: %+v, %v", got, err)
	}
}

func TestMover_ARotationSealsSecretsOfSourcesAgain(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.relay("managed", "Cust1")
	y.stores.WriteSealed = true
	y.relay("sealed", "Cust2")
	key := func() string {
		s, err := y.stored.Get(t.Context(), "sealed")
		y.must(err)
		return seal.KeyOf(string(s.Relay.Secret.Sealed))
	}
	before := key()
	if j := y.run(job.RotateRoot, "", 30); j.Status != job.Done || j.Processed != 1 || j.Examined != 2 {
		t.Errorf("got %+v", j)
	}
	y.verifies("managed", custody.InManager)
	y.verifies("sealed", custody.InItems)
	if after := key(); before != seal.FirstKey || after == before || after == "" {
		t.Errorf("sealed with %s, then with %s", before, after)
	}
}

// A cursor that an earlier release stored at the end of the webhooks goes on with the
// sources.
func TestMover_ContinuesAJobOfAnEarlierRelease(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.relay("crm", "Cust1")
	j, err := job.New(job.MoveToItems, "", webhook.Associate{}, y.clock.Now(), rand.Reader)
	y.must(err)
	j.Cursor = "1/0/0/Cust2/7"
	for j.Status == job.Running {
		j, err = y.mover.Slice(t.Context(), j)
		y.must(err)
	}
	if j.Processed != 1 {
		t.Errorf("got %+v", j)
	}
	y.verifies("crm", custody.InItems)
}

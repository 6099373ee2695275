package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var (
	start = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	anna  = webhook.Principal{Tenant: "Default", Associate: webhook.Associate{ID: 1, Name: "anna"}}
)

// registry is a Registry on a real store, with a target played by the test.
type registry struct {
	*webhook.Registry
	db    *embedded.DB
	clock *webhooktest.Clock
	pings []webhook.Post
	// answer is the target's response to a ping. Zero: a success.
	answer webhook.Result
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	clock := webhooktest.NewClock(start)
	random := webhooktest.Random(1)
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &registry{db: db, clock: clock}
	r.Registry = &webhook.Registry{
		Webhooks: db.Webhooks(), Secrets: db.Secrets(), Events: db.Events(),
		Now: clock.Now, Random: random, EventLife: 30 * 24 * time.Hour,
		Ping: func(_ context.Context, post webhook.Post) webhook.Result {
			r.pings = append(r.pings, post)
			return r.answer
		},
	}
	return r
}

// draft returns a valid draft with some changes.
func draft(changes ...func(*webhook.Draft)) webhook.Draft {
	d := webhook.Draft{Name: "n", Events: []string{"contact.changed"}, TargetURL: "https://example.com/"}
	for _, change := range changes {
		change(&d)
	}
	return d
}

func secret(text string) func(*webhook.Draft) {
	return func(d *webhook.Draft) {
		s := webhook.NewSecret(text)
		d.Secret = &s
	}
}

func header(name, value string) func(*webhook.Draft) {
	return func(d *webhook.Draft) {
		d.Headers = append(d.Headers, webhook.DraftHeader{Name: name, Value: webhook.NewSecret(value)})
	}
}

func state(s webhook.State) func(*webhook.Draft) {
	return func(d *webhook.Draft) { d.State = s }
}

func (r *registry) create(t *testing.T, changes ...func(*webhook.Draft)) webhook.Webhook {
	t.Helper()
	w, err := r.Create(t.Context(), anna, draft(changes...))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (r *registry) save(t *testing.T, id int32, changes ...func(*webhook.Draft)) (webhook.Webhook, error) {
	t.Helper()
	return r.Save(t.Context(), anna, id, func(webhook.Webhook) (webhook.Draft, error) { return draft(changes...), nil })
}

func (r *registry) mustSave(t *testing.T, id int32, changes ...func(*webhook.Draft)) webhook.Webhook {
	t.Helper()
	w, err := r.save(t, id, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// texts returns a webhook's secret document in clear.
func (r *registry) texts(t *testing.T, w webhook.Webhook) (current, previous string, headers map[string]string) {
	t.Helper()
	doc, err := r.Document(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range doc.Headers {
		if headers == nil {
			headers = map[string]string{}
		}
		headers[name] = value.Reveal()
	}
	_, other := doc.InOrder(webhook.SignerCurrent, r.clock.Now())
	return doc.Current.Reveal(), other.Reveal(), headers
}

func (r *registry) intents(t *testing.T) []webhook.Intent {
	t.Helper()
	intents, err := r.Webhooks.Intents(t.Context(), start.AddDate(1, 0, 0), 100)
	if err != nil {
		t.Fatal(err)
	}
	return intents
}

func (r *registry) events(t *testing.T) (names []string) {
	t.Helper()
	events, err := r.db.Events().List(t.Context(), "Default", webhook.FirstEventID(start), webhook.FirstEventID(start.AddDate(1, 0, 0)), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		names = append(names, e.Name)
	}
	return names
}

func TestRegistry_CreateKeepsWhatIsSecretOutOfTheWebhook(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("open sesame"), header("X-Api-Key", "k1"), header("X-B", "b"))
	stored, err := r.Get(t.Context(), anna, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, stored); diff != "" {
		t.Errorf("stored webhook (-returned +stored):\n%s", diff)
	}
	if shown := fmt.Sprintf("%+v", stored); strings.Contains(shown, "sesame") || strings.Contains(shown, "k1") {
		t.Errorf("the webhook contains a secret: %s", shown)
	}
	current, previous, headers := r.texts(t, w)
	if diff := cmp.Diff(map[string]string{"X-Api-Key": "k1"}, headers); current != "open sesame" || previous != "" || diff != "" {
		t.Errorf("got secret %q, previous %q, headers (-want +got):\n%s", current, previous, diff)
	}
	if len(r.intents(t)) != 0 {
		t.Error("an intent remains")
	}
}

func TestRegistry_DeleteRemovesWebhookSecretAndIntent(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s"))
	if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get(t.Context(), anna, w.ID); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("webhook: got %v, want %v", err, webhook.ErrNotFound)
	}
	if _, err := r.Secrets.Read(t.Context(), w.Secret); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("secret: got %v, want %v", err, webhook.ErrNotFound)
	}
	if len(r.intents(t)) != 0 {
		t.Error("an intent remains")
	}
	if err := r.Delete(t.Context(), anna, w.ID, nil); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("again: got %v, want %v", err, webhook.ErrNotFound)
	}
}

// Decision 0.27.
func TestRegistry_AnAppSeesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t)
	app := webhook.Principal{Tenant: "Default", App: "app"}
	other := webhook.Principal{Tenant: "Other"}
	for _, who := range []webhook.Principal{app, other} {
		_, get := r.Get(t.Context(), who, w.ID)
		_, save := r.Save(t.Context(), who, w.ID, func(webhook.Webhook) (webhook.Draft, error) { return draft(), nil })
		remove := r.Delete(t.Context(), who, w.ID, nil)
		list, _, err := r.List(t.Context(), who, 0, 10)
		if err != nil || len(list) != 0 {
			t.Errorf("list: got %d webhooks and %v", len(list), err)
		}
		for _, err := range []error{get, save, remove} {
			if !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("got %v, want %v", err, webhook.ErrNotFound)
			}
		}
	}
}

// Decision 0.10: what a save does to secrets.
func TestRegistry_SecretOnSave(t *testing.T) {
	t.Parallel()
	const mask = webhook.MaskedSecret
	for name, test := range map[string]struct {
		changes           []func(*webhook.Draft)
		current, previous string
		header            string
		fault             string
	}{
		"an absent secret is kept":              {[]func(*webhook.Draft){header("X-Api-Key", mask)}, "old", "", "k1", ""},
		"a masked secret is kept":               {[]func(*webhook.Draft){secret(mask), header("X-Api-Key", mask)}, "old", "", "k1", ""},
		"the same secret is not a rotation":     {[]func(*webhook.Draft){secret("old"), header("X-Api-Key", "k1")}, "old", "", "k1", ""},
		"a new secret replaces it with overlap": {[]func(*webhook.Draft){secret("new"), header("X-Api-Key", mask)}, "new", "old", "k1", ""},
		"an empty secret removes it":            {[]func(*webhook.Draft){secret(""), header("X-Api-Key", mask)}, "", "", "k1", ""},
		"a header's value is replaced":          {[]func(*webhook.Draft){header("X-Api-Key", "k2")}, "old", "", "k2", ""},
		"a header in another case is kept":      {[]func(*webhook.Draft){header("x-api-KEY", mask)}, "old", "", "k1", ""},
		"a header with underscores is kept":     {[]func(*webhook.Draft){header("X_Api_Key", mask)}, "old", "", "k1", ""},
		"a header left out is removed":          {nil, "old", "", "", ""},
		"a masked value of an unknown header":   {[]func(*webhook.Draft){header("X-Token", mask)}, "", "", "", "X-Token"},
		"a masked value of a plain header":      {[]func(*webhook.Draft){header("X-B", mask)}, "", "", "", "X-B"},
		"invalid base64 after whsec_":           {[]func(*webhook.Draft){secret("whsec_???")}, "", "", "", "base64"},
		"a secret of 401 characters is refused": {[]func(*webhook.Draft){secret(strings.Repeat("x", 401))}, "", "", "", "at most 400 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegistry(t)
			w := r.create(t, secret("old"), header("X-Api-Key", "k1"))
			saved, err := r.save(t, w.ID, test.changes...)
			if test.fault != "" {
				var invalid *webhook.ValidationError
				if !errors.As(err, &invalid) || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("got %v, want a fault with %q", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			current, previous, headers := r.texts(t, saved)
			got := ""
			for _, value := range headers {
				got = value
			}
			if current != test.current || previous != test.previous || got != test.header {
				t.Errorf("got %q, previous %q, header %q; want %q, %q, %q", current, previous, got, test.current, test.previous, test.header)
			}
			if saved.Secret.Signed != (test.current != "") {
				t.Errorf("got Signed %v, want %v", saved.Secret.Signed, test.current != "")
			}
		})
	}
}

func TestRegistry_MaskOnCreateIsRefused(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	for _, change := range []func(*webhook.Draft){secret(webhook.MaskedSecret), header("X-Api-Key", webhook.MaskedSecret)} {
		var invalid *webhook.ValidationError
		if _, err := r.Create(t.Context(), anna, draft(change)); !errors.As(err, &invalid) {
			t.Errorf("got %v, want a ValidationError", err)
		}
	}
}

func TestRegistry_OverlapEndsAfterADay(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"))
	w = r.mustSave(t, w.ID, secret("new"))
	r.clock.Advance(24*time.Hour - time.Second)
	if _, previous, _ := r.texts(t, w); previous != "old" {
		t.Errorf("a second before: got %q, want the old secret", previous)
	}
	r.clock.Advance(time.Second)
	if _, previous, _ := r.texts(t, w); previous != "" {
		t.Errorf("after 24 h: got %q, want none", previous)
	}
}

func TestRegistry_RemovingTheLastSecretDeletesIt(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s"))
	saved := r.mustSave(t, w.ID, secret(""))
	if saved.Secret != (webhook.SecretRef{}) {
		t.Errorf("the webhook still refers to %+v", saved.Secret)
	}
	if _, err := r.Secrets.Read(t.Context(), w.Secret); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("got %v, want %v", err, webhook.ErrNotFound)
	}
	if len(r.intents(t)) != 0 {
		t.Error("an intent remains")
	}
}

func TestRegistry_TwentyRotationsADay(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("s0"))
	r.clock.Advance(time.Hour)
	for i := 1; i <= 20; i++ {
		r.mustSave(t, w.ID, secret(fmt.Sprint("s", i)))
	}
	var throttled *webhook.ThrottledError
	if _, err := r.save(t, w.ID, secret("s21")); !errors.As(err, &throttled) || throttled.After != 15*time.Hour {
		t.Fatalf("got %v, want a *ThrottledError with After 15 h", err)
	}
	stored, err := r.Get(t.Context(), anna, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	if current, _, _ := r.texts(t, stored); current != "s20" {
		t.Errorf("got secret %q, want the last accepted one", current)
	}
	r.mustSave(t, w.ID, func(d *webhook.Draft) { d.Name = "renaming is not a rotation" })
	r.clock.Advance(15 * time.Hour)
	r.mustSave(t, w.ID, secret("s21"))
}

// dying is a webhook store whose caller dies before it writes the webhook.
type dying struct{ webhook.Webhooks }

func (dying) Create(context.Context, webhook.Webhook) error { return webhook.ErrUnavailable }
func (dying) Update(context.Context, webhook.Webhook, webhook.Change, ...webhook.Event) error {
	return webhook.ErrUnavailable
}

func (dying) Delete(context.Context, webhook.Tenant, int32, int64, webhook.Change) error {
	return webhook.ErrUnavailable
}

func TestRegistry_IntentStaysIfAWriteIsInDoubt(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(*testing.T, *registry) error{
		"create": func(t *testing.T, r *registry) error {
			t.Helper()
			r.Webhooks = dying{r.Webhooks}
			_, err := r.Create(t.Context(), anna, draft(secret("s")))
			return err
		},
		"delete": func(t *testing.T, r *registry) error {
			t.Helper()
			w := r.create(t, secret("s"))
			r.Webhooks = dying{r.Webhooks}
			return r.Delete(t.Context(), anna, w.ID, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegistry(t)
			if err := act(t, r); !errors.Is(err, webhook.ErrUnavailable) {
				t.Fatalf("got %v, want %v", err, webhook.ErrUnavailable)
			}
			intents := r.intents(t)
			if len(intents) != 1 || intents[0].Tenant != "Default" || intents[0].Webhook != 1 || intents[0].Secret == "" {
				t.Errorf("got intents %+v", intents)
			}
		})
	}
}

func TestRegistry_RacingSavesAllTakePlace(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			_, err := r.Save(t.Context(), anna, w.ID, func(current webhook.Webhook) (webhook.Draft, error) {
				return draft(func(d *webhook.Draft) { d.Name = current.Name + "x" }), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	stored, err := r.Get(t.Context(), anna, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Name != "nxxxx" || stored.Revision != 5 {
		t.Errorf("got name %q, revision %d; want nxxxx, 5", stored.Name, stored.Revision)
	}
}

func TestRegistry_LoserOfARaceStartsOver(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"))
	tries := 0
	saved, err := r.Save(t.Context(), anna, w.ID, func(webhook.Webhook) (webhook.Draft, error) {
		if tries++; tries == 1 {
			r.mustSave(t, w.ID, secret("theirs"))
		}
		return draft(secret("mine")), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	current, previous, _ := r.texts(t, saved)
	if tries != 2 || current != "mine" || previous != "theirs" || saved.Rotations != 2 {
		t.Errorf("after %d tries: got %q, previous %q, %d rotations", tries, current, previous, saved.Rotations)
	}
}

// Decision 0.22: which changes raise a state event.
func TestRegistry_StateEvents(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t)
	stopped := r.mustSave(t, w.ID, state(webhook.StateStopped))
	r.clock.Advance(time.Second)
	r.mustSave(t, w.ID, func(d *webhook.Draft) { d.Name = "renamed while stopped" })
	started := r.mustSave(t, w.ID, state(webhook.StateActive))
	r.clock.Advance(time.Second)
	silent := r.mustSave(t, w.ID, state(webhook.StateTooManyErrors))
	if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"webhook1.stopped", "webhook1.started"}, r.events(t)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if w.Activation != 1 || stopped.Activation != 1 || started.Activation != 2 || silent.Activation != 2 {
		t.Errorf("got activations %d, %d, %d, %d; want 1, 1, 2, 2", w.Activation, stopped.Activation, started.Activation, silent.Activation)
	}
	if want := start.Add(time.Second); !started.ActivatedAt.Equal(want) {
		t.Errorf("activated at %v, want %v", started.ActivatedAt, want)
	}
}

// Decision 0.7: when a target is tested.
func TestRegistry_PingsOnlyWhereItMatters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after []func(*webhook.Draft)
		pings         int
	}{
		"renamed":                {nil, []func(*webhook.Draft){func(d *webhook.Draft) { d.Name = "m" }}, 0},
		"other events":           {nil, []func(*webhook.Draft){func(d *webhook.Draft) { d.Events = []string{"*"} }}, 0},
		"stopped":                {nil, []func(*webhook.Draft){state(webhook.StateStopped)}, 0},
		"the masked secret":      {[]func(*webhook.Draft){secret("s")}, []func(*webhook.Draft){secret(webhook.MaskedSecret)}, 0},
		"the same secret":        {[]func(*webhook.Draft){secret("s")}, []func(*webhook.Draft){secret("s")}, 1},
		"new target":             {nil, []func(*webhook.Draft){func(d *webhook.Draft) { d.TargetURL = "https://example.org/" }}, 1},
		"new secret":             {nil, []func(*webhook.Draft){secret("s")}, 1},
		"removed secret":         {[]func(*webhook.Draft){secret("s")}, []func(*webhook.Draft){secret("")}, 1},
		"new header":             {nil, []func(*webhook.Draft){header("X-B", "b")}, 1},
		"new secret header":      {[]func(*webhook.Draft){header("X-Key", "1")}, []func(*webhook.Draft){header("X-Key", "2")}, 1},
		"re-activated":           {[]func(*webhook.Draft){state(webhook.StateStopped)}, []func(*webhook.Draft){state(webhook.StateActive)}, 1},
		"new target but stopped": {[]func(*webhook.Draft){state(webhook.StateStopped)}, []func(*webhook.Draft){func(d *webhook.Draft) { d.TargetURL = "https://example.org/" }}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegistry(t)
			w := r.create(t, test.before...)
			created := 0
			if w.State == webhook.StateActive {
				created = 1
			}
			if len(r.pings) != created {
				t.Fatalf("create: %d pings, want %d", len(r.pings), created)
			}
			r.pings = nil
			r.mustSave(t, w.ID, test.after...)
			if len(r.pings) != test.pings {
				t.Fatalf("save: %d pings, want %d", len(r.pings), test.pings)
			}
			for _, p := range r.pings {
				if !p.Test || p.Event.Name != webhook.TestEventName || p.Timeout != 8*time.Second {
					t.Errorf("got a ping with Test %v, event %s, timeout %v", p.Test, p.Event.Name, p.Timeout)
				}
			}
		})
	}
}

func TestRegistry_PingIsSignedWithWhatIsToBeStored(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"), header("X-Key", "k1"))
	r.mustSave(t, w.ID, secret("new"), header("X-Key", webhook.MaskedSecret))
	last := r.pings[len(r.pings)-1]
	if got := last.Secrets.Current.Reveal() + " " + last.Secrets.Headers["X-Key"].Reveal(); got != "new k1" {
		t.Errorf("pinged with %q, want new k1", got)
	}
}

func TestRegistry_FailedPingStoresNothing(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"))
	r.answer = webhook.Result{Error: failure.Redirect, StatusCode: 301, Location: "example.org/new", Response: "moved"}
	_, saveErr := r.save(t, w.ID, secret("new"))
	_, createErr := r.Create(t.Context(), anna, draft(secret("s")))
	for _, err := range []error{saveErr, createErr} {
		var invalid *webhook.ValidationError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "301") || !strings.Contains(err.Error(), "example.org/new") {
			t.Errorf("got %v, want a fault with the status and the redirect", err)
		}
	}
	list, _, err := r.List(t.Context(), anna, 0, 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d webhooks and %v, want 1", len(list), err)
	}
	if diff := cmp.Diff(w, list[0]); diff != "" {
		t.Errorf("the webhook changed:\n%s", diff)
	}
	if len(r.intents(t)) != 0 {
		t.Error("an intent remains")
	}
	r.mustSave(t, w.ID, state(webhook.StateStopped))
}

func TestRegistry_GoneSecretIsNoMissingWebhook(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"))
	if err := r.Secrets.Delete(t.Context(), w.Secret.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Document(t.Context(), w); !errors.Is(err, webhook.ErrSecretUnavailable) || errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("got %v, want only %v", err, webhook.ErrSecretUnavailable)
	}
	r.mustSave(t, w.ID, func(d *webhook.Draft) { d.Name = "renaming needs no secret" })
	if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
		t.Error(err)
	}
}

func TestRegistry_GoneSecretCanBeStatedAnew(t *testing.T) {
	t.Parallel()
	const mask = webhook.MaskedSecret
	for name, test := range map[string]struct {
		changes []func(*webhook.Draft)
		faults  []string
		current string
	}{
		"all set again":             {[]func(*webhook.Draft){secret("new"), header("X-Key", "k2")}, nil, "new"},
		"without the secret header": {[]func(*webhook.Draft){secret("new")}, nil, "new"},
		"the secret removed":        {[]func(*webhook.Draft){secret("")}, nil, ""},
		"masks":                     {[]func(*webhook.Draft){secret(mask), header("X-Key", mask), header("X-B", "b")}, []string{"Secret must be set again", "X-Key must be set again"}, ""},
		"without the secret":        {[]func(*webhook.Draft){header("X-Key", "k2")}, []string{"Secret must be set again"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegistry(t)
			w := r.create(t, secret("old"), header("X-Key", "k1"))
			if err := r.Secrets.Delete(t.Context(), w.Secret.Name); err != nil {
				t.Fatal(err)
			}
			saved, err := r.save(t, w.ID, test.changes...)
			if test.faults != nil {
				var invalid *webhook.ValidationError
				if !errors.As(err, &invalid) {
					t.Fatalf("got %v, want a ValidationError", err)
				}
				for _, fault := range test.faults {
					if !strings.Contains(err.Error(), fault) {
						t.Errorf("got %v, want a fault with %q", err, fault)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			current, previous, _ := r.texts(t, saved)
			if current != test.current || previous != "" || saved.Secret.Signed != (test.current != "") || len(r.intents(t)) != 0 {
				t.Errorf("got %q, previous %q, %+v, %d intents", current, previous, saved.Secret, len(r.intents(t)))
			}
		})
	}
}

// aged is a secret store that loses the secret between a read and the next write.
type aged struct{ webhook.Secrets }

func (aged) Put(context.Context, webhook.SecretRef, webhook.SecretDocument) (webhook.SecretRef, error) {
	return webhook.SecretRef{}, webhook.ErrNotFound
}

func TestRegistry_SecretThatGoesDuringASaveIsMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"))
	r.Secrets = aged{r.Secrets}
	saved := r.mustSave(t, w.ID, secret("new"))
	if current, _, _ := r.texts(t, saved); current != "new" || saved.Secret.Name == w.Secret.Name || len(r.intents(t)) != 0 {
		t.Errorf("got %q in %s, %d intents", current, saved.Secret.Name, len(r.intents(t)))
	}
	// A caller that dies before it writes the webhook leaves intents for both
	// secrets: it is unknown which of them the webhook will refer to.
	r.Webhooks = dying{r.Webhooks}
	if _, err := r.save(t, w.ID, secret("newest")); !errors.Is(err, webhook.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, webhook.ErrUnavailable)
	}
	if got := r.intents(t); len(got) != 2 || got[0].Secret != saved.Secret.Name && got[1].Secret != saved.Secret.Name {
		t.Errorf("got intents %+v, want one for %s and one for its successor", got, saved.Secret.Name)
	}
}

// Decision 0.11: the end of an overlap.
func TestRegistry_EndOverlap(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"))
	if err := r.EndOverlap(t.Context(), anna, w.ID); err != nil {
		t.Errorf("without an overlap: %v", err)
	}
	if same, err := r.Get(t.Context(), anna, w.ID); err != nil || same.Revision != w.Revision {
		t.Errorf("without an overlap: got revision %d after %d (%v)", same.Revision, w.Revision, err)
	}
	w = r.mustSave(t, w.ID, secret("new"))
	if err := r.EndOverlap(t.Context(), anna, w.ID); err != nil {
		t.Fatal(err)
	}
	ended, err := r.Get(t.Context(), anna, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	if current, previous, _ := r.texts(t, ended); current != "new" || previous != "" || ended.Revision != w.Revision+1 {
		t.Errorf("got %q, previous %q, revision %d after %d", current, previous, ended.Revision, w.Revision)
	}
	if err := r.EndOverlap(t.Context(), webhook.Principal{Tenant: "Default", App: "app"}, w.ID); !errors.Is(err, webhook.ErrNotFound) {
		t.Errorf("another app: got %v, want %v", err, webhook.ErrNotFound)
	}
}

func TestRegistry_SetOptions(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("old"))
	epoch, err := r.Webhooks.Epoch(t.Context(), "Default")
	if err != nil {
		t.Fatal(err)
	}
	none := time.Duration(0)
	want := webhook.Options{Policy: webhook.PolicySuperOffice, Timeout: time.Second, SecretOverlap: &none, Format: webhook.FormatData}
	set, err := r.SetOptions(t.Context(), anna, w.ID, func(webhook.Webhook) (webhook.Options, error) { return want, nil })
	if err != nil {
		t.Fatal(err)
	}
	raised, err := r.Webhooks.Epoch(t.Context(), "Default")
	if err != nil || raised != epoch+1 || set.Revision != 2 {
		t.Errorf("got epoch %d after %d (%v), revision %d", raised, epoch, err, set.Revision)
	}
	saved := r.mustSave(t, w.ID, secret("new"))
	if diff := cmp.Diff(want, saved.Options); diff != "" {
		t.Errorf("a save changed the options (-want +got):\n%s", diff)
	}
	if _, previous, _ := r.texts(t, saved); previous != "" {
		t.Errorf("the old secret still signs with an overlap of 0")
	}
	long := 8 * 24 * time.Hour
	bad := webhook.Options{Policy: "p", Timeout: 101 * time.Second, SecretOverlap: &long, Format: "f"}
	_, err = r.SetOptions(t.Context(), anna, w.ID, func(webhook.Webhook) (webhook.Options, error) { return bad, nil })
	var invalid *webhook.ValidationError
	if !errors.As(err, &invalid) || len(invalid.Faults) != 4 {
		t.Errorf("got %v, want four faults", err)
	}
}

func TestRegistry_TestDraft(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t, secret("stored"), header("X-Key", "k1"))
	for name, test := range map[string]struct {
		id      int32
		changes []func(*webhook.Draft)
		want    string
		fails   bool
	}{
		"the mask with a known id signs with the stored secret": {w.ID, []func(*webhook.Draft){secret(webhook.MaskedSecret), header("X-Key", webhook.MaskedSecret)}, "stored k1", false},
		"a secret in clear signs":                               {w.ID, []func(*webhook.Draft){secret("mine")}, "mine ", false},
		"without an id and a secret the ping is unsigned":       {0, nil, " ", false},
		"the mask without an id is refused":                     {0, []func(*webhook.Draft){secret(webhook.MaskedSecret)}, "", true},
		"the mask with an unknown id is refused":                {99, []func(*webhook.Draft){secret(webhook.MaskedSecret)}, "", true},
		"events are not required":                               {0, []func(*webhook.Draft){func(d *webhook.Draft) { d.Events = nil }}, " ", false},
	} {
		t.Run(name, func(t *testing.T) {
			r.pings = nil
			_, err := r.TestDraft(t.Context(), anna, test.id, draft(test.changes...))
			var invalid *webhook.ValidationError
			if errors.As(err, &invalid) != test.fails || len(r.pings) != 1 != test.fails {
				t.Fatalf("got %v and %d pings", err, len(r.pings))
			}
			if test.fails {
				return
			}
			s := r.pings[0].Secrets
			if got := s.Current.Reveal() + " " + s.Headers["X-Key"].Reveal(); got != test.want {
				t.Errorf("got secrets %q, want %q", got, test.want)
			}
		})
	}
}

// The audit is called for committed writes and nothing else.
func TestRegistry_AuditsCommittedWrites(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	var heard []string
	r.Audit = func(_ context.Context, action string, written webhook.Key, changed []string) {
		heard = append(heard, fmt.Sprintf("%s %s/%d %v", action, written.Tenant, written.ID, changed))
	}
	w := r.create(t, secret("s"))
	r.mustSave(t, w.ID, func(d *webhook.Draft) { d.Name = "m" })
	if err := r.EndOverlap(t.Context(), anna, w.ID); err != nil { // there is no overlap
		t.Fatal(err)
	}
	if _, err := r.Create(t.Context(), anna, webhook.Draft{}); err == nil {
		t.Error("an invalid draft was accepted")
	}
	store := r.Webhooks
	r.Webhooks = dying{store}
	if _, err := r.save(t, w.ID); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, webhook.ErrUnavailable)
	}
	r.Webhooks = store
	if err := r.Delete(t.Context(), anna, w.ID, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{"create webhook Default/1 []", "change webhook Default/1 [Name]", "delete webhook Default/1 []"}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Errorf("audited writes (-want +got):\n%s", diff)
	}
}

// No method accepts a target on a host by which its call reached the service.
func TestRegistry_OwnHostsOfACallAreNotTargets(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	w := r.create(t)
	d := draft(func(d *webhook.Draft) { d.TargetURL = "https://OWN.example.com./" })
	const own = "own.example.com"
	_, createErr := r.Create(t.Context(), anna, d, own)
	_, _, onceErr := r.CreateOnce(t.Context(), anna, "k", d, own)
	_, saveErr := r.Save(t.Context(), anna, w.ID, func(webhook.Webhook) (webhook.Draft, error) { return d, nil }, own)
	_, testErr := r.TestDraft(t.Context(), anna, w.ID, d, own)
	for name, err := range map[string]error{"Create": createErr, "CreateOnce": onceErr, "Save": saveErr, "TestDraft": testErr} {
		var invalid *webhook.ValidationError
		if !errors.As(err, &invalid) || invalid.Faults[0].Member != "TargetUrl" {
			t.Errorf("%s: got %v, want a fault of TargetUrl", name, err)
		}
	}
	if _, err := r.Create(t.Context(), anna, d, "", "other.example.com"); err != nil {
		t.Errorf("a call on other hosts: %v", err)
	}
}

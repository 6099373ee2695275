package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// dying fails every call of a registry's stores from the n-th on, as if the process
// had died: before that call's effect, or after.
type dying struct {
	source.Sources
	webhook.Secrets
	source.Intents
	calls, at int
	after     bool
	blind     bool     // List misses what others have just stored
	names     []string // of secrets
}

var errDied = fmt.Errorf("died: %w", webhook.ErrUnavailable)

func (d *dying) call(do func() error) error {
	d.calls++
	switch {
	case d.at == 0 || d.calls < d.at:
		return do()
	case d.calls == d.at && d.after:
		_ = do()
	}
	return errDied
}

type dyingSources struct{ *dying }

func (d dyingSources) List(ctx context.Context) (all []source.Source, err error) {
	err = d.call(func() (err error) { all, err = d.Sources.List(ctx); return err })
	if d.blind {
		all = nil
	}
	return all, err
}

func (d dyingSources) Get(ctx context.Context, name string) (s source.Source, err error) {
	return s, d.call(func() (err error) { s, err = d.Sources.Get(ctx, name); return err })
}

func (d dyingSources) Put(ctx context.Context, s source.Source) error {
	return d.call(func() error { return d.Sources.Put(ctx, s) })
}

func (d dyingSources) Delete(ctx context.Context, name string, revision int64) error {
	return d.call(func() error { return d.Sources.Delete(ctx, name, revision) })
}

func (d dyingSources) Count(ctx context.Context, name string, c source.Counts) error {
	return d.Sources.Count(ctx, name, c)
}

func (d dyingSources) Counts(ctx context.Context, name string) (source.Counts, error) {
	return d.Sources.Counts(ctx, name)
}

type dyingSecrets struct{ *dying }

func (d dyingSecrets) Name(tenant webhook.Tenant, id int32) (string, error) {
	name, err := d.Secrets.Name(tenant, id)
	d.names = append(d.names, name)
	return name, err
}

func (d dyingSecrets) Create(ctx context.Context, name string, doc webhook.SecretDocument) (ref webhook.SecretRef, err error) {
	return ref, d.call(func() (err error) { ref, err = d.Secrets.Create(ctx, name, doc); return err })
}

func (d dyingSecrets) Read(ctx context.Context, ref webhook.SecretRef) (doc webhook.SecretDocument, err error) {
	return doc, d.call(func() (err error) { doc, err = d.Secrets.Read(ctx, ref); return err })
}

func (d dyingSecrets) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (ref webhook.SecretRef, err error) {
	return ref, d.call(func() (err error) { ref, err = d.Secrets.Put(ctx, committed, doc); return err })
}

func (d dyingSecrets) Delete(ctx context.Context, name string) error {
	return d.call(func() error { return d.Secrets.Delete(ctx, name) })
}

type dyingIntents struct{ *dying }

func (d dyingIntents) PutIntent(ctx context.Context, intent webhook.Intent) error {
	return d.call(func() error { return d.Intents.PutIntent(ctx, intent) })
}

func (d dyingIntents) RemoveIntent(ctx context.Context, intent webhook.Intent) error {
	return d.call(func() error { return d.Intents.RemoveIntent(ctx, intent) })
}

// relays is a site with a registry of sources.
type relays struct {
	*site
	*dying
	registry *source.Registry
}

func newRelays(t *testing.T) *relays {
	t.Helper()
	r := &relays{site: newSite(t)}
	r.Sweeper.Sources = r.db.Sources()
	r.dying = &dying{Sources: r.db.Sources(), Secrets: r.db.Secrets(), Intents: r.db.Webhooks()}
	r.registry = &source.Registry{
		Sources: dyingSources{r.dying}, Secrets: dyingSecrets{r.dying}, Intents: dyingIntents{r.dying},
		TenantExists: func(context.Context, webhook.Tenant) error { return nil },
		Now:          r.clock.Now, Random: webhooktest.Random(2),
	}
	return r
}

func draft(name, secret string) source.Draft {
	stated := webhook.NewSecret(secret)
	return source.Draft{Secret: &stated, Source: source.Source{
		Name: name, Kind: source.KindRelay, Tenant: tenant, Relay: &source.Relay{Protocol: source.ProtocolStandard},
	}}
}

// A registry that dies at any call leaves no secret that nothing refers to, and
// loses none that a source refers to.
func TestSweep_SecretsOfSourcesOutliveNoCrashAndNoSourceLosesOne(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(t *testing.T, r *relays) error{
		"create": func(t *testing.T, r *relays) error {
			_, err := r.registry.Create(t.Context(), "admin", draft("b", "s"))
			return err
		},
		"a name that is taken": func(t *testing.T, r *relays) error {
			r.blind = true
			_, err := r.registry.Create(t.Context(), "admin", draft("a", "s"))
			if errors.Is(err, webhook.ErrExists) {
				return nil
			}
			return err
		},
		"rotate": func(t *testing.T, r *relays) error {
			_, err := r.registry.Replace(t.Context(), "admin", "a", 0, draft("a", "another"))
			return err
		},
		"rotate a lost secret": func(t *testing.T, r *relays) error {
			stored, err := r.db.Sources().Get(t.Context(), "a")
			r.must(err)
			r.must(r.db.Secrets().Delete(t.Context(), stored.Relay.Secret.Name))
			_, err = r.registry.Replace(t.Context(), "admin", "a", 0, draft("a", "another"))
			return err
		},
		"end the overlap": func(t *testing.T, r *relays) error {
			_, err := r.registry.EndOverlap(t.Context(), "admin", "a")
			return err
		},
		"delete": func(t *testing.T, r *relays) error {
			_, err := r.registry.Delete(t.Context(), "a", 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, after := range []bool{false, true} {
				for at := 1; ; at++ {
					r := newRelays(t)
					_, err := r.registry.Create(t.Context(), "admin", draft("a", "first"))
					r.must(err)
					_, err = r.registry.Replace(t.Context(), "admin", "a", 0, draft("a", "second"))
					r.must(err)
					r.calls, r.at, r.after = 0, at, after
					err = do(t, r)
					done := err == nil && r.calls < at
					if err != nil && !errors.Is(err, webhook.ErrUnavailable) {
						t.Errorf("call %d: %v", at, err)
					}
					r.clock.Advance(2 * time.Hour)
					r.sweep()
					r.check(name == "rotate a lost secret")
					if done {
						if at < 3 {
							t.Errorf("%d calls", at-1)
						}
						break
					}
				}
			}
		})
	}
}

// check requires that exactly the secrets exist that sources refer to, and that
// no intent is left.
func (r *relays) check(mayLack bool) {
	r.t.Helper()
	all, err := r.db.Sources().List(r.t.Context())
	r.must(err)
	needed := map[string]bool{}
	for _, s := range all {
		needed[s.Relay.Secret.Name] = true
		if _, err := r.db.Secrets().Read(r.t.Context(), s.Relay.Secret); err != nil && !mayLack {
			r.t.Errorf("call %d, after its effect %v: %s lost its secret: %v", r.at, r.after, s.Name, err)
		}
	}
	for _, name := range r.names {
		if labels, err := r.db.Secrets().Labels(r.t.Context(), name); err != nil || labels["AWSCURRENT"] != "" && !needed[name] {
			r.t.Errorf("call %d, after its effect %v: the secret %s is left", r.at, r.after, name)
		}
	}
	intents, err := r.db.Webhooks().Intents(r.t.Context(), r.clock.Now(), 10)
	if err != nil || len(intents) > 0 {
		r.t.Errorf("call %d, after its effect %v: %d intents are left, %v", r.at, r.after, len(intents), err)
	}
}

// A source that cannot be read may be the one that a secret belongs to.
func TestSweep_KeepsTheSecretsOfSourcesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := newRelays(t)
	s, err := r.registry.Create(t.Context(), "admin", draft("a", "s"))
	r.must(err)
	r.must(r.db.Webhooks().PutIntent(t.Context(), webhook.Intent{Secret: s.Relay.Secret.Name, Tenant: tenant, At: r.clock.Now()}))
	r.Sweeper.Sources = unreadableSources{}
	r.clock.Advance(2 * time.Hour)
	if err := r.Run(t.Context()); err == nil {
		t.Error("nothing is reported")
	}
	if _, err := r.db.Secrets().Read(t.Context(), s.Relay.Secret); err != nil {
		t.Errorf("the secret: %v", err)
	}
}

type unreadableSources struct{}

func (unreadableSources) List(context.Context) ([]source.Source, error) {
	return nil, &webhook.UnreadableError{Count: 1, Items: []string{"sources a"}, Cause: webhook.ErrNewer}
}

func (unreadableSources) Counts(context.Context, string) (source.Counts, error) {
	return source.Counts{}, nil
}

func TestSweep_ReportsSilentSources(t *testing.T) {
	t.Parallel()
	r := newRelays(t)
	for name, expect := range map[string]time.Duration{"patient": 0, "quiet": time.Hour, "lively": time.Hour} {
		d := draft(name, "s")
		d.ExpectWithin = expect
		_, err := r.registry.Create(t.Context(), "admin", d)
		r.must(err)
	}
	silent := func() string {
		t.Helper()
		r.log.Reset()
		r.sweep()
		var lines []string
		for line := range strings.Lines(r.log.String()) {
			if _, rest, found := strings.Cut(line, `level=WARN msg="source silent" `); found {
				lines = append(lines, strings.TrimSpace(rest))
			}
		}
		return strings.Join(lines, "; ")
	}
	r.clock.Advance(time.Hour)
	if got := silent(); got != "" {
		t.Errorf("after an hour: %s", got)
	}
	r.must(r.db.Sources().Count(t.Context(), "lively", source.Counts{Taken: 1, LastTaken: r.clock.Now()}))
	r.clock.Advance(time.Minute)
	for range 2 {
		if got, want := silent(), "source=quiet minutes=61 expected_within_minutes=60"; got != want {
			t.Errorf("after 61 minutes: got %s, want %s", got, want)
		}
	}
	r.must(r.db.Sources().Count(t.Context(), "quiet", source.Counts{Refused: 1}))
	r.clock.Advance(time.Hour)
	if got, want := silent(), "source=lively minutes=61 expected_within_minutes=60; source=quiet minutes=121 expected_within_minutes=60"; got != want {
		t.Errorf("an hour later: got %s, want %s", got, want)
	}
}

package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// tje0 is the default caller.
var tje0 = webhook.Principal{
	Tenant:    "Default",
	Associate: webhook.Associate{ID: 1, Name: "tje0", FullName: "tje0", UserName: "tje0", Type: "InternalAssociate"},
	Scopes:    []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
}

// anyone authenticates every call with an Authorization header as the principal.
type anyone struct{ webhook.Principal }

func (a anyone) Authenticate(r *http.Request, _ webhook.Tenant) (webhook.Principal, error) {
	if r.Header.Get("Authorization") == "" {
		return webhook.Principal{}, webhook.ErrUnauthorized
	}
	return a.Principal, nil
}

// scoped authenticates every call with an Authorization header, with these scopes.
func scoped(scopes ...webhook.Scope) anyone {
	who := tje0
	who.Scopes = scopes
	return anyone{who}
}

// server is the API on the embedded store.
type server struct {
	http.Handler
	t     testing.TB
	db    *embedded.DB
	dir   string // the folder of the store
	clock *webhooktest.Clock
	log   bytes.Buffer
	// pings are the test events that were sent, answer is the result of each. The
	// zero answer is a success.
	pings  []webhook.Post
	answer webhook.Result
	// noAuthorization: calls have no credential unless a test adds one.
	noAuthorization bool
	// planted: the store has a planted fault, which no operation documents.
	planted bool
}

func newServer(t testing.TB, changes ...func(*httpapi.Config)) *server {
	t.Helper()
	s := &server{t: t, clock: webhooktest.NewClock(now), dir: t.TempDir()}
	random := webhooktest.Random(1)
	db, err := embedded.Open(s.dir, embedded.Options{Now: s.clock.Now, Random: random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s.db = db
	administration := &tenancy.Administration{
		Tenants: db.Tenants(), Credentials: db.Credentials(), Jobs: db.Jobs(), Now: s.clock.Now, Random: random,
	}
	registry := &webhook.Registry{
		Webhooks: db.Webhooks(), Secrets: db.Secrets(), Events: db.Events(), Rules: webhook.Rules{AllowHTTP: true},
		Now: s.clock.Now, Random: random, EventLife: 30 * 24 * time.Hour,
		Ping: func(_ context.Context, post webhook.Post) webhook.Result {
			s.pings = append(s.pings, post)
			return s.answer
		},
	}
	cfg := httpapi.Config{
		Registry: registry, Statistics: &statistics.Reader{Registry: registry, Statistics: db.Statistics(), Backlog: db.Deliveries()},
		Explainer: &explain.Explainer{Webhooks: registry, Deliveries: db.Deliveries(), Health: db.Webhooks().Health, Now: s.clock.Now},
		Publisher: &webhook.Publisher{Events: db.Events(), Now: s.clock.Now, Random: random, Life: 30 * 24 * time.Hour},
		Auth:      anyone{tje0}, Health: db.Webhooks().Health, PublicURL: "https://hooks.example.com", Version: "1.2.3",
		Administration: administration,
		Jobs:           &job.Control{Jobs: db.Jobs(), Now: s.clock.Now, Random: random},
		Custody:        &custody.Administration{Jobs: db.Jobs(), TenantExists: administration.Exists, Now: s.clock.Now, Random: random},
		Redispatch:     &replay.Redispatch{Tenants: administration, Jobs: db.Jobs(), Now: s.clock.Now, Random: random},
		Retry: &replay.Retry{
			Webhooks: registry, Events: db.Events(), Deliveries: db.Deliveries(), Messages: db.Queue(), Now: s.clock.Now,
			EventLife: 30 * 24 * time.Hour, RowLife: 33 * 24 * time.Hour,
		},
		Replays: replaysOf(db, registry, s.clock.Now, random),
		Sources: &source.Registry{
			Sources: db.Sources(), Secrets: db.Secrets(), Intents: db.Webhooks(), OwnTables: []string{"posthaste-events"},
			TenantExists: administration.Receives, EventLife: 30 * 24 * time.Hour, Now: s.clock.Now, Random: random,
		},
		Stored: httpapi.Stored{Events: db.Events(), Deliveries: db.Deliveries()}, Rebuild: sender(t).Rebuild,
		DefaultPolicy: webhook.PolicyDurable,
		Logger:        slog.New(slog.NewJSONHandler(&s.log, nil)), Now: s.clock.Now,
	}
	for _, change := range changes {
		change(&cfg)
	}
	s.Handler = httpapi.New(cfg)
	return s
}

func replaysOf(db *embedded.DB, registry *webhook.Registry, now func() time.Time, random io.Reader) *replay.Replays {
	worker := replay.Worker{
		Webhooks: db.Webhooks(), Events: db.Events(), Deliveries: db.Deliveries(), Messages: db.Queue(), Now: now, RowLife: 33 * 24 * time.Hour,
	}
	return &replay.Replays{
		Webhooks: registry, Jobs: db.Jobs(), Founder: db.Webhooks(), Slice: worker.Slice, Logger: slog.New(slog.DiscardHandler), Now: now, Random: random, EventLife: 30 * 24 * time.Hour,
	}
}

// sender returns a sender for rebuilding requests. It sends nothing.
func sender(t testing.TB) *outbound.Sender {
	t.Helper()
	s, err := outbound.New(outbound.Config{UserAgent: "Posthaste/1.2.3", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// attempted stores an event and its delivery to a webhook, with an attempt that the
// target answered with 500.
func (s *server) attempted(id int32, event webhook.EventID, signer webhook.Signer) {
	s.t.Helper()
	ctx, at := s.t.Context(), s.clock.Now()
	w, err := s.db.Webhooks().Get(ctx, "Default", id)
	if err != nil {
		s.t.Fatal(err)
	}
	e := webhook.Event{
		Tenant: "Default", ID: event, Name: "contact.created", PrimaryKey: 7, Data: []byte(`{"name":"Blåbær <AS>"}`), ChangedBy: 1, At: at,
		ExpiresAt: at.Add(30 * 24 * time.Hour),
	}
	sent := webhook.Sent{Revision: w.Revision, Signer: signer}
	built, err := sender(s.t).Rebuild(webhook.Post{Webhook: w, Event: e}, sent, at)
	if err != nil {
		s.t.Fatal(err)
	}
	sent.Body = webhook.BodyMark(built.Body)
	if err := s.db.Events().Put(ctx, e); err != nil {
		s.t.Fatal(err)
	}
	_, err = s.db.Deliveries().RecordFirst(ctx, delivery.RecordFirst{
		Key: delivery.Key{Tenant: "Default", Webhook: id, Event: event}, Now: at,
		Seed: delivery.Seed{EventName: e.Name, PrimaryKey: e.PrimaryKey, ExpiresAt: at.Add(33 * 24 * time.Hour)},
		Outcome: delivery.Outcome{
			Attempt: delivery.Attempt{Number: 1, At: at.Add(time.Second), Duration: time.Second, StatusCode: 500, Error: failure.Status, Sent: sent},
			Status:  delivery.StatusFailed, Reason: "every attempt failed",
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// call sends a request with a credential. Headers are "Name: value" lines. The
// response must conform to openapi.json unless it is compressed. A fuzz target calls
// conforms itself.
func (s *server) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://example.test"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Basic dGplMDpUamUw")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	if s.noAuthorization && (r.Header.Get("Authorization") == "Basic dGplMDpUamUw" || r.Header.Get("Authorization") == "") {
		r.Header.Del("Authorization")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if _, fuzzing := s.t.(*testing.F); !fuzzing && !s.planted && w.Header().Get("Content-Encoding") == "" {
		conforms(s.t, r, w)
	}
	return w
}

// webhooks returns the stored webhooks.
func (s *server) webhooks() []webhook.Webhook {
	s.t.Helper()
	stored, _, err := s.db.Webhooks().List(s.t.Context(), "Default", 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return stored
}

// events returns the accepted events, oldest first.
func (s *server) events() []webhook.Event {
	s.t.Helper()
	stored, err := s.db.Events().List(s.t.Context(), "Default", webhook.FirstEventID(now.AddDate(0, 0, -1)), webhook.FirstEventID(now.AddDate(1, 0, 0)), 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return stored
}

// faulty is a webhook store whose lists fail.
type faulty struct {
	webhook.Webhooks
	fault error
}

func (f faulty) List(context.Context, webhook.Tenant, int32, int) ([]webhook.Webhook, bool, error) {
	return nil, false, f.fault
}

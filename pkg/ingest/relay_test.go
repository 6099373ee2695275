package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/ingest"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

const (
	secret = "Something Super Secret"
	newer  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	life   = 30 * 24 * time.Hour
	guid   = "88f91933-edce-4c1a-8ded-ade8e2f72434"
	body   = `{"EventId":"` + guid + `","Timestamp":"2026-11-24T07:59:33.27583Z","Changes":["name","<b>"],"Event":"contact.changed","PrimaryKey":5,` +
		`"Entity":"contact","ContextIdentifier":"Cust12345","ChangedByAssociateId":9,"WebhookName":"W","FieldValues":{"b":1.50,"a":"<ø>"}}`
)

// bench is a relay on the embedded store, with a SuperOffice source "crm" and a
// Standard Webhooks source "shop" of the tenant Acme.
type bench struct {
	*ingest.Relay
	t       testing.TB
	db      *embedded.DB
	sources *sources
	clock   *webhooktest.Clock
	log     bytes.Buffer
}

func open(t testing.TB, clock *webhooktest.Clock) *embedded.DB {
	t.Helper()
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: webhooktest.Random(1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, clock: webhooktest.NewClock(now)}
	random := webhooktest.Random(1)
	db := open(t, b.clock)
	b.db, b.sources = db, &sources{Sources: db.Sources()}
	logger := slog.New(slog.NewJSONHandler(&b.log, nil))
	b.Relay = &ingest.Relay{
		Sources: b.sources, Secrets: db.Secrets(), Tenants: &ingest.Tenants{Stored: db.Tenants(), Now: b.clock.Now},
		Publisher: &webhook.Publisher{Events: db.Events(), Now: b.clock.Now, Random: random, Life: life},
		Counters:  &ingest.Counters{Sources: b.sources, Now: b.clock.Now, Logger: logger},
		Now:       b.clock.Now, Logger: logger, RequestID: func(context.Context) string { return "" }, Fail: httpapi.WriteError,
	}
	if err := db.Tenants().Create(t.Context(), "Acme", now); err != nil {
		t.Fatal(err)
	}
	b.put(source.Source{Name: "crm", Relay: &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Cust12345"}}, secret)
	b.put(source.Source{Name: "shop", Relay: &source.Relay{Protocol: source.ProtocolStandard}}, newer)
	return b
}

// put stores a relay with its first secret.
func (b *bench) put(s source.Source, text string) {
	b.t.Helper()
	if s.Tenant == "" {
		s.Tenant = "Acme"
	}
	name, err := b.db.Secrets().Name(s.Tenant, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	if s.Relay.Secret, err = b.db.Secrets().Create(b.t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret(text)}); err != nil {
		b.t.Fatal(err)
	}
	s.Kind, s.Revision = source.KindRelay, 1
	if err := b.sources.Put(b.t.Context(), s); err != nil {
		b.t.Fatal(err)
	}
}

// rotate replaces a relay's secrets.
func (b *bench) rotate(name string, doc webhook.SecretDocument) {
	b.t.Helper()
	s, err := b.sources.Get(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	relay := *s.Relay
	if relay.Secret, err = b.db.Secrets().Put(b.t.Context(), relay.Secret, doc); err != nil {
		b.t.Fatal(err)
	}
	s.Relay, s.Revision = &relay, s.Revision+1
	if err := b.sources.Put(b.t.Context(), s); err != nil {
		b.t.Fatal(err)
	}
}

// post sends a POST; headers are "Name: value" lines.
func (b *bench) post(path, body string, headers ...string) *httptest.ResponseRecorder {
	return b.call(http.MethodPost, path, body, headers...)
}

func (b *bench) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://example.test"+path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func signed(secret, body string) string {
	return "X-SuperOffice-Signature: " + signature.SuperOffice(secret, []byte(body))
}

// relayed posts a signed body to the source "crm".
func (b *bench) relayed(body string, headers ...string) int {
	return b.post("/in/v1/crm", body, append(headers, signed(secret, body))...).Code
}

func (b *bench) events(tenant webhook.Tenant) []webhook.Event {
	b.t.Helper()
	events, err := b.db.Events().List(b.t.Context(), tenant, webhook.FirstEventID(time.Time{}), "ffffffff-ffff-ffff-ffff-ffffffffffff", 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return events
}

// counts returns the counts of a source once they are written.
func (b *bench) counts(name string) source.Counts {
	b.t.Helper()
	b.clock.Advance(10 * time.Second)
	b.Counters.Flush(b.t.Context())
	counts, err := b.sources.Counts(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return counts
}

func with(t *testing.T, old, replacement string) string {
	t.Helper()
	changed := strings.Replace(body, old, replacement, 1)
	if changed == body {
		t.Fatalf("%q is not in the body", old)
	}
	return changed
}

func TestRelay_StoresTheEvent(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/in/v1/crm", "/in/v1/crm/"} {
		b := newBench(t)
		w := b.post(path, body, signed(secret, body), "X-Posthaste-Hops: 1", "Content-Encoding: identity")
		if w.Code != 200 || w.Body.Len() != 0 {
			t.Fatalf("%s: got %d %s", path, w.Code, w.Body)
		}
		entity := "contact"
		want := []webhook.Event{{
			Tenant: "Acme", Name: "contact.changed", PrimaryKey: 5, ChangedBy: 9, At: time.Date(2026, 11, 24, 7, 59, 33, 275830000, time.UTC), Hops: 2, ExpiresAt: now.Add(life),
			Content: &webhook.Content{
				Entity: &entity, Changes: []string{"name", "<b>"}, FieldValues: []byte(`{"b":1.50,"a":"<ø>"}`), Context: "Cust12345", Source: "/in/crm", SourceEvent: guid,
			},
		}}
		got := b.events("Acme")
		if len(got) != 1 || !got[0].ID.Valid() || got[0].PublicID() != guid {
			t.Fatalf("got %+v", got)
		}
		want[0].ID = got[0].ID
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		line := b.log.String()
		for _, member := range []string{`"source":"crm"`, `"event":"contact.changed"`, `"event_id":"` + string(got[0].ID), `"status":200`} {
			if !strings.Contains(line, member) {
				t.Errorf("the log line lacks %s: %s", member, line)
			}
		}
		counts, _ := b.sources.Counts(t.Context(), "crm")
		if want := (source.Counts{Taken: 1, Made: 1, LastTaken: now}); !cmp.Equal(counts, want) {
			t.Errorf("counts %+v, want %+v", counts, want)
		}
	}
}

// What is refused, whether or not the source exists, and with what.
func TestRelay_Refuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.sources.Put(t.Context(), source.Source{Name: "bus-1", Kind: source.KindBus, Tenant: "Acme", Bus: &source.Bus{}, Revision: 1}); err != nil {
		t.Fatal(err)
	}
	ok, other := signed(secret, body), signed(newer, body)
	big := strings.Repeat(" ", 1<<20) + body
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		header             string
	}{
		"an unknown source":             {"POST", "/in/v1/nothing", body, []string{ok}, 404, ""},
		"a name in other letters":       {"POST", "/in/v1/CRM", body, []string{ok}, 404, ""},
		"a source of another kind":      {"POST", "/in/v1/bus-1", body, []string{ok}, 404, ""},
		"no source":                     {"POST", "/in/v1/", body, []string{ok}, 404, ""},
		"no version":                    {"POST", "/in/crm", body, []string{ok}, 404, ""},
		"more segments":                 {"POST", "/in/v1/crm/x", body, []string{ok}, 404, ""},
		"another method":                {"GET", "/in/v1/crm", "", nil, 405, "Allow: POST"},
		"another method, unknown":       {"PUT", "/in/v1/nothing", "", nil, 405, "Allow: POST"},
		"gzip":                          {"POST", "/in/v1/crm", body, []string{ok, "Content-Encoding: gzip"}, 415, ""},
		"gzip, unknown":                 {"POST", "/in/v1/nothing", body, []string{ok, "Content-Encoding: gzip"}, 415, ""},
		"two encodings":                 {"POST", "/in/v1/crm", body, []string{ok, "Content-Encoding: identity, gzip"}, 415, ""},
		"over 1 MiB":                    {"POST", "/in/v1/crm", big, []string{signed(secret, big)}, 413, ""},
		"over 1 MiB, unknown":           {"POST", "/in/v1/nothing", big, nil, 413, ""},
		"no signature":                  {"POST", "/in/v1/crm", body, nil, 401, "Www-Authenticate: Signature"},
		"an empty signature":            {"POST", "/in/v1/crm", body, []string{"X-SuperOffice-Signature: "}, 401, "Www-Authenticate: Signature"},
		"another's signature":           {"POST", "/in/v1/crm", body, []string{other}, 401, "Www-Authenticate: Signature"},
		"a repeated signature":          {"POST", "/in/v1/crm", body, []string{ok, ok}, 401, ""},
		"two signatures":                {"POST", "/in/v1/crm", body, []string{other, ok}, 401, ""},
		"joined signatures":             {"POST", "/in/v1/crm", body, []string{ok + "," + strings.TrimPrefix(ok, "X-SuperOffice-Signature: ")}, 401, ""},
		"a changed body":                {"POST", "/in/v1/crm", body + " ", []string{ok}, 401, ""},
		"a mark before the signed body": {"POST", "/in/v1/crm", "\xef\xbb\xbf" + body, []string{ok}, 401, ""},
		"a signature of the other kind": {"POST", "/in/v1/shop", body, []string{other}, 401, ""},
	} {
		b.log.Reset()
		w := b.call(c.method, c.path, c.body, c.headers...)
		if matched := strings.Contains(b.log.String(), `"action":"POST /in/v1/{source}"`); matched == strings.Contains(b.log.String(), `"action":"unmatched"`) || matched && c.method != "POST" {
			t.Errorf("%s: got the line %s", name, b.log.String())
		}
		if strings.Contains(b.log.String(), "nothing") {
			t.Errorf("a name that does not exist is logged: %s", b.log.String())
		}
		if w.Code != c.status || !strings.Contains(w.Body.String(), `"Error":true,"ErrorType":"`) {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, c.status)
		}
		if header, value, _ := strings.Cut(c.header, ": "); w.Header().Get(header) != value {
			t.Errorf("%s: got the headers %v, want %s", name, w.Header(), c.header)
		}
	}
	if got := b.events("Acme"); len(got) != 0 {
		t.Errorf("got %d events", len(got))
	}
	if got := b.counts("crm"); got.Refused != 8 || got.Taken != 0 || got.LastFault == "" {
		t.Errorf("counts %+v, want 8 refused", got)
	}
}

// Once a signature verifies, the response is 200 whatever the body.
func TestRelay_CountsWhatCannotBecomeAnEvent(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return with(t, `"<ø>"`, strings.Repeat(`{"a":`, n)+`1`+strings.Repeat(`}`, n))
	}
	for name, c := range map[string]struct {
		body   string
		hops   []string
		reason source.Reason // empty: an event is made
	}{
		"nothing":                     {"", nil, source.ReasonUnreadable},
		"no JSON":                     {"EventId=1", nil, source.ReasonUnreadable},
		"an array":                    {"[" + body + "]", nil, source.ReasonUnreadable},
		"two objects":                 {body + body, nil, source.ReasonUnreadable},
		"half an object":              {body[:len(body)-1], nil, source.ReasonUnreadable},
		"invalid UTF-8":               {with(t, "ø", "\xf8"), nil, source.ReasonUnreadable},
		"UTF-16":                      {"\xff\xfe{\x00}\x00", nil, source.ReasonUnreadable},
		"UTF-8 with its mark":         {"\xef\xbb\xbf" + body, nil, ""},
		"64 levels":                   {deep(62), nil, ""},
		"65 levels":                   {deep(63), nil, source.ReasonUnreadable},
		"many levels":                 {strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000), nil, source.ReasonUnreadable},
		"a key that is a string":      {with(t, `:5,`, `:"5",`), nil, source.ReasonUnreadable},
		"a key of more than 32 bits":  {with(t, `:5,`, `:5000000000,`), nil, source.ReasonUnreadable},
		"names that are numbers":      {with(t, `"name","<b>"`, `1`), nil, source.ReasonUnreadable},
		"an entity without an end":    {with(t, `"Entity":"contact"`, `"Entity":"`+strings.Repeat("x", 900_000)+`"`), nil, source.ReasonUnreadable},
		"the name of no event":        {with(t, `contact.changed`, `contact changed`), nil, source.ReasonName},
		"a reserved name":             {with(t, `contact.changed`, `webhook7.errors`), nil, source.ReasonName},
		"no id":                       {with(t, guid, ``), nil, source.ReasonID},
		"an id without an end":        {with(t, guid, strings.Repeat("1", 256)), nil, source.ReasonID},
		"another context":             {with(t, `Cust12345`, `Cust54321`), nil, source.ReasonContext},
		"a ping":                      {with(t, `contact.changed`, `test`), nil, source.ReasonPing},
		"no time":                     {with(t, `2026-11-24T07:59:33.27583Z`, ``), nil, source.ReasonTimestamp},
		"a time to come":              {with(t, `24T07:59:33`, `24T08:05:01`), nil, source.ReasonTimestamp},
		"five minutes ahead":          {with(t, `24T07:59:33.27583Z`, `24T08:05:00Z`), nil, ""},
		"a time long past":            {with(t, `2026-11-24`, `2026-10-24`), nil, source.ReasonOld},
		"two hops":                    {body, []string{"2"}, ""},
		"three hops":                  {body, []string{"3"}, source.ReasonLoop},
		"hops that are not a number":  {body, []string{"one"}, source.ReasonLoop},
		"negative hops":               {body, []string{"-1"}, source.ReasonLoop},
		"hops beyond a number's size": {body, []string{"99999999999999999999"}, source.ReasonLoop},
		"repeated hops":               {body, []string{"1", "1"}, source.ReasonLoop},
		"joined hops":                 {body, []string{"1, 1"}, source.ReasonLoop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var headers []string
			for _, hops := range c.hops {
				headers = append(headers, "X-Posthaste-Hops: "+hops)
			}
			if status := b.relayed(c.body, headers...); status != 200 {
				t.Errorf("got %d, want 200", status)
			}
			want := source.Counts{Taken: 1, LastTaken: now}
			if c.reason == "" {
				want.Made = 1
			} else {
				want.Skipped = map[source.Reason]int64{c.reason: 1}
				if !strings.Contains(b.log.String(), `"reason":"`+string(c.reason)) {
					t.Errorf("the log line lacks the reason: %s", b.log.String())
				}
			}
			if diff := cmp.Diff(want, b.counts("crm")); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if got := len(b.events("Acme")); got != int(want.Made) {
				t.Errorf("got %d events, want %d", got, want.Made)
			}
		})
	}
}

func TestRelay_DropsValuesOverTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if status := b.relayed(with(t, `"<ø>"`, `"`+strings.Repeat("x", 900_000)+`"`)); status != 200 {
		t.Fatalf("got %d", status)
	}
	got := b.events("Acme")
	if len(got) != 1 || !got[0].Content.Truncated || got[0].Content.FieldValues != nil || len(got[0].Content.Changes) != 2 {
		t.Errorf("got %+v", got)
	}
	if counts := b.counts("crm"); counts.Truncated != 1 || counts.Made != 1 {
		t.Errorf("counts %+v", counts)
	}
}

func TestRelay_DropsEventsOfTenantsThatDoNotExist(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(source.Source{Name: "gone", Tenant: "Gone", Relay: &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Cust12345"}}, secret)
	b.put(source.Source{Name: "first", Tenant: "Default", Relay: &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Cust12345"}}, secret)
	post := func(name string, id int) {
		t.Helper()
		changed := with(t, guid, fmt.Sprint("id ", id))
		if w := b.post("/in/v1/"+name, changed, signed(secret, changed)); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	post("gone", 1)
	post("first", 2)
	post("crm", 3)
	if _, err := b.db.Tenants().BeginDelete(t.Context(), "Acme", "job"); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Minute)
	post("crm", 4)
	if got := len(b.events("Gone")) + len(b.events("Default")) + len(b.events("Acme")); got != 2 {
		t.Errorf("got %d events, want 2", got)
	}
	for _, name := range []string{"gone", "crm"} {
		if got := b.counts(name).Skipped[source.ReasonTenant]; got != 1 {
			t.Errorf("%d events of %s were skipped for their tenant, want 1", got, name)
		}
	}
}

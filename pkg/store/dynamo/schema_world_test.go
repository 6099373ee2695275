package dynamo_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The world of the fixtures: one tenant with one webhook, at one time.
const schemaTenant = webhook.Tenant("Cust12345")

var (
	schemaNow    = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	schemaLife   = schemaNow.Add(30 * 24 * time.Hour)
	schemaSeen   = schemaNow.Add(time.Minute)
	schemaEvents = map[string]webhook.EventID{
		"plain":   "019a3f4c-5e00-7000-8000-000000000001",
		"packed":  "019a3f4c-5e00-7000-8000-000000000002",
		"content": "019a3f4c-5e00-7000-8000-000000000003",
		"long":    "019a3f4c-5e00-7000-8000-000000000004",
		"state":   "019a3f4c-5e00-7000-8000-000000000005",
	}
	schemaRows = map[delivery.Status]webhook.EventID{
		delivery.StatusPending:   "019a3f4c-5e00-7000-8000-000000000001",
		"leased":                 "019a3f4c-5e00-7000-8000-000000000002",
		delivery.StatusDelivered: "019a3f4c-5e00-7000-8000-000000000003",
		delivery.StatusFailed:    "019a3f4c-5e00-7000-8000-000000000004",
		delivery.StatusCancelled: "019a3f4c-5e00-7000-8000-000000000005",
		delivery.StatusExpired:   "019a3f4c-5e00-7000-8000-000000000006",
		"parked":                 "019a3f4c-5e00-7000-8000-000000000007",
	}
)

const (
	schemaRunning = "019a3f4c-5e00-7000-8000-00000000000a"
	schemaEnded   = "019a3f4c-5e00-7000-8000-00000000000b"
)

func schemaRow(s delivery.Status) delivery.Key {
	return delivery.Key{Tenant: schemaTenant, Webhook: 1, Event: schemaRows[s]}
}

func schemaSeed() delivery.Seed {
	return delivery.Seed{
		EventName: "Order.Placed", PrimaryKey: 7, Entity: "purchase", EventKey: "k7", Replay: "", ExpiresAt: schemaLife,
		Fast: &delivery.Attempt{Round: 1, Lane: delivery.LaneFast, At: schemaNow, Duration: 1500 * time.Millisecond, Error: failure.Fast},
	}
}

// populate writes one item of every kind that the code of this version writes.
func populate(t *testing.T, s *dynamo.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Tenants().Create(ctx, schemaTenant, schemaNow))
	must(s.Credentials().Create(ctx, tenancy.Credential{
		ID: "019a3f4c-5e00-7000-8000-0000000000c1", Hash: strings.Repeat("ab", 32), Kind: tenancy.KindBearer,
		Principal: webhook.Principal{
			Tenant: schemaTenant, Associate: webhook.Associate{ID: 7, Name: "ØÅ", FullName: "Øyvind Å", UserName: "oa", Type: "InternalAssociate"},
			App: "app", Scopes: []webhook.Scope{webhook.ScopeWebhooks, webhook.ScopeEvents},
		},
		Tenants: []webhook.Tenant{"Cust_2"}, Role: "arn:aws:iam::123456789012:role/x", Within: []string{"a"}, Created: schemaNow, ExpiresAt: schemaLife,
	}))
	id, err := s.Webhooks().NextID(ctx, schemaTenant)
	must(err)
	w := schemaWebhook(id)
	must(s.Webhooks().PutIntent(ctx, webhook.Intent{Tenant: schemaTenant, Webhook: id, Secret: w.Secret.Name, At: schemaNow}))
	must(s.Webhooks().Create(ctx, w))
	must(s.Webhooks().Update(ctx, schemaWebhook(id, "renamed"), webhook.Change{
		Action: webhook.ActionChanged, At: schemaNow, By: webhook.Associate{ID: 6, Name: "ØÅ"}, App: "app2", Members: []string{"Name"}, ExpiresAt: schemaLife,
	}))
	_, err = s.Webhooks().UpdateHealth(ctx, schemaTenant, id, func(webhook.Health) webhook.Health {
		return webhook.Health{
			TotalCalls: 5, TotalErrors: 4, ConsecutiveErrors: 3, LastError: "503 ✓", Activation: 2, LastOK: schemaNow, FailingSince: schemaNow,
			LastCounted: schemaNow, Latency: 120 * time.Millisecond, FastTimeout: schemaNow, Signing: webhook.Preference{Version: "v7", Signer: webhook.SignerPrevious},
			Breaker: webhook.Breaker{Failures: 10, Step: 30 * time.Second, ProbeAt: schemaNow, ProbeBy: "a", ProbeUntil: schemaNow},
		}
	})
	must(err)
	must(s.Webhooks().Create(ctx, schemaWebhook(2)))
	must(s.Webhooks().Delete(ctx, schemaTenant, 2, 1, webhook.Change{Action: webhook.ActionDeleted, At: schemaNow, ExpiresAt: schemaLife}))
	must(s.Statistics().Count(ctx, schemaTenant, id, schemaHour()))
	for _, j := range schemaJobs() {
		must(s.Jobs().Create(ctx, j))
	}
	ended := schemaJobs()[1].Next(schemaSeen)
	ended.Status, ended.Reason, ended.Progress = job.Failed, "the tenant is gone", `{"Counts":[]}`
	must(s.Jobs().Update(ctx, ended))
	for _, x := range schemaSources() {
		must(s.Sources().Put(ctx, x))
	}
	must(s.Sources().Count(ctx, "bus", source.Counts{Missing: map[string]int64{"name": 1}}))
	for _, e := range schemaStored() {
		must(s.Events().Put(ctx, e))
	}
	_, err = s.Events().Remember(ctx, schemaTenant, "key", webhook.IdempotencyClaim{Event: schemaEvents["plain"], Body: "a", Expires: schemaLife}, schemaNow)
	must(err)
	populateRows(t, s.Deliveries())
}

func populateRows(t *testing.T, d delivery.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(_ delivery.Row, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	outcome := func(status delivery.Status, code int, kind failure.Kind) delivery.Outcome {
		o := delivery.Outcome{Status: status, Response: "HTTP ✓", Attempt: delivery.Attempt{
			Number: 1, Round: 1, Lane: delivery.LaneFast, At: schemaNow, Duration: 12 * time.Millisecond, StatusCode: code, Error: kind,
			Sent: webhook.Sent{Revision: 1, Body: webhook.BodyMark(nil), Signer: webhook.SignerCurrent},
		}}
		if status == delivery.StatusPending {
			o.NextAt, o.SweepAt = schemaSeen, schemaSeen
		}
		if status == delivery.StatusFailed {
			o.Reason = "every attempt failed"
		}
		return o
	}
	first := func(s delivery.Status, o delivery.Outcome) {
		t.Helper()
		must(d.RecordFirst(ctx, delivery.RecordFirst{Key: schemaRow(s), Now: schemaNow, Seed: schemaSeed(), Outcome: o}))
	}
	first(delivery.StatusPending, outcome(delivery.StatusPending, 503, failure.Status))
	first(delivery.StatusDelivered, outcome(delivery.StatusDelivered, 204, failure.None))
	first(delivery.StatusFailed, outcome(delivery.StatusFailed, 410, failure.Status))
	must(d.Lease(ctx, delivery.Lease{
		Key: schemaRow("leased"), Round: 1, Attempt: 1, Token: "token", Now: schemaNow, Until: schemaSeen, SweepAt: schemaSeen, Seed: schemaSeed(),
	}))
	must(d.Park(ctx, delivery.Park{Key: schemaRow("parked"), Round: 1, Attempt: 1, Now: schemaNow, Net: delivery.Net(schemaNow, 0.5), Seed: schemaSeed()}))
	if _, err := d.SetTimer(ctx, delivery.Timer{Key: webhook.Key{Tenant: schemaTenant, ID: 1}, DueAt: schemaSeen, EmptySince: schemaNow, Width: 32}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []delivery.Status{delivery.StatusCancelled, delivery.StatusExpired} {
		must(d.End(ctx, delivery.End{Key: schemaRow(s), Round: 1, Status: s, Reason: "it ended", Now: schemaNow, Seed: schemaSeed()}))
	}
	if err := d.PutResponse(ctx, delivery.FailureResponse{
		Key: schemaRow(delivery.StatusFailed), Number: 1, At: schemaNow, Excerpt: strings.Repeat("Blåbær ✓ ", 300), ExpiresAt: schemaLife,
	}); err != nil {
		t.Fatal(err)
	}
}

// schemaWebhook returns a webhook with every member set; with a name, its second
// revision.
func schemaWebhook(id int32, name ...string) webhook.Webhook {
	overlap := time.Hour
	w := webhook.Webhook{
		Tenant: schemaTenant, ID: id, Name: "Blåbær", Events: []string{"order.placed", "contact.*"}, TargetURL: "https://example.com/a?b=c",
		State: webhook.StateActive, Type: "webhook", Headers: []webhook.Header{{Name: "X-A", Value: "1"}, {Name: "Authorization", Secret: true}},
		Properties: []byte(`{"n":1.50}`), Registered: schemaNow, RegisteredBy: webhook.Associate{ID: 5, Name: "RJ"}, Updated: schemaNow, UpdatedBy: webhook.Associate{ID: 6, Name: "ØÅ"},
		ErrorsEmail: "a@example.com", ErrorEmails: []string{"b@example.com"}, ErrorAssociates: []byte(`[{"Id":1}]`), Description: "d", NotifyVia: 1, NotifyWhen: 3, App: "app",
		Options: webhook.Options{
			Policy: webhook.PolicySuperOffice, Timeout: 7 * time.Second, SecretOverlap: &overlap, Format: webhook.FormatCloudEvents, Include: []webhook.Include{webhook.IncludePrevious},
			Filter: []byte(`{"Entity":["order"]}`), OnlyFields: []string{"name"}, IgnoreFields: []string{"updated"}, SkipOwn: []int32{5}, Fields: []string{"name"},
		},
		Secret:      webhook.SecretRef{Name: "p/t/1/x", Version: "v", Signed: true, Sealed: "s1.first.x"},
		SecretSince: schemaNow, PreviousSince: schemaNow, Rotations: 2, RotationDay: "2026-03-01", Revision: 1, Activation: 1, ActivatedAt: schemaNow,
	}
	for _, n := range name {
		w.Name, w.Revision = n, w.Revision+1
	}
	return w
}

func schemaHour() statistics.Hour {
	hour := statistics.Hour{From: schemaNow, Attempts: 7, Delivered: 5, Failed: 1, Suppressed: 2, ExpiresAt: schemaLife}
	hour.Durations[3], hour.Lags[9] = 7, 5
	return hour
}

func schemaJobs() []job.Job {
	made := func(id string, kind job.Kind, webhook int32) job.Job {
		return job.Job{
			ID: id, Kind: kind, Tenant: schemaTenant, Webhook: webhook, Status: job.Running, From: schemaNow, To: schemaSeen, Plan: `{"Only":["Failed"]}`,
			By: schemaWebhook(1).UpdatedBy, Made: schemaNow, Updated: schemaNow, NotBefore: schemaSeen, Revision: 1,
		}
	}
	return []job.Job{made(schemaRunning, job.Redispatch, 1), made(schemaEnded, job.Redispatch, 2)}
}

func schemaSources() []source.Source {
	base := func(kind source.Kind) source.Source {
		return source.Source{Name: string(kind), Kind: kind, Tenant: schemaTenant, ExpectWithin: time.Hour, Revision: 1, Created: schemaNow, Updated: schemaNow, UpdatedBy: "Øyvind"}
	}
	bus, relay, table := base(source.KindBus), base(source.KindRelay), base(source.KindTable)
	bus.Bus = &source.Bus{Sources: []string{"shop"}, DetailTypes: []string{"Order Placed"}, Event: "order.placed", Entity: "order", Key: "order.id", ChangedBy: "by", Fields: []string{"b"}}
	relay.Relay = &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Cust1", Secret: webhook.SecretRef{Name: "p/t/0/x", Version: "v", Signed: true}}
	table.Table = &source.Table{Table: "arn:aws:dynamodb:eu-west-1:123456789012:table/orders", Entity: "order", Fields: []string{"a"}, Key: []string{"a"}, ChangedBy: "by", Expired: true}
	return []source.Source{bus, relay, table}
}

func schemaStored() []webhook.Event {
	event := func(form string) webhook.Event {
		return webhook.Event{
			Tenant: schemaTenant, ID: schemaEvents[form], Name: "Order.Placed", PrimaryKey: 7, Key: "k7", ChangedBy: 5, At: schemaNow, Hops: 1, ExpiresAt: schemaLife,
		}
	}
	entity, long := "purchase", []byte(`{"a":"`+strings.Repeat("Blåbær ", 300)+`"}`)
	plain, packed, content, packedContent, state := event("plain"), event("packed"), event("content"), event("long"), event("state")
	plain.Data, packed.Data, state.App = []byte(`{"n":1.50}`), long, "app"
	content.Content = &webhook.Content{Entity: &entity, Changes: []string{"a"}, FieldValues: []byte(`{"a":1}`), Previous: []byte(`{"a":0}`), Context: "Cust1", Source: "/in/crm", SourceEvent: "e7", Sequence: "7"}
	packedContent.Content = &webhook.Content{Entity: &entity, Values: long, Truncated: true}
	return []webhook.Event{plain, packed, content, packedContent, state}
}

// readings are what the code of a version reads from a world. An error of a reading
// is in place of its value.
func readings(ctx context.Context, s *dynamo.Store) map[string]any {
	all := map[string]any{}
	read := func(name string, value any, err error) {
		if err != nil {
			value = map[string]any{"error": err.Error()}
		}
		all[name] = value
	}
	keep := func(name string) func(any, error) { return func(v any, err error) { read(name, v, err) } }
	tenant, err := s.Tenants().Get(ctx, schemaTenant)
	keep("tenant")(tenant, err)
	credential, err := s.Credentials().Find(ctx, strings.Repeat("ab", 32))
	keep("credential")(credential, err)
	listed, err := s.Credentials().List(ctx, schemaTenant, "", 10)
	keep("credentials")(listed, err)
	w, err := s.Webhooks().Get(ctx, schemaTenant, 1)
	keep("webhook")(w, err)
	var subscribed []webhook.Webhook
	err = s.Webhooks().Subscribed(ctx, schemaTenant, "order.placed", func(w webhook.Webhook) { subscribed = append(subscribed, w) })
	keep("subscribed")(subscribed, err)
	epoch, err := s.Webhooks().Epoch(ctx, schemaTenant)
	keep("epoch")(epoch, err)
	history, err := s.Webhooks().History(ctx, schemaTenant, 1, 0, 10)
	keep("history")(history, err)
	health, err := s.Webhooks().Health(ctx, schemaTenant, []int32{1})
	keep("health")(health[1], err)
	intents, err := s.Webhooks().Intents(ctx, schemaLife, 10)
	keep("intents")(intents, err)
	hours, err := s.Statistics().Hours(ctx, schemaTenant, 1, schemaNow, 10)
	keep("hours")(hours, err)
	for name, id := range map[string]string{"running job": schemaRunning, "ended job": schemaEnded} {
		j, err := s.Jobs().Get(ctx, id)
		keep(name)(j, err)
	}
	ofWebhook, err := s.Jobs().OfWebhook(ctx, schemaTenant, 1, 10)
	keep("jobs of the webhook")(ofWebhook, err)
	sources, err := s.Sources().List(ctx)
	keep("sources")(sources, err)
	counts, err := s.Sources().Counts(ctx, "bus")
	keep("counts of a source")(counts, err)
	for form, id := range schemaEvents {
		e, err := s.Events().Get(ctx, schemaTenant, id)
		keep("event "+form)(e, err)
	}
	claim, err := s.Events().Recall(ctx, schemaTenant, "key", schemaNow)
	keep("claim")(claim, err)
	for status := range schemaRows {
		row, err := s.Deliveries().Get(ctx, schemaRow(status))
		keep("row "+string(status))(row, err)
	}
	response, err := s.Deliveries().Response(ctx, schemaRow(delivery.StatusFailed))
	keep("response")(response, err)
	return all
}

package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// The tenants of a house. The first one's name is a prefix of the second one's.
const (
	anna = webhook.Tenant("Cust1")
	bert = webhook.Tenant("Cust12")
	cleo = webhook.Tenant("Other")
)

var housemates = []webhook.Tenant{anna, bert, cleo}

// house is an Engine for tenants that differ only in their names: they have
// webhooks with the same ids and event names at the same host, and events with the
// same ids. Every POST is checked to belong to one tenant.
type house struct {
	*dispatch.Engine
	t  *testing.T
	db *embedded.DB

	mu     sync.Mutex
	posts  []string // "<tenant>/<webhook>/<event's key>", in the order they begin
	answer func(webhook.Post) webhook.Result
	// held, if not nil, blocks writes of anna's health until it is closed.
	held chan struct{}
	// moved holds changed targets.
	moved map[webhook.Tenant]string
}

// inHouse runs a test in a bubble, with the bubble's clock.
func inHouse(t *testing.T, test func(h *house)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := webhooktest.Random(1)
		db, err := embedded.Open(t.TempDir(), embedded.Options{Now: time.Now, Random: random})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{t: t, db: db, moved: map[webhook.Tenant]string{}}
		h.Engine = dispatch.New(dispatch.Config{
			Webhooks: heldWebhooks{db.Webhooks(), h}, Events: db.Events(), Deliveries: db.Deliveries(), Statistics: db.Statistics(), Secrets: secrets.NewCache(db.Secrets(), 100),
			Sender: h, Messages: db.Queue(), Visibility: db.Queue(), DeadLetters: db.DeadLetters(),
			Logger: webhooktest.Logger(t), Now: time.Now, Random: random,
			Policy: webhook.PolicyDurable, EventLife: 30 * 24 * time.Hour, RowLife: 33 * 24 * time.Hour,
		})
		test(h)
		h.must(db.Close())
	})
}

type heldWebhooks struct {
	embedded.Webhooks
	h *house
}

func (w heldWebhooks) UpdateHealth(ctx context.Context, tenant webhook.Tenant, id int32, change func(webhook.Health) webhook.Health) (webhook.Health, error) {
	if tenant == anna && w.h.held != nil {
		<-w.h.held
	}
	return w.Webhooks.UpdateHealth(ctx, tenant, id, change)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) target(tenant webhook.Tenant) string {
	if moved, ok := h.moved[tenant]; ok {
		return moved
	}
	return "https://example.com/" + string(tenant)
}

func secretOf(tenant webhook.Tenant) string { return "secret of " + string(tenant) }

// move creates an active webhook with a secret.
func (h *house) move(tenant webhook.Tenant, id int32, events ...string) {
	h.t.Helper()
	ctx := h.t.Context()
	name, err := h.db.Secrets().Name(tenant, id)
	h.must(err)
	ref, err := h.db.Secrets().Create(ctx, name, webhook.SecretDocument{Current: webhook.NewSecret(secretOf(tenant))})
	h.must(err)
	h.must(h.db.Webhooks().Create(ctx, webhook.Webhook{
		Tenant: tenant, ID: id, Events: events, TargetURL: h.target(tenant), State: webhook.StateActive, Secret: ref,
		Revision: 1, Activation: 1, ActivatedAt: time.Now(),
	}))
}

// observe adds attempts to a webhook's health, so that the webhook has earned the
// fast lane, or is down.
func (h *house) observe(tenant webhook.Tenant, id int32, result failure.Kind, times int) {
	h.t.Helper()
	_, err := h.db.Webhooks().UpdateHealth(h.t.Context(), tenant, id, func(health webhook.Health) webhook.Health {
		for i := range times {
			health = health.Observe(webhook.HealthReport{
				Activation: 1, At: time.Now().Add(time.Duration(i-times) * 300 * time.Millisecond), Duration: time.Millisecond, Error: result,
			})
		}
		return health
	})
	h.must(err)
}

func (h *house) health(tenant webhook.Tenant) webhook.Health {
	h.t.Helper()
	found, err := h.db.Webhooks().Health(h.t.Context(), tenant, []int32{1})
	h.must(err)
	return found[1]
}

// event stores a tenant's nth event, which has the id of the other tenants' nth.
func (h *house) event(tenant webhook.Tenant, n int) webhook.Record {
	h.t.Helper()
	e := webhook.Event{
		Tenant: tenant, ID: eventID(n), Name: "contact.changed", PrimaryKey: int32(n), At: time.Now(),
		Data: json.RawMessage(fmt.Sprintf(`{"of":%q}`, tenant)),
	}
	h.must(h.db.Events().Put(h.t.Context(), e))
	return webhook.Record{Event: e, Accepted: time.Now(), Sequence: fmt.Sprintf("%s-%d", tenant, n)}
}

func eventID(n int) webhook.EventID {
	return webhook.EventID(fmt.Sprintf("019e0000-0000-7000-8000-%012x", n))
}

func (h *house) row(tenant webhook.Tenant, n int) string {
	h.t.Helper()
	row, err := h.db.Deliveries().Get(h.t.Context(), delivery.Key{Tenant: tenant, Webhook: 1, Event: eventID(n)})
	if err != nil {
		return ""
	}
	return describe(row)
}

func attemptOf(tenant webhook.Tenant, n int) delivery.Message {
	return delivery.Message{Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: 1, Event: eventID(n), Round: 1, Attempt: 1}
}

// receive sends messages and receives all that are in the queue.
func (h *house) receive(messages ...delivery.Message) []delivery.Received {
	h.t.Helper()
	var out []delivery.Outgoing
	for _, m := range messages {
		out = append(out, delivery.Outgoing{Message: m})
	}
	_, err := h.db.Queue().Send(h.t.Context(), out)
	h.must(err)
	received, err := h.db.Queue().Receive(h.t.Context(), 1000)
	h.must(err)
	return received
}

// Send is every tenant's target.
func (h *house) Send(_ context.Context, p webhook.Post) webhook.Result {
	tenant := p.Event.Tenant
	if p.Webhook.Tenant != tenant || p.Webhook.TargetURL != h.target(tenant) ||
		p.Secrets.Current.Reveal() != secretOf(tenant) || !strings.Contains(string(p.Event.Data), fmt.Sprintf("%q", tenant)) {
		h.t.Errorf("an event of %s with data %s goes to webhook %d of %s at %s, signed with the %s",
			tenant, p.Event.Data, p.Webhook.ID, p.Webhook.Tenant, p.Webhook.TargetURL, p.Secrets.Current.Reveal())
	}
	h.mu.Lock()
	h.posts = append(h.posts, fmt.Sprintf("%s/%d/%d", p.Webhook.Tenant, p.Webhook.ID, p.Event.PrimaryKey))
	answer := h.answer
	h.mu.Unlock()
	result := webhook.Result{StatusCode: 200, At: time.Now()}
	if answer != nil {
		at := result.At
		result = answer(p)
		result.At = at
	}
	return result
}

// settle returns when nothing more can happen: commits take a moment.
func (h *house) settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// posted returns the POSTs since the last call, sorted.
func (h *house) posted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	posts := h.posts
	h.posts = nil
	slices.Sort(posts)
	return posts
}

func (h *house) wantPosts(what string, want ...string) {
	h.t.Helper()
	if got := h.posted(); !slices.Equal(got, want) {
		h.t.Errorf("%s: POSTs %v, want %v", what, got, want)
	}
}

func TestApart_AnEventGoesToItsTenantsWebhooks(t *testing.T) {
	inHouse(t, func(h *house) {
		h.move(anna, 1, "contact.changed")
		h.move(bert, 1, "contact.changed")
		h.move(cleo, 1, "sale.sold") // at the same epoch, and for another event
		for _, tenant := range housemates {
			h.observe(tenant, 1, failure.None, 1)
		}
		stream := func(n int, tenants ...webhook.Tenant) {
			h.t.Helper()
			var records []webhook.Record
			for _, tenant := range tenants {
				records = append(records, h.event(tenant, n))
			}
			if failed := h.Stream(h.t.Context(), records); failed != "" {
				h.t.Errorf("batch %d failed at %s", n, failed)
			}
		}
		stream(1, anna)
		h.wantPosts("the first batch", "Cust1/1/1")
		stream(2, cleo, bert, anna)
		h.wantPosts("a batch of all, of whom one is remembered", "Cust1/1/2", "Cust12/1/2")
		stream(3, bert, cleo)
		h.wantPosts("another of two", "Cust12/1/3")
		if h.row(anna, 2) != "delivered 1.1" || h.row(bert, 2) != "delivered 1.1" || h.row(cleo, 2) != "" || h.row(anna, 3) != "" {
			h.t.Errorf("rows %q, %q, %q, %q", h.row(anna, 2), h.row(bert, 2), h.row(cleo, 2), h.row(anna, 3))
		}
		// A change of one tenant's webhook counts although the other's did not change.
		w, err := h.db.Webhooks().Get(h.t.Context(), bert, 1)
		h.must(err)
		h.moved[bert] = "https://example.com/moved"
		w.TargetURL, w.Revision = h.moved[bert], 2
		h.must(h.db.Webhooks().Update(h.t.Context(), w, webhook.Change{}))
		stream(4, anna, bert)
		h.wantPosts("after a change", "Cust1/1/4", "Cust12/1/4")
	})
}

func TestApart_HealthIsOfOneTenantsWebhook(t *testing.T) {
	inHouse(t, func(h *house) {
		for _, tenant := range housemates {
			h.move(tenant, 1, "contact.changed")
		}
		h.observe(anna, 1, failure.None, 1)     // has earned the fast lane
		h.observe(bert, 1, failure.Timeout, 10) // down; cleo's is new
		h.Stream(h.t.Context(), []webhook.Record{h.event(anna, 1)})
		h.wantPosts("the one that is well, now remembered", "Cust1/1/1")
		h.Stream(h.t.Context(), []webhook.Record{h.event(bert, 1), h.event(cleo, 1)})
		h.wantPosts("one that is down and one that is new")
		if got := h.row(bert, 1); got != "pending 1.0" {
			h.t.Errorf("the row of the webhook that is down is %q, want it parked", got)
		}
		for _, r := range h.receive() {
			if r.Message.Tenant != cleo {
				h.t.Errorf("queued is %+v, want only the new webhook's attempt", r.Message)
			}
		}
		received := h.receive(attemptOf(anna, 2), attemptOf(bert, 2), attemptOf(cleo, 2))
		for _, tenant := range housemates {
			h.event(tenant, 2)
		}
		if failed := h.Queue(h.t.Context(), received); len(failed) > 0 {
			h.t.Errorf("not done: %v", failed)
		}
		h.wantPosts("from the queue, the one that is down held back", "Cust1/1/2", "Other/1/2")
	})
}

func TestApart_OutcomesCountForOneTenant(t *testing.T) {
	inHouse(t, func(h *house) {
		for _, tenant := range housemates {
			h.move(tenant, 1, "contact.changed")
			h.observe(tenant, 1, failure.None, 1)
		}
		h.answer = func(p webhook.Post) webhook.Result {
			switch p.Event.Tenant {
			case bert:
				return webhook.Result{StatusCode: 500, Error: failure.Status, Response: "from bert"}
			default:
				return webhook.Result{StatusCode: 200}
			}
		}
		check := func(what string, calls, errs int32) {
			h.t.Helper()
			for _, tenant := range housemates {
				wantErrors, wantText := int32(0), ""
				if tenant == bert {
					wantErrors, wantText = errs, "from bert"
				}
				if got := h.health(tenant); got.TotalCalls != calls || got.TotalErrors != wantErrors || !strings.HasSuffix(got.LastError, wantText) || wantText == "" && got.LastError != "" {
					h.t.Errorf("%s: %s has %d calls, %d errors, the last %q; want %d, %d, %q", what, tenant, got.TotalCalls, got.TotalErrors, got.LastError, calls, wantErrors, wantText)
				}
			}
		}
		var records []webhook.Record
		var messages []delivery.Message
		for _, tenant := range housemates {
			records = append(records, h.event(tenant, 1))
			h.event(tenant, 2)
			messages = append(messages, attemptOf(tenant, 2))
		}
		h.Stream(h.t.Context(), records)
		check("after a batch of the stream", 2, 1)
		h.Queue(h.t.Context(), h.receive(messages...))
		check("after a batch of the queue", 3, 2)
		for _, tenant := range housemates {
			if want := map[bool]string{true: "pending 1.1", false: "delivered 1.1"}[tenant == bert]; h.row(tenant, 2) != want {
				h.t.Errorf("the row of %s is %q, want %q", tenant, h.row(tenant, 2), want)
			}
		}
	})
}

// hanging makes one tenant's target hang until release is called.
func (h *house) hanging(tenant webhook.Tenant, result webhook.Result) (release func()) {
	held := make(chan struct{})
	h.answer = func(p webhook.Post) webhook.Result {
		if p.Event.Tenant == tenant {
			<-held
			return result
		}
		return webhook.Result{StatusCode: 200}
	}
	return func() { close(held) }
}

func TestApart_AHangingTargetDelaysNoOtherTenant(t *testing.T) {
	for name, run := range map[string]func(h *house, records []webhook.Record){
		"in the stream": func(h *house, records []webhook.Record) { h.Stream(h.t.Context(), records) },
		"in the queue": func(h *house, records []webhook.Record) {
			var messages []delivery.Message
			for _, r := range records {
				messages = append(messages, attemptOf(r.Event.Tenant, int(r.Event.PrimaryKey)))
			}
			h.Queue(h.t.Context(), h.receive(messages...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(h *house) {
				var records []webhook.Record
				for _, tenant := range housemates {
					h.move(tenant, 1, "contact.changed")
					h.observe(tenant, 1, failure.None, 1)
				}
				for n := range 20 { // more than the slots of one webhook
					records = append(records, h.event(anna, n))
				}
				records = append(records, h.event(bert, 1), h.event(cleo, 2))
				release := h.hanging(anna, webhook.Result{StatusCode: 200})
				over := make(chan struct{})
				go func() { defer close(over); run(h, records) }()
				h.settle()
				others := slices.DeleteFunc(h.posted(), func(post string) bool { return strings.HasPrefix(post, "Cust1/") })
				if !slices.Equal(others, []string{"Cust12/1/1", "Other/1/2"}) {
					h.t.Errorf("while one tenant's target hangs, the others got %v", others)
				}
				if h.row(bert, 1) != "delivered 1.1" || h.row(cleo, 2) != "delivered 1.1" {
					h.t.Errorf("rows are %q and %q", h.row(bert, 1), h.row(cleo, 2))
				}
				release()
				<-over
			})
		})
	}
}

// While a queue batch waits for one tenant, the health of the other tenants'
// webhooks, which have the same ids, is written.
func TestApart_HealthIsWrittenThoughAnotherTenantHangs(t *testing.T) {
	inHouse(t, func(h *house) {
		for _, tenant := range housemates {
			h.move(tenant, 1, "contact.changed")
			for n := range 3 {
				h.event(tenant, n)
			}
		}
		held := make(chan struct{})
		h.answer = func(p webhook.Post) webhook.Result {
			if p.Event.Tenant == anna || p.Event.Tenant == cleo && p.Event.PrimaryKey == 1 {
				<-held
			}
			return webhook.Result{StatusCode: 200}
		}
		over := make(chan struct{})
		batch := h.receive(attemptOf(anna, 0), attemptOf(bert, 0), attemptOf(cleo, 0), attemptOf(cleo, 1), attemptOf(anna, 2))
		go func() { defer close(over); h.Queue(h.t.Context(), batch) }()
		h.settle()
		if got := h.health(bert).TotalCalls; got != 1 {
			h.t.Errorf("after its last message, bert's webhook has %d calls, want 1", got)
		}
		time.Sleep(2 * time.Second)
		h.settle()
		if got := h.health(cleo).TotalCalls; got != 1 {
			h.t.Errorf("two seconds after its first response, cleo's webhook has %d calls, want 1", got)
		}
		close(held)
		<-over
		if a, c := h.health(anna).TotalCalls, h.health(cleo).TotalCalls; a != 2 || c != 2 {
			h.t.Errorf("at the end anna's has %d calls and cleo's %d, want 2 each", a, c)
		}
	})
}

// What a batch learns about one tenant's webhook (that it is gone or slow, and how
// many attempts it has had) does not affect another tenant's.
func TestApart_ABatchLearnsAboutOneTenantsWebhook(t *testing.T) {
	for name, lesson := range map[string]webhook.Result{
		"that responds with 410": {StatusCode: 410, Error: failure.Status},
		"that is cut short":      {Error: failure.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(h *house) {
				for _, tenant := range housemates {
					h.move(tenant, 1, "contact.changed")
					h.observe(tenant, 1, failure.None, 1)
				}
				const each = 20
				var records []webhook.Record
				for n := range each {
					records = append(records, h.event(anna, n), h.event(bert, n))
				}
				held := make(chan struct{})
				h.answer = func(p webhook.Post) webhook.Result {
					if p.Event.Tenant == anna {
						return lesson
					}
					<-held
					return webhook.Result{StatusCode: 200}
				}
				over := make(chan struct{})
				go func() { defer close(over); h.Stream(h.t.Context(), records) }()
				h.settle() // anna's webhook has its result, and bert's waits for its own slots
				close(held)
				<-over
				got := slices.DeleteFunc(h.posted(), func(post string) bool { return !strings.HasPrefix(post, "Cust12/") })
				if len(got) != each {
					h.t.Errorf("bert's target got %d POSTs in the batch, want %d", len(got), each)
				}
				for n := range each {
					if row := h.row(bert, n); row != "delivered 1.1" {
						h.t.Errorf("bert's row %d is %q", n, row)
					}
				}
			})
		})
	}
}

func TestApart_AShareOfABatchIsOneTenantsWebhooks(t *testing.T) {
	inHouse(t, func(h *house) {
		for _, tenant := range housemates {
			h.move(tenant, 1, "contact.changed")
			h.observe(tenant, 1, failure.None, 1)
		}
		var records []webhook.Record
		for n := range 40 { // more than a share
			records = append(records, h.event(anna, n))
		}
		records = append(records, h.event(bert, 7), h.event(cleo, 7))
		h.answer = func(webhook.Post) webhook.Result {
			time.Sleep(600 * time.Millisecond) // of the bubble: two rounds of 16 start within a second
			return webhook.Result{StatusCode: 200}
		}
		h.Stream(h.t.Context(), records)
		counts := map[string]int{}
		for _, post := range h.posted() {
			counts[strings.Split(post, "/")[0]]++
		}
		if counts["Cust1"] != 32 || counts["Cust12"] != 1 || counts["Other"] != 1 {
			h.t.Errorf("POSTs in the fast lane: %v, want a share of 32, and one of each other tenant", counts)
		}
	})
}

func TestApart_AProbeIsOneTenantsWebhooks(t *testing.T) {
	inHouse(t, func(h *house) {
		var records []webhook.Record
		var messages []delivery.Message
		for _, tenant := range housemates {
			h.move(tenant, 1, "contact.changed")
			h.observe(tenant, 1, failure.Timeout, 10)
			records = append(records, h.event(tenant, 1))
		}
		time.Sleep(2 * time.Hour) // each has a probe due
		for i := range records {
			records[i].Accepted = time.Now()
		}
		h.Stream(h.t.Context(), records)
		for _, r := range h.receive() {
			messages = append(messages, r.Message)
		}
		if len(messages) != 3 {
			h.t.Errorf("%d deliveries were enqueued, want one of each tenant", len(messages))
		}
		h.answer = func(p webhook.Post) webhook.Result {
			if p.Event.Tenant == bert {
				return webhook.Result{Error: failure.Timeout}
			}
			return webhook.Result{StatusCode: 200}
		}
		h.Queue(h.t.Context(), h.receive(messages...))
		h.wantPosts("the probes", "Cust1/1/1", "Cust12/1/1", "Other/1/1")
		for _, tenant := range housemates {
			if open := h.health(tenant).Breaker.Open(); open != (tenant == bert) {
				h.t.Errorf("the breaker of %s is open: %v", tenant, open)
			}
		}
	})
}

func TestApart_AnEventIsExpandedForItsTenant(t *testing.T) {
	inHouse(t, func(h *house) {
		h.move(anna, 1, "contact.changed")
		h.move(anna, 2, "contact.*")
		h.move(bert, 2, "*")
		h.move(bert, 3, "sale.sold")
		h.move(cleo, 3, "contact.changed")
		for _, tenant := range housemates {
			h.event(tenant, 1)
		}
		// Anna's second webhook has already received her event of that id.
		_, err := h.db.Deliveries().MarkDelivered(h.t.Context(), delivery.MarkDelivered{
			Key: delivery.Key{Tenant: anna, Webhook: 2, Event: eventID(1)}, Round: 1, Now: time.Now(),
			Attempt: delivery.Attempt{Number: 1, At: time.Now()}, Seed: delivery.Seed{ExpiresAt: time.Now().Add(time.Hour)},
		})
		h.must(err)
		var expands []delivery.Message
		for _, tenant := range housemates {
			expands = append(expands, delivery.Message{Kind: delivery.MessageExpand, Tenant: tenant, Event: eventID(1), Accepted: time.Now(), Missing: true})
		}
		h.Queue(h.t.Context(), h.receive(expands...))
		var got []string
		for _, r := range h.receive() {
			got = append(got, fmt.Sprintf("%s/%d", r.Message.Tenant, r.Message.Webhook))
		}
		slices.Sort(got)
		if want := []string{"Cust1/1", "Cust12/2", "Other/3"}; !slices.Equal(got, want) {
			h.t.Errorf("expanded to %v, want %v", got, want)
		}
	})
}

func TestApart_OneTenantsWebhookIsDisabled(t *testing.T) {
	inHouse(t, func(h *house) {
		var messages []delivery.Message
		for _, tenant := range housemates {
			h.move(tenant, 1, "contact.changed")
			h.event(tenant, 1)
			messages = append(messages, attemptOf(tenant, 1))
		}
		h.answer = func(p webhook.Post) webhook.Result {
			if p.Event.Tenant == bert {
				return webhook.Result{StatusCode: 410, Error: failure.Status}
			}
			return webhook.Result{StatusCode: 200}
		}
		h.Queue(h.t.Context(), h.receive(messages...))
		for _, tenant := range housemates {
			w, err := h.db.Webhooks().Get(h.t.Context(), tenant, 1)
			h.must(err)
			if disabled := w.State == webhook.StateTooManyErrors; disabled != (tenant == bert) {
				h.t.Errorf("the webhook of %s is %s", tenant, w.State)
			}
		}
	})
}

// Disabling one tenant's webhook, and having to wait for it, does not keep another
// tenant's from being disabled.
func TestApart_OneTenantsWebhookIsDisabledThoughAnothersCannotBe(t *testing.T) {
	inHouse(t, func(h *house) {
		var records []webhook.Record
		for _, tenant := range []webhook.Tenant{anna, bert} {
			h.move(tenant, 1, "contact.changed")
			h.observe(tenant, 1, failure.None, 1)
			records = append(records, h.event(tenant, 1))
		}
		h.held = make(chan struct{})
		turn := make(chan struct{})
		h.answer = func(p webhook.Post) webhook.Result {
			if p.Event.Tenant == bert {
				<-turn
			}
			return webhook.Result{StatusCode: 410, Error: failure.Status}
		}
		over := make(chan struct{})
		go func() { defer close(over); h.Stream(h.t.Context(), records) }()
		h.settle() // anna's is being disabled
		close(turn)
		h.settle()
		if w, err := h.db.Webhooks().Get(h.t.Context(), bert, 1); err != nil || w.State != webhook.StateTooManyErrors {
			h.t.Errorf("bert's webhook is %s, %v", w.State, err)
		}
		close(h.held)
		<-over
	})
}

package simulation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var (
	eventNames = []string{"contact.created", "contact.changed", "Contact.Changed", "sale.sold", "contact.deleted", "order.line.changed", "order.line.text.changed", "plain"}
	wishes     = [][]string{
		{"contact.created"},
		{"contact.changed"},
		{"contact.*"},
		{"*"},
		{"sale.sold", "contact.changed"},
		{"sale.*", "contact.created"},
		{"webhook1.stopped", "webhook1.errors", "sale.sold"},
		{"webhook.errors", "webhook.started", "webhook.stopped", "contact.changed"},
		{"CONTACT.*", "webhook2.Started", "contact.changed"},
		{"*", "contact.*"},
		{"order.line.*"},
		{"order.*", "order.line.*"},
		{"*"},
		{"contact.*"},
		{"contact.created", "contact.changed", "sale.sold"},
	}
)

// user is a client of the API that makes one call after another. It sees an
// aborted call as an error.
type user struct {
	w     *world
	name  string
	who   webhook.Principal
	env   *environment
	after time.Time
	left  int // calls to make
	step  func(u *user)
	// again repeats a call with an idempotency key whose response was lost.
	again func()
	tries int
	// undone is the idempotency key of a webhook that was deleted in order to
	// be created again.
	undone string
}

func (u *user) actions(now time.Time) []action {
	if u.left > 0 && u.w.doom.refuses(u.who.Tenant) {
		u.left = 0
	}
	if u.env.busy || u.left == 0 || u.after.After(now) {
		return nil
	}
	return []action{{u.name, func() {
		u.left--
		if again := u.again; again != nil {
			u.again = nil
			again()
			return
		}
		u.step(u)
	}}}
}

func (u *user) moment(time.Time) time.Time {
	if u.env.busy || u.left == 0 {
		return time.Time{}
	}
	return u.after
}

// call makes a call and waits a while after its response.
func (u *user) call(label string, run func(context.Context, *environment) error, answered func(err error)) {
	w := u.w
	u.env.call(label, apiTimeout, func(ctx context.Context) any {
		if err := run(ctx, u.env); err != nil {
			return err
		}
		return nil
	}, func(out any, ok bool) {
		err, _ := out.(error)
		if !ok {
			err = errors.New("connection closed")
		}
		if err != nil {
			w.tracef(u.name, "error: %s: %v", label, err)
		} else {
			w.tracef(u.name, "done: %s", label)
		}
		u.after = time.Now().Add(w.think())
		answered(err)
	})
}

// think returns how long a user waits before the next call.
func (w *world) think() time.Duration {
	if w.weather.weeks {
		return w.between(time.Second, 20*time.Hour)
	}
	if w.weather.rivals || w.weather.hurry && w.chance(0.8) {
		return w.between(time.Millisecond, 300*time.Millisecond)
	}
	switch w.rnd.IntN(10) {
	case 0, 1, 2, 3:
		return w.between(time.Millisecond, 50*time.Millisecond)
	case 4, 5, 6:
		return w.between(50*time.Millisecond, time.Second)
	case 7, 8:
		return w.between(time.Second, 7*time.Second)
	default:
		return w.between(7*time.Second, 2*time.Minute)
	}
}

// repeat schedules a failed call again, a few times at most.
func (u *user) repeat(call func()) {
	if u.tries == 4 {
		u.tries = 0
		return
	}
	u.again, u.tries, u.left = call, u.tries+1, u.left+1
}

// signal publishes an event.
func signal(u *user) {
	w := u.w
	s := webhook.Signal{
		Name: eventNames[w.rnd.IntN(len(eventNames))], PrimaryKey: int32(w.rnd.IntN(1000)),
		Data: json.RawMessage(dataOf(u.who.Tenant)),
	}
	if w.chance(0.1) {
		s.Data = nil
	}
	if w.chance(0.1) {
		s.Hops = 1 + w.rnd.IntN(2)
	}
	if w.chance(0.4) {
		// Other tenants and apps use the same keys.
		s.IdempotencyKey = fmt.Sprint(u.left)
	}
	u.publish(s)
}

func (u *user) publish(s webhook.Signal) {
	var id webhook.EventID
	u.env.signalling = &signalling{who: u.who, name: s.Name, key: s.PrimaryKey, data: s.Data, hops: s.Hops, once: s.IdempotencyKey}
	u.call("signal "+s.Name, func(ctx context.Context, e *environment) (err error) {
		id, err = e.publish.Publish(ctx, u.who, s)
		return err
	}, func(err error) {
		switch {
		case err == nil:
			u.tries = 0
			u.w.witness.accepted = append(u.w.witness.accepted, id)
			u.w.witness.acceptedOnce(u.who, s.IdempotencyKey, id)
		case s.IdempotencyKey != "":
			u.repeat(func() { u.publish(s) })
		}
	})
}

// manage creates, changes and deletes webhooks.
func manage(u *user) {
	w := u.w
	known := w.witness.knownWebhooks(u.who.Tenant)
	if len(known) == 0 || len(known) < 4 && w.chance(0.4) {
		d := webhook.Draft{
			Name: "a webhook", Events: w.wish(), TargetURL: w.url(u.who.Tenant), State: webhook.StateActive, Properties: w.properties(),
			Headers: w.headers(u.who.Tenant),
		}
		if w.chance(0.7) {
			d.Secret = w.newSecret(u.who.Tenant)
		}
		if w.chance(0.1) {
			d.State = webhook.StateStopped
		}
		if w.chance(0.5) {
			d.Name = fmt.Sprintf("%s%s-%d", keyed, u.name, u.left)
		}
		u.create(d)
		return
	}
	id := known[w.rnd.IntN(len(known))]
	if w.weather.rivals && w.chance(0.7) {
		id = known[0]
	}
	if w.chance(0.06) {
		u.env.telling = &telling{who: u.who, hook: id, deletes: true}
		u.call(fmt.Sprintf("delete w%d", id), func(ctx context.Context, e *environment) error {
			return e.registry.Delete(ctx, u.who, id.id(), nil)
		}, func(error) {})
		return
	}
	if w.chance(0.15) {
		u.set(id)
		return
	}
	label, change := w.change(u.who.Tenant)
	t := &telling{who: u.who, hook: id}
	u.env.telling = t
	u.call(fmt.Sprintf("%s w%d", label, id), func(ctx context.Context, e *environment) error {
		_, err := e.registry.Save(ctx, u.who, id.id(), func(now webhook.Webhook) (webhook.Draft, error) {
			d := draftOf(now)
			change(&d)
			t.draft = &d
			return d, nil
		})
		return err
	}, func(error) {})
}

// set sets the options of a webhook, or ends the overlap of its secrets.
func (u *user) set(id hook) {
	t := &telling{who: u.who, hook: id}
	u.env.telling = t
	if u.w.chance(0.3) {
		t.endOverlap = true
		u.call(fmt.Sprintf("end the overlap of w%d", id), func(ctx context.Context, e *environment) error {
			return e.registry.EndOverlap(ctx, u.who, id.id())
		}, func(error) {})
		return
	}
	options := u.w.options()
	t.options = &options
	u.call(fmt.Sprintf("set options of w%d", id), func(ctx context.Context, e *environment) error {
		_, err := e.registry.SetOptions(ctx, u.who, id.id(), func(webhook.Webhook) (webhook.Options, error) { return options, nil })
		return err
	}, func(error) {})
}

// keyed is the name prefix of webhooks created under an idempotency key.
const keyed = "by key "

// create creates a webhook, under the key in its name if there is one.
func (u *user) create(d webhook.Draft) {
	key, once := strings.CutPrefix(d.Name, keyed)
	var w webhook.Webhook
	u.env.telling = &telling{who: u.who, draft: &d}
	since := u.since(d)
	u.call("create a webhook "+key, func(ctx context.Context, e *environment) (err error) {
		registry, err := since(e)
		if err != nil {
			return err
		}
		if once {
			w, _, err = registry.CreateOnce(ctx, u.who, key, d)
		} else {
			_, err = registry.Create(ctx, u.who, d)
		}
		return err
	}, func(err error) {
		switch {
		case err == nil && once && u.left%3 == 0 && u.undone != key:
			u.tries, u.undone = 0, key
			u.undo(w.ID, d)
		case err == nil:
			u.tries = 0
		case once:
			u.repeat(func() { u.create(d) })
		}
	})
}

// undo deletes a webhook that was just created, then creates it again under the
// same key.
func (u *user) undo(id int32, d webhook.Draft) {
	u.left += 2
	u.again = func() {
		u.env.telling = &telling{who: u.who, hook: hookOf(u.who.Tenant, id), deletes: true}
		u.call(fmt.Sprintf("undo w%d", id), func(ctx context.Context, e *environment) error {
			return e.registry.Delete(ctx, u.who, id, nil)
		}, func(error) {
			u.again = func() { u.create(d) }
		})
	}
}

// change returns a random change of a webhook.
func (w *world) change(tenant webhook.Tenant) (string, func(*webhook.Draft)) {
	what := w.rnd.IntN(9)
	switch {
	case w.weather.flap && w.chance(0.8):
		what = w.rnd.IntN(4)
	case w.weather.rivals && w.chance(0.7):
		what = 5
	}
	switch what {
	case 0, 1:
		return "stop", func(d *webhook.Draft) { d.State = webhook.StateStopped }
	case 2, 3:
		return "start", func(d *webhook.Draft) { d.State = webhook.StateActive }
	case 4:
		url, headers := w.url(tenant), w.headers(tenant)
		return "re-target", func(d *webhook.Draft) { d.TargetURL, d.Headers = url, headers }
	case 5, 6:
		events := w.wish()
		return "change events of", func(d *webhook.Draft) { d.Events = events }
	case 7:
		secret := w.newSecret(tenant)
		if w.chance(0.1) {
			none := webhook.NewSecret("")
			secret = &none
		}
		return "change the secret of", func(d *webhook.Draft) { d.Secret = secret }
	default:
		name := fmt.Sprintf("name %d", w.rnd.IntN(1000))
		return "rename", func(d *webhook.Draft) { d.Name = name }
	}
}

func (w *world) wish() []string { return wishes[w.rnd.IntN(len(wishes))] }

func (w *world) url(tenant webhook.Tenant) string {
	return w.urlAt(tenant, w.targets.hosts[w.rnd.IntN(len(w.targets.hosts))])
}

func (w *world) newSecret(tenant webhook.Tenant) *webhook.Secret {
	s := secretOf(tenant, w.rnd.IntN(1_000_000))
	return &s
}

// options returns random options.
func (w *world) options() webhook.Options {
	o := webhook.Options{
		Policy:  []webhook.Policy{"", webhook.PolicyDurable, webhook.PolicySuperOffice}[w.rnd.IntN(3)],
		Timeout: []time.Duration{0, 0, time.Second, 5 * time.Second, 100 * time.Second}[w.rnd.IntN(5)],
		Format:  []webhook.Format{"", "", webhook.FormatStandard, webhook.FormatCloudEvents, webhook.FormatData}[w.rnd.IntN(5)],
	}
	if w.chance(0.3) {
		overlap := []time.Duration{0, 30 * time.Second, time.Hour}[w.rnd.IntN(3)]
		o.SecretOverlap = &overlap
	}
	o.Fields = [][]string{nil, nil, nil, {"amount", "name", "state"}, {"other"}}[w.rnd.IntN(5)]
	o.Template = w.template(o.Format)
	if w.chance(0.5) {
		return o
	}
	o.Filter = []json.RawMessage{
		nil, nil, json.RawMessage(`{"PrimaryKey":[{"numeric":["<",500]}]}`), json.RawMessage(`{"FieldValues":{"amount":[1.5,{"exists":false}]}}`),
		json.RawMessage(`{"$or":[{"Event":[{"prefix":"contact."}]},{"Changes":["amount"],"PrimaryKey":[{"numeric":[">=",200]}]}]}`),
		json.RawMessage(`{"ChangedByAssociateId":[{"anything-but":9}],"Values":{"amount":[{"exists":false}]}}`),
	}[w.rnd.IntN(6)]
	o.OnlyFields = [][]string{nil, nil, nil, {"amount", "state"}, {"other"}}[w.rnd.IntN(5)]
	o.IgnoreFields = [][]string{nil, nil, nil, {"other", "list"}, {"events", "registered", "registered_associate_id", "state", "updated", "updated_associate_id"}}[w.rnd.IntN(5)]
	if by := int32(5 + w.rnd.IntN(12)); w.chance(0.4) { // those who signal are among them
		o.SkipOwn = []int32{99, by, by + 1, by + 2}
	}
	return o
}

// properties returns the Properties of a webhook; some have names that bodies use.
func (w *world) properties() json.RawMessage {
	return []json.RawMessage{nil, nil, json.RawMessage(`{"region":"eu","EventId":"x","n":1.0}`), json.RawMessage(`{"type":[],"later":{"æ":"<"}}`)}[w.rnd.IntN(4)]
}

// headers returns the headers of a webhook; the value of one is secret.
func (w *world) headers(tenant webhook.Tenant) []webhook.DraftHeader {
	if w.chance(0.6) {
		return nil
	}
	return []webhook.DraftHeader{
		{Name: "X-Api-Key", Value: secretOf(tenant, w.rnd.IntN(1_000_000))},
		{Name: "X-Region", Value: webhook.NewSecret("eu north")},
	}
}

// draftOf returns a draft that changes nothing.
func draftOf(w webhook.Webhook) webhook.Draft {
	d := webhook.Draft{
		Name: w.Name, Events: w.Events, TargetURL: w.TargetURL, State: w.State, Type: w.Type,
		Properties: w.Properties, Description: w.Description,
	}
	for _, h := range w.Headers {
		value := webhook.NewSecret(h.Value)
		if h.Secret {
			value = webhook.NewSecret(mask)
		}
		d.Headers = append(d.Headers, webhook.DraftHeader{Name: h.Name, Value: value})
	}
	return d
}

// operate retries a delivery, replays those of a webhook, or redispatches all events.
func operate(u *user) {
	w := u.w
	if w.chance(0.15) {
		u.redispatch([]webhook.Tenant{u.who.Tenant}, func(error) {})
		return
	}
	key, ok := w.witness.someRow(w.rnd)
	if !ok {
		return
	}
	if w.chance(0.5) {
		seen := w.witness.rows[key].Status
		hasty := w.chance(0.3) // it has read the row long before
		u.call(fmt.Sprintf("retry w%d/%s", about(key), w.witness.name(key.Event)), func(ctx context.Context, e *environment) error {
			if now := time.Now(); hasty {
				_, err := e.rows.StartRound(ctx, delivery.StartRound{
					Key: key, Seen: seen, Now: now, Due: now, SweepAt: now.Add(5 * time.Minute), Seed: delivery.Seed{ExpiresAt: now.Add(rowLife)},
				})
				if errors.Is(err, delivery.ErrRefused) {
					err = nil
				}
				return err
			}
			_, err := e.again.Start(ctx, webhook.Principal{Tenant: key.Tenant}, key.Webhook, key.Event)
			if errors.Is(err, delivery.ErrRefused) || errors.Is(err, webhook.ErrNotFound) {
				return nil
			}
			return err
		}, func(error) {})
		return
	}
	replayer(u)
}

// redispatch starts jobs that match all events so far again.
func (u *user) redispatch(of []webhook.Tenant, answered func(error)) {
	u.call("redispatch", func(ctx context.Context, e *environment) error {
		for _, tenant := range of {
			now := time.Now()
			j, err := job.New(job.Redispatch, tenant, u.who.Associate, now, e.random)
			if err != nil {
				return err
			}
			j.From, j.To = u.w.began.Add(-25*time.Hour), now.Add(time.Second)
			if err := e.jobs.Create(ctx, j); err != nil {
				return err
			}
		}
		return nil
	}, answered)
}

// restore redispatches the records that Lambda gave up on.
func restore(u *user) {
	if !u.w.witness.lost {
		return
	}
	u.redispatch(u.w.tenants, func(err error) {
		if err == nil {
			u.w.witness.lost = false
		} else {
			u.left++
		}
	})
}

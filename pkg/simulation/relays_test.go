package simulation_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	wiring "github.com/posthaste-dev/posthaste/pkg/service"
	apiwiring "github.com/posthaste-dev/posthaste/pkg/service/api"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// relayEnvironment begins the kinds of ApiFunction's environments that relays call.
const relayEnvironment = "api-in"

// relays is other services that send their webhooks to ApiFunction in a run, and an
// administrator who changes the sources that take them. What must hold of them is in
// relays_ledger_test.go.
type relays struct {
	w     *world
	envs  []*environment
	left  int // events of the senders to come
	after time.Time
	// pending are POSTs to make, in no order; drawn numbers the senders' events.
	pending []*post
	drawn   int
	// calls is what the current call of a process carries, tells what an
	// administrator says in it.
	calls    map[*process]*post
	tells    map[*process]relayTelling
	telling  relayTelling
	versions map[string][]relayVersion
	answered []*post
	twins    bool                  // crm and crm2 are of one CRM
	events   map[string]*happening // by relayKey
}

// relayTelling is what an administrator says about the secret of a relay.
type relayTelling struct {
	secret     string // "": the stored one
	overlap    time.Duration
	endOverlap bool
}

// newRelays adds relays to one run in three. Like newIngestion, it draws nothing
// from the world's random numbers.
func newRelays(w *world) *relays {
	rnd := rand.New(rand.NewPCG(w.seed, 0x72656c617973))
	in := &relays{
		w: w, calls: map[*process]*post{}, tells: map[*process]relayTelling{}, versions: map[string][]relayVersion{}, events: map[string]*happening{},
	}
	if w.weather.crowd > 0 || w.weather.weeks || w.weather.hog > 0 || rnd.IntN(3) > 0 {
		return in
	}
	in.left = 2 + rnd.IntN(14)
	in.after = w.began.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond)
	for _, tenant := range tenants {
		_ = w.db.peek.Tenants().Create(context.Background(), tenant, w.began) // unless ingestion has
	}
	of := tenants[rnd.IntN(3)]
	in.put("crm", of)
	if in.twins = rnd.IntN(2) == 0; !in.twins {
		of = tenants[rnd.IntN(3)]
	}
	in.put("crm2", of)
	in.put("hooks", tenants[rnd.IntN(3)])
	for n := range 2 {
		in.envs = append(in.envs, &environment{w: w, kind: fmt.Sprint(relayEnvironment, n)})
	}
	w.actors = append(w.actors, in, &user{
		w: w, name: "rex", env: &environment{w: w, kind: "api-rex"}, left: rnd.IntN(7), after: in.after, step: in.administer,
	})
	return in
}

// context returns the ContextIdentifier of the CRM that sends to a relay.
func (in *relays) context(name string) string {
	if in.twins && name == "crm2" {
		return "Cust-crm"
	}
	return "Cust-" + name
}

// source returns a relay as an administrator states it.
func (in *relays) source(name string, tenant webhook.Tenant, other bool) source.Source {
	r := &source.Relay{Protocol: source.ProtocolSuperOffice, Context: in.context(name)}
	if other {
		r.Context = "Cust-other"
	}
	if name == "hooks" {
		r.Protocol, r.Context = source.ProtocolStandard, ""
	}
	return source.Source{Name: name, Kind: source.KindRelay, Tenant: tenant, Relay: r}
}

func relaySecret(n int) string { return fmt.Sprintf("secret-relay-%032d", n) }

// put stores a relay that exists before the run.
func (in *relays) put(name string, tenant webhook.Tenant) {
	w := in.w
	s := in.source(name, tenant, false)
	s.Revision, s.Created, s.Updated = 1, w.began.Add(-time.Hour), w.began.Add(-time.Hour)
	s.Relay.Secret = w.vault.old(tenant, 0, webhook.SecretDocument{Current: webhook.NewSecret(relaySecret(0))})
	if err := w.db.peek.Sources().Put(context.Background(), s); err != nil {
		w.violated("store", "cannot store source %s: %v", name, err)
	}
	in.versions[name] = []relayVersion{{at: s.Created, exists: true, Source: s, current: relaySecret(0)}}
}

// functions adds ApiFunction to an environment that relays call.
func (in *relays) functions(e *environment, on wiring.Contracts) {
	if !strings.HasPrefix(e.kind, relayEnvironment) {
		return
	}
	none := func(context.Context) (webhook.Secret, error) { return webhook.NewSecret("none"), nil }
	handler := apiwiring.New(on, e.sender, apiwiring.Config{First: none, Admin: none, AdminUser: "admin", RequestID: trigger.RequestID, Version: "sim"})
	e.gateway = trigger.Resumed(trigger.HTTP(handler, httpapi.WriteError, "", on.Logger), on.Now, e.sender.Resume)
}

// administer changes a relay's secret or context, ends an overlap, or deletes a relay
// and creates another one of its name, perhaps for another tenant.
func (in *relays) administer(u *user) {
	w := in.w
	name := []string{"crm", "crm", "crm2", "hooks"}[w.rnd.IntN(4)]
	last := in.last(name)
	what := source.Draft{Source: in.source(name, "", w.chance(0.1))}
	in.telling = relayTelling{overlap: webhook.DefaultSecretOverlap}
	label := "rotate the secret of source " + name
	switch {
	case !last.exists:
		label = "create source " + name
		what.Tenant = w.anyTenant()
	case w.chance(0.2):
		label = "delete source " + name
	case w.chance(0.25):
		label, in.telling.endOverlap = "end the overlap of source "+name, true
	}
	if last.exists && w.chance(0.4) {
		in.telling.overlap = []time.Duration{0, 30 * time.Second}[w.rnd.IntN(2)]
		what.Relay.SecretOverlap = &in.telling.overlap
	}
	if !last.exists || w.chance(0.8) {
		in.telling.secret = relaySecret(w.rnd.IntN(4)) // sometimes one that was used before
		stated := webhook.NewSecret(in.telling.secret)
		what.Secret = &stated
	}
	u.call(label, func(ctx context.Context, e *environment) (err error) {
		w.witness.mu.Lock()
		in.tells[processOf(ctx)] = in.telling
		w.witness.mu.Unlock()
		switch label[:6] {
		case "create":
			_, err = e.sources.Create(ctx, "rex", what)
		case "delete":
			_, err = e.sources.Delete(ctx, name, 0)
		case "rotate":
			_, err = e.sources.Replace(ctx, "rex", name, 0, what)
		default:
			_, err = e.sources.EndOverlap(ctx, "rex", name)
		}
		return err
	}, func(error) {
		if in.left > 0 && w.chance(0.7) {
			in.after = time.Now() // before every environment knows
		}
	})
}

// actions lets an event happen at a sender, or makes a POST that is due.
func (in *relays) actions(now time.Time) (out []action) {
	if in.left > 0 && !in.after.After(now) {
		out = append(out, action{"a sender has an event", func() {
			in.left--
			in.happen()
			in.after = now.Add(in.w.think())
		}})
	}
	for _, e := range in.envs {
		if e.busy {
			continue
		}
		for _, p := range in.pending {
			if !p.at.After(now) {
				out = append(out, action{"POST to a relay", func() { in.send(e, p) }})
			}
		}
		break
	}
	return out
}

func (in *relays) moment(time.Time) (next time.Time) {
	if in.left > 0 {
		next = in.after
	}
	if !slices.ContainsFunc(in.envs, func(e *environment) bool { return !e.busy }) {
		return next
	}
	for _, p := range in.pending {
		if next.IsZero() || p.at.Before(next) {
			next = p.at
		}
	}
	return next
}

func (in *relays) settled() bool {
	return in.left == 0 && len(in.pending) == 0 && !slices.ContainsFunc(in.envs, func(e *environment) bool { return e.busy })
}

// send makes a POST. Like SuperOffice, its sender tries again after one and five
// seconds without a 200.
func (in *relays) send(e *environment, p *post) {
	w := in.w
	in.pending = slices.DeleteFunc(in.pending, func(x *post) bool { return x == p })
	p = p.signed(w)
	payload := p.payload(w)
	var inv *invocation
	inv = e.call("relay "+p.name(), apiTimeout, func(ctx context.Context) any {
		w.witness.mu.Lock()
		in.calls[processOf(ctx)] = p
		w.witness.mu.Unlock()
		return relayed(ctx, e, payload)
	}, func(out any, ok bool) {
		p.ended = time.Now()
		if status, answered := out.(int); ok && answered {
			p.status = status
			w.tracef("relay", "%s gets %d", p.name(), status)
			in.judge(inv, p)
		} else if ok {
			w.violated("relay", "%s failed: %v", p.name(), out)
		}
		if p.status != http.StatusOK && len(p.later) > 0 {
			next := *p
			next.at, next.later, next.status = p.ended.Add(p.later[0]), p.later[1:], 0
			in.pending = append(in.pending, &next)
		}
	})
	p.began = inv.began
}

// relayed passes a POST to ApiFunction and returns its status, or an error.
func relayed(ctx context.Context, e *environment, payload []byte) any {
	out, err := e.gateway.Invoke(ctx, payload)
	if err != nil {
		return err
	}
	var answer struct {
		StatusCode int `json:"statusCode"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return err
	}
	return answer.StatusCode
}

// payload returns what API Gateway passes to the function.
func (p *post) payload(w *world) []byte {
	body, encoded := p.body, w.luck("base64", p.body)(0) < 0.5
	if encoded {
		body = base64.StdEncoding.EncodeToString([]byte(body))
	}
	headers := map[string]string{"content-type": "application/json", "host": "api.example.com"}
	for _, h := range p.headers {
		headers[h.Name] = h.Value
	}
	path := "/in/v1/" + p.source
	text, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "headers": headers, "body": body, "isBase64Encoded": encoded,
		"requestContext": map[string]any{"requestId": "r", "http": map[string]any{"method": "POST", "path": path, "sourceIp": "198.51.100.7"}},
	})
	if err != nil {
		panic(err)
	}
	return text
}

package simulation_test

import (
	"context"
	"log/slog"
	"regexp"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// watch is a process's log: it reads every line and keeps none.
type watch struct {
	w       *world
	process *process
}

func (l watch) logger() *slog.Logger { return slog.New(l) }

func (l watch) Enabled(context.Context, slog.Level) bool { return true }
func (l watch) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l watch) WithGroup(string) slog.Handler            { return l }

func (l watch) Handle(_ context.Context, r slog.Record) error {
	line := map[string]slog.Value{}
	r.Attrs(func(a slog.Attr) bool {
		line[a.Key] = a.Value
		return true
	})
	l.w.witness.logged(l.process, r.Message, line)
	return nil
}

// logged checks a line: all that it names belongs to its tenant, and it holds no
// secret, no data and no path of a target.
func (l *witness) logged(p *process, message string, line map[string]slog.Value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tenant, about := webhook.Tenant(text(line["tenant"])), hook(0)
	if id, ok := line["webhook_id"]; ok {
		about = hookOf(tenant, int32(id.Int64()))
		if tenant != "" && l.accounts[about] == nil {
			l.w.violated("promise 9", "%s logs %q about webhook %d of %s, which has none", p.name, message, id.Int64(), tenant)
		}
	}
	if id := webhook.EventID(text(line["event_id"])); id != "" && tenant != "" {
		if h := l.events[id]; h != nil && h.event.Tenant != tenant {
			l.w.violated("promise 9", "%s logs %q about %s of %s as one of %s", p.name, message, h.name, h.event.Tenant, tenant)
		}
	}
	for key, value := range line {
		for _, never := range []string{"secret-", `"of":`, "eu north", unlisted, "/" + string(tenants[0]) + "/", "/" + string(tenants[1]) + "/", "/" + string(tenants[2]) + "/"} {
			said := text(value)
			if key == "error" {
				said = strings.ReplaceAll(said, "posthaste/", "") // names of secrets, and of rows
				said = deliveryName.ReplaceAllString(said, "")
			}
			if strings.Contains(said, never) {
				l.w.violated("promise 9", "%s logs %q with %s %q", p.name, message, key, text(value))
			}
		}
	}
	if message == "delivery attempted" {
		l.loggedAttempt(p, about, line)
	}
}

// deliveryName is how errors name a delivery or a secret.
var deliveryName = regexp.MustCompile(`\b\w+/\d+/[0-9a-z-]+`)

func text(v slog.Value) string {
	if v.Equal(slog.Value{}) {
		return ""
	}
	return v.String()
}

// loggedAttempt checks the line of an attempt: there is one for each.
func (l *witness) loggedAttempt(p *process, id hook, line map[string]slog.Value) {
	key := delivery.Key{Tenant: id.tenant(), Webhook: id.id(), Event: webhook.EventID(text(line["event_id"]))}
	for _, a := range l.attempts[key] {
		if a.process != p || a.logged || !a.over || int64(a.retry+1) != line["attempt"].Int64() || int64(a.round) != line["round"].Int64() {
			continue
		}
		a.logged = true
		lane := "queue"
		switch {
		case a.stream != nil:
			lane = "fast"
		case a.limit > ledger.QueueLimit || text(line["lane"]) == "slow" && a.limit == a.timeout:
			lane = "slow"
		}
		delivered := text(line["outcome"]) == "delivered"
		if text(line["lane"]) != lane || a.known.Status != 0 && int64(a.known.Status) != line["status"].Int64() || delivered != a.knownOK ||
			text(line["host"]) != hostOf(a.target) || text(line["event"]) != l.events[key.Event].event.Name {
			l.w.violated("log", "w%d/%s, answered by %s with %d in the %s lane, is logged as %v", id, l.events[key.Event].name, hostOf(a.target), a.known.Status, lane, line)
		}
		return
	}
	if _, secret := line["outcome"]; secret && text(line["outcome"]) == string(failure.Secret) {
		return // no POST was made
	}
	l.w.violated("log", "%s logs an attempt that it did not make: %v", p.name, line)
}

func hostOf(target string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(target, "http://"), "/")
	return host
}

// checkLogged checks that a call has logged its attempts.
func (l *witness) checkLogged(inv *invocation) {
	for _, a := range inv.attempts {
		if a.over && !a.logged {
			l.w.violated("log", "%s returned and has not logged its attempt of w%d/%s", inv.process.name, about(a.key), l.events[a.key.Event].name)
		}
	}
}

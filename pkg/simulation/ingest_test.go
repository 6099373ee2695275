package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	wiring "github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/service/ingester"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The settings of IngestFunction and what calls it, as template.yaml has them.
var (
	ingestTimeout    = template.seconds("IngestFunction", "Timeout")
	ingestVisibility = template.seconds("IngestQueue", "VisibilityTimeout")
	ingestReceives   = template.number("IngestQueue", "maxReceiveCount")
	ingestBatch      = template.number("IngestQueueMapping", "BatchSize")
	changeBatch      = template.number("ChangeMapping1", "BatchSize")
	changeRetries    = template.number("ChangeMapping1", "MaximumRetryAttempts")
	changeLanes      = template.number("ChangeMapping1", "ParallelizationFactor")
)

// ingestion is what happens outside of the service in a run: on an EventBridge bus
// and in a table, whose records IngestFunction takes, and administrators who change
// the sources meanwhile.
type ingestion struct {
	w   *world
	rnd *rand.Rand // for what is decided before the run; the scheduler's decides the rest
	// busTenant has the events of the bus that no source takes; "" for none.
	busTenant webhook.Tenant
	records   []*record
	byID      map[string]*record
	left      int // records to come
	after     time.Time
	queue     *ingestQueue
	lanes     []*lane
	failed    *changeBucket
	function  *invoked
	sources   map[string][]sourceVersion
	// poison is a record whose event the store refuses until cured.
	poison *record
	cured  time.Time
	// unlisted is until when no process can list the sources.
	unlisted time.Time
	// redispatchedTo is the end of the latest period that a user had redispatched.
	redispatchedTo time.Time
}

// newIngestion adds records from outside to one run in three. It must not draw from
// the world's random numbers in other runs, which stay as they were.
func newIngestion(w *world) *ingestion {
	rnd := rand.New(rand.NewPCG(w.seed, 0x696e67657374))
	in := &ingestion{w: w, rnd: rnd, byID: map[string]*record{}, sources: map[string][]sourceVersion{}}
	in.queue = &ingestQueue{in: in}
	in.failed = &changeBucket{in: in, batches: map[string][]*record{}}
	in.function = &invoked{in: in, env: &environment{w: w, kind: "ingest-invoked"}}
	if w.weather.crowd > 0 || w.weather.weeks || rnd.IntN(3) > 0 {
		return in
	}
	in.left = 3 + rnd.IntN(25)
	in.after = w.began.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond)
	if rnd.IntN(2) == 0 {
		in.busTenant = tenants[1]
	}
	for _, tenant := range tenants {
		if err := w.db.peek.Tenants().Create(context.Background(), tenant, w.began); err != nil {
			w.violated("store", "cannot create tenant %s: %v", tenant, err)
		}
	}
	in.put(contacts(tenants[rnd.IntN(3)], rnd.IntN(3)))
	in.put(shop(tenants[rnd.IntN(3)], rnd.IntN(3)))
	w.actors = append(w.actors, in, in.function)
	for n := range changeLanes {
		l := &lane{in: in, n: n, env: &environment{w: w, kind: fmt.Sprintf("ingest-lane%d", n)}}
		in.lanes = append(in.lanes, l)
		w.actors = append(w.actors, l)
	}
	for n := range 2 {
		w.actors = append(w.actors, &ingestPoller{in: in, env: &environment{w: w, kind: fmt.Sprintf("ingest-bus%d", n)}})
	}
	w.actors = append(w.actors, &user{
		w: w, name: "ida", env: &environment{w: w, kind: "api-ida"}, left: rnd.IntN(6), after: in.after, step: in.administer,
	})
	if rnd.IntN(3) == 0 && w.weather.lasts >= 6*time.Hour {
		in.cured = w.began.Add(3 * time.Hour)
		w.at(in.cured, in.cure)
	}
	if rnd.IntN(4) == 0 {
		w.at(w.began.Add(time.Duration(1+rnd.IntN(int(w.weather.lasts/time.Second)))*time.Second), func() {
			w.tracef("changes", "a new mapping begins at TRIM_HORIZON")
			for _, l := range in.lanes {
				l.restart()
			}
		})
	}
	return in
}

// put stores a source that exists before the run.
func (in *ingestion) put(s source.Source) {
	s.Revision, s.Created, s.Updated = 1, in.w.began.Add(-time.Hour), in.w.began.Add(-time.Hour)
	if err := in.w.db.peek.Sources().Put(context.Background(), s); err != nil {
		in.w.violated("store", "cannot store source %s: %v", s.Name, err)
	}
	in.sources[s.Name] = []sourceVersion{{at: in.w.began.Add(-time.Hour), exists: true, Source: s}}
}

// functions adds IngestFunction and the registry of sources to an environment.
func (in *ingestion) functions(e *environment, on wiring.Contracts) {
	on.BusTenant, on.OwnTables = in.busTenant, []string{tableWebhooks, tableEvents, tableDeliveries}
	batches := ingester.New(on)
	e.ingest = trigger.Ingest(batches.Bus, batches.Changes, on.Logger)
	e.sources = wiring.NewSources(on)
}

// administer changes the mapping of a source, creates one, or deletes one that was
// created in the run.
func (in *ingestion) administer(u *user) {
	w := in.w
	what := source.Draft{Source: []source.Source{
		contacts("", w.rnd.IntN(3)), shop("", w.rnd.IntN(3)), late(tenants[w.rnd.IntN(3)]), everyone(),
	}[w.rnd.IntN(4)]}
	name := what.Name
	exists := in.now(name).exists
	label := "replace source " + name
	switch {
	case exists && (name == "late" || name == "everyone"):
		label = "delete source " + name
	case !exists:
		label = "create source " + name
	}
	u.call(label, func(ctx context.Context, e *environment) error {
		switch label[:6] {
		case "delete":
			_, err := e.sources.Delete(ctx, name, 0)
			return err
		case "create":
			_, err := e.sources.Create(ctx, "ida", what)
			return err
		}
		_, err := e.sources.Replace(ctx, "ida", name, 0, what)
		return err
	}, func(error) {
		if in.left > 0 && w.chance(0.7) {
			in.after = time.Now() // before every reader of the sources knows
		}
	})
}

// actions lets something happen outside.
func (in *ingestion) actions(now time.Time) []action {
	if in.left == 0 || in.after.After(now) {
		return nil
	}
	return []action{{"outside", func() {
		w := in.w
		in.left--
		if w.chance(0.5) {
			in.onBus()
		} else {
			in.inTable()
		}
		in.after = now.Add(w.think())
	}}}
}

func (in *ingestion) moment(time.Time) time.Time {
	if in.left == 0 {
		return time.Time{}
	}
	return in.after
}

// cure lets the store accept the poisonous record's event. Until then it must not
// have kept any other record from becoming one.
func (in *ingestion) cure() {
	if in.poison != nil && !in.w.calm {
		for _, r := range in.records {
			if r != in.poison && r.made.Before(in.cured.Add(-2*time.Hour)) {
				in.auditRecord(r, "while another record fails")
			}
		}
	}
	in.poison, in.cured = nil, time.Time{}
}

// poisons reports whether a gate is that of the poisonous record's event, or that of
// a list of the sources while nothing can list them.
func (in *ingestion) poisons(g *gate) bool {
	return in.poison != nil && slices.Contains(in.poison.puts, g.label) ||
		g.label == "query webhooks :first=a :pk=SOURCES" && time.Now().Before(in.unlisted)
}

// settled reports whether nothing from outside is under way.
func (in *ingestion) settled() bool {
	if in.left > 0 || len(in.queue.waiting) > 0 || len(in.queue.dead) > 0 || len(in.failed.names) > 0 || len(in.function.calls) > 0 {
		return false
	}
	return !slices.ContainsFunc(in.lanes, func(l *lane) bool { return !l.idle() })
}

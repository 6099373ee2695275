package simulation_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/dispatch"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	wiring "github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/service/dispatcher"
	"github.com/posthaste-dev/posthaste/pkg/service/sweeper"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/simulation/lineage"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// How long events and rows are kept.
const (
	eventLife = 30 * 24 * time.Hour
	rowLife   = 33 * 24 * time.Hour
)

// environment runs one process after another. After a process died or was given
// up while running, the next call gets a new one with empty caches.
type environment struct {
	w    *world
	kind string
	n    int
	busy bool

	process  *process
	engine   *dispatch.Engine
	sweeper  *sweep.Sweeper
	registry *webhook.Registry
	publish  *webhook.Publisher
	queue    delivery.Queue
	rows     delivery.Store
	jobs     job.Jobs
	again    *replay.Retry
	replays  *replay.Replays
	random   io.Reader
	sender   *outbound.Sender
	// The Lambda handlers.
	deliver, retry, sweep, ingest lambda.Handler
	sources                       *source.Registry
	gateway                       lambda.Handler // of the relays' calls
	administration                *tenancy.Administration
	// telling, signalling and replaying go to the process with the next call.
	telling    *telling
	signalling *signalling
	replaying  *replay.Plan
}

// call calls into the environment.
func (e *environment) call(label string, timeout time.Duration, run func(context.Context) any, over func(out any, ok bool)) *invocation {
	if e.process == nil || e.process.dead {
		e.start()
	}
	e.busy = true
	p := e.process
	p.replaying = e.replaying
	if p.telling, p.signalling = e.telling, e.signalling; e.telling != nil {
		e.telling.began = time.Now()
	}
	return e.w.invoke(p, label, timeout, run, func(out any, ok bool) {
		e.busy = false
		if !ok && e.process == p {
			e.process = nil
		}
		over(out, ok)
	})
}

// start creates a process with its own caches.
func (e *environment) start() {
	e.n++
	w := e.w
	p := &process{
		name: fmt.Sprintf("%s.%d", e.kind, e.n), started: time.Now().Add(-time.Minute),
		leases: map[delivery.Key]*grant{}, probes: map[hook]int{}, unmade: map[hook]int{}, taken: map[hook]string{}, doubts: map[hook][][]ledger.Outcome{}, reported: map[hook][]ledger.Outcome{}, calls: map[*invocation]*streaming{},
	}
	e.process = p
	w.setClock(p)
	random := &randomness{w: w, process: p.name}
	store := dynamo.New(w.db, tables, dynamo.Options{Now: p.now, Random: random})
	stores := w.stores(p, random, strings.HasPrefix(e.kind, "deliver") || strings.HasPrefix(e.kind, "retry") || strings.HasPrefix(e.kind, relayEnvironment))
	on := wiring.Contracts{
		Logger: watch{w, p}.logger(), Now: p.now, Random: random,
		Delivering: config.Delivering{Policy: w.policy, EventTTL: eventLife, DeliveryExtra: rowLife - eventLife},
		Webhooks:   store.Webhooks(), Founder: store.Webhooks(), Events: store.Events(), Deliveries: store.Deliveries(), Statistics: store.Statistics(), Secrets: stores, Custody: stores,
		Tenants: store.Tenants(), Credentials: store.Credentials(), Jobs: store.Jobs(), Erasure: store.Erasure(), Messages: &sqs.Queue{Client: api{w.queue}, URL: "delivery", SlowURL: "slow"},
		Sources: store.Sources(),
	}
	e.sender = w.newSender(p)
	w.senders = append(w.senders, e.sender)
	w.processes = append(w.processes, p)
	dead := &sqs.DeadLetters{Client: api{w.queue}, URL: "dead"}
	e.engine = dispatcher.New(on, &sending{w, p, e.sender}, dead)
	e.sweeper = sweeper.New(on, dead, w.bucket)
	e.sweeper.Changes = &sweep.Changes{Failures: w.ingestion.failed, Take: w.ingestion.function.Take}
	e.functions(p)
	w.ingestion.functions(e, on)
	w.relays.functions(e, on)
	w.doom.functions(e, on)
	e.registry, e.publish = wiring.NewRegistry(on), wiring.NewPublisher(on)
	e.registry.Rules.AllowHTTP = true
	e.again, e.replays = wiring.NewRetry(on, e.registry), wiring.NewReplays(on, e.registry)
	e.queue, e.rows, e.jobs, e.random = on.Messages, store.Deliveries(), store.Jobs(), random
}

// randomness returns a process's numbers, which depend on the seed but not on the
// order in which its goroutines ask: tokens (12 bytes) are only compared,
// jitter (8 bytes) is the same for goroutines with the same path at the same
// time, and ids (10 bytes) are drawn by one goroutine at a time.
type randomness struct {
	w       *world
	process string
	ids     int
}

func (r *randomness) Read(b []byte) (int, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	switch len(b) {
	case 8:
		luck := r.w.luck("jitter", r.process, fmt.Sprint(lineage.Number()), time.Since(r.w.began).String())(0)
		binary.BigEndian.PutUint64(b, uint64(luck*(1<<53))<<11)
	case 12:
		r.w.tokens++
		binary.BigEndian.PutUint64(b[4:], uint64(r.w.tokens))
	default:
		r.ids++
		luck := r.w.luck("id", r.process, fmt.Sprint(r.ids))
		for i := range b {
			b[i] = byte(luck(i) * 256)
		}
	}
	return len(b), nil
}

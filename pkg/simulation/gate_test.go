package simulation_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/simulation/lineage"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// verdict is the scheduler's decision about one side effect.
type verdict uint8

const (
	proceed    verdict = iota
	slow               // takes effect, and the response is delayed
	failBefore         // an error without effect
	failAfter          // takes effect, and the response is lost
	dieBefore          // the process dies without effect
	dieAfter           // takes effect, and the process dies
	partial            // a queue send: some entries are refused
	stale              // an eventually consistent read: old data
)

func (v verdict) String() string {
	return [...]string{"", "slow", "FAULT, no effect", "FAULT, response lost", "DIES before", "DIES after", "FAULT, partly refused", "stale"}[v]
}

// kind decides which faults a gate can have.
type kind uint8

const (
	kindStore  kind = iota // a call to DynamoDB
	kindStale              // an eventually consistent read of DynamoDB
	kindQueue              // a call to the queue
	kindSend               // a batch send to the queue
	kindSecret             // a call to the secret store
	kindPost               // a POST on its way to the target
	kindAnswer             // a response on its way back: the process can only die or freeze
)

// gate is where a goroutine of a process waits until the scheduler releases it.
type gate struct {
	process *process
	label   string
	path    uint64 // a hash of the gates that the goroutine and its ancestors passed before
	about   string // the delivery concerned, if any
	kind    kind
	ctx     context.Context
	leave   chan verdict
}

type processKey struct{}

// processOf returns the process that makes a call, or nil for the test itself,
// which passes every gate immediately.
func processOf(ctx context.Context) *process {
	p, _ := ctx.Value(processKey{}).(*process)
	return p
}

// wait blocks until the scheduler releases the goroutine. A goroutine of a dead
// process ends here, so that its code has no further effect.
func (w *world) wait(ctx context.Context, p *process, k kind, about, label string) verdict {
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		runtime.Goexit()
	}
	g := &gate{process: p, label: label, path: lineage.Number(), about: about, kind: k, ctx: ctx, leave: make(chan verdict, 1)}
	if k != kindSecret { // one of several goroutines reads it for all
		lineage.Set(chain(g.path, label))
	}
	w.waiting = append(w.waiting, g)
	w.mu.Unlock()
	select {
	case w.arrival <- struct{}{}:
	default:
	}
	v := <-g.leave
	if v == dieBefore {
		runtime.Goexit()
	}
	return v
}

// chain adds a label to the hash of those before it.
func chain(path uint64, label string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, path))
	_, _ = io.WriteString(h, label)
	return h.Sum64()
}

// effect runs one side effect of the process that ctx belongs to. fault returns
// the error of an injected fault.
func (w *world) effect(ctx context.Context, k kind, about, label string, fault func() error, do func(verdict) error) error {
	p := processOf(ctx)
	if p == nil {
		return do(proceed)
	}
	v := w.wait(ctx, p, k, about, label)
	switch v {
	case failBefore:
		if err := ctx.Err(); err != nil {
			return err
		}
		return fault()
	case failAfter:
		if err := do(proceed); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return fault()
	case dieAfter:
		_ = do(proceed)
		runtime.Goexit()
	case slow:
		err := do(proceed)
		rest(ctx, w.delay(label))
		path := lineage.Number()
		w.wait(ctx, p, kindAnswer, about, label+": answer")
		if k == kindSecret {
			lineage.Set(path)
		}
		return err
	case proceed, partial, stale, dieBefore: // dieBefore does not get here
	}
	return do(v)
}

// delay returns how long a slow response takes: usually under a second,
// sometimes longer than a view of the webhooks may be used.
func (w *world) delay(label string) time.Duration {
	luck := w.luck("slow", label, time.Since(w.began).String())
	if luck(0) < 0.6 {
		return time.Duration(luck(1) * float64(time.Second))
	}
	return time.Duration(luck(1) * float64(14*time.Second))
}

func unavailable() error { return fmt.Errorf("injected: %w", webhook.ErrUnavailable) }

// process is one execution environment of a function: it has its own caches and
// dies as a whole.
type process struct {
	name    string
	dead    bool
	frozen  bool
	started time.Time
	since   time.Time // when it was frozen; zero if it is only delayed
	// stalled is how long it was frozen so far: by so much its monotonic clock is
	// behind.
	stalled atomic.Int64
	skew    atomic.Int64 // how far its wall clock is ahead
	// troubles are the faults and the death of this process, by time.
	troubles []trouble
	// leases are the leases granted to it, by delivery.
	leases map[delivery.Key]*grant
	// probes are breaker probes that it was granted but has not made.
	probes map[hook]int
	// unmade are the probes taken by the current call, until it attempts the
	// webhook.
	unmade map[hook]int
	taken  map[hook]string // the last probe
	// misled is when it last read stale health, or none.
	misled time.Time
	// staleAt is when it last read stale data of any kind.
	staleAt time.Time
	// calls are its stream consumer calls; current is the latest call of any
	// kind.
	calls   map[*invocation]*streaming
	current *invocation
	// telling and signalling are what the current call of a user says.
	telling    *telling
	signalling *signalling
	replaying  *replay.Plan
	// making are its attempts that are not over.
	making []*attempt
	// reported is what its last write of a webhook's health counted; doubts are
	// writes whose response was lost.
	reported    map[hook][]ledger.Outcome
	doubts      map[hook][][]ledger.Outcome
	connections []net.Conn // the targets' ends
}

// now returns the time by the process's clocks.
func (p *process) now() time.Time {
	now := time.Now()
	return reading(now.Add(time.Duration(p.skew.Load())), now.Sub(p.started)-time.Duration(p.stalled.Load()))
}

// thaw lets a frozen process run on.
func (p *process) thaw() {
	if !p.since.IsZero() {
		p.stalled.Add(int64(time.Since(p.since)))
	}
	p.frozen, p.since = false, time.Time{}
}

type trouble struct {
	at    time.Time
	what  verdict
	kind  kind
	about string
}

// invocation is one call into a process.
type invocation struct {
	process  *process
	label    string
	began    time.Time
	deadline time.Time
	// over is called once by the scheduler: when the call returned (ok), or
	// when its caller gave it up.
	over func(out any, ok bool)
	// returned, out are set by the invocation's goroutine.
	returned bool
	out      any
	closed   bool // over was called
	gone     bool // the goroutine ended
	froze    bool
	attempts []*attempt // POSTs made during it
	// unreported are results that it has and has not counted, in order; exhausted
	// and refused are webhooks that it must disable.
	unreported map[hook][][]ledger.Outcome
	exhausted  []exhausted
	refused    []*attempt
	// begun are the deliveries of which it has begun a round for a replay.
	begun map[delivery.Key]bool
	// made and counted are what the statistics must say of its attempts, and what it
	// has added to them.
	made, counted tallies
}

// invoke calls into a process. Like Lambda's, the call's context ends shortly
// before the environment is killed.
func (w *world) invoke(p *process, label string, timeout time.Duration, run func(ctx context.Context) any, over func(out any, ok bool)) *invocation {
	now := time.Now()
	inv := &invocation{process: p, label: label, began: now, deadline: now.Add(timeout), over: over, made: tallies{}, counted: tallies{}}
	w.running = append(w.running, inv)
	p.current = inv
	w.tracef(p.name, "starts: %s", label)
	go func() {
		defer func() {
			w.mu.Lock()
			inv.gone = true
			w.mu.Unlock()
			select {
			case w.arrival <- struct{}{}:
			default:
			}
		}()
		ctx, cancel := context.WithDeadline(context.WithValue(context.Background(), processKey{}, p), inv.deadline)
		defer cancel()
		out := run(ctx)
		w.wait(ctx, p, kindAnswer, "", "returns")
		w.mu.Lock()
		inv.out, inv.returned = out, true
		w.mu.Unlock()
	}()
	return inv
}

// close informs the caller of an invocation that it is over.
func (w *world) close(inv *invocation, ok bool) {
	if !inv.closed {
		inv.closed = true
		if !ok {
			w.witness.lostCall(inv)
		}
		inv.over(inv.out, ok)
	}
}

// kill ends a process: its goroutines end at their next gate.
func (w *world) kill(p *process, v verdict) {
	w.mu.Lock()
	p.dead, p.frozen = true, false
	w.mu.Unlock()
	p.disconnect()
	p.troubles = append(p.troubles, trouble{at: time.Now(), what: v, kind: kindAnswer})
	for _, inv := range w.running {
		if inv.process == p && !inv.returned {
			w.close(inv, false)
		}
	}
}

// rest waits as a sender does.
func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

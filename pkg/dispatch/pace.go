package dispatch

import (
	"context"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	paceMemory = 20             // attempts
	paceFailed = paceMemory / 2 // more failures than this among them end a slice
	// More than paceThrottled requests for a pause among them end it too: the target is
	// well, and deliveries should not use up their attempts on it.
	paceThrottled = paceMemory / 4
)

// pace decides how many attempts a drain has in flight, and whether it goes on. It
// begins with minWidth and adds one for each success, up to the drain's width: a target
// that fails again gets no more than the first few of a slice.
type pace struct {
	width, limit int // limit of attempts; 0: none
	freed        chan struct{}

	mu       sync.Mutex
	allowed  int
	inFlight int
	begun    int
	last     [paceMemory]failure.Kind
	throttle [paceMemory]bool
	results  int
	stopped  bool
}

func newPace(width, limit int) *pace {
	return &pace{width: width, limit: limit, freed: make(chan struct{}, 1), allowed: min(width, minWidth)}
}

// enter waits until another attempt may start. It returns false if none may, or when
// the context has ended. Only one goroutine may call it at a time.
func (p *pace) enter(ctx context.Context) bool {
	for ctx.Err() == nil {
		p.mu.Lock()
		if p.stopped || p.limit > 0 && p.begun == p.limit {
			p.mu.Unlock()
			return false
		}
		if p.inFlight < p.allowed {
			p.inFlight++
			p.begun++
			p.mu.Unlock()
			return true
		}
		p.mu.Unlock()
		select {
		case <-p.freed:
		case <-ctx.Done():
		}
	}
	return false
}

// leave ends an attempt, made or not.
func (p *pace) leave() {
	p.mu.Lock()
	p.inFlight--
	p.mu.Unlock()
	p.wake()
}

func (p *pace) wake() {
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// ended counts the result of an attempt.
func (p *pace) ended(r webhook.Result) {
	if r.Undecided {
		return // the rotation of a secret caused it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.results % paceMemory
	p.last[i], p.throttle[i] = r.Error, r.StatusCode == 429 || r.RetryAfter > 0
	p.results++
	if r.Error == failure.None {
		p.allowed = min(p.allowed+1, p.width)
	}
	failed, throttled := 0, 0
	for i, kind := range p.last {
		if kind != failure.None {
			failed++
		}
		if p.throttle[i] {
			throttled++
		}
	}
	p.stopped = p.stopped || failed > paceFailed || throttled > paceThrottled
}

// made returns the number of attempts that have a result.
func (p *pace) made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.results
}

// stop ends the slice: the breaker has opened.
func (p *pace) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wake()
}

// failing reports whether the slice has ended because of the target.
func (p *pace) failing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

package webhook

import (
	"math"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
)

// Health is the state of a webhook's target: the counters of SuperOffice's
// entity, and the basis for choosing lanes and for disabling. It is stored next to
// the webhook, never in it, so that saving a webhook and counting a call do not
// conflict. The zero Health is that of a webhook that was never called.
type Health struct {
	TotalCalls        int32 // the counters saturate at the largest int32
	TotalErrors       int32
	ConsecutiveErrors int32 // since the last success under this activation
	LastError         string
	// Activation is the activation that ConsecutiveErrors, FailingSince,
	// LastCounted and Breaker belong to; see Under.
	Activation int64
	// LastOK is when the last successful attempt began.
	LastOK time.Time
	// FailingSince is when the first failed attempt after LastOK began; zero if
	// the last attempt succeeded.
	FailingSince time.Time
	// LastCounted is when the last failed attempt that counted began.
	LastCounted time.Time
	// Latency is a moving average of response times.
	Latency time.Duration
	// FastTimeout is when an attempt in the fast lane was last cut short.
	FastTimeout time.Time
	// Slow says that attempts take the slow lane: one was cut short in the queue lane,
	// and Latency has not fallen under SlowUnder since.
	Slow bool
	// Signing is the secret that the target accepted last, of the two that may
	// sign during a rotation.
	Signing Preference
	// Breaker decides whether the target is called.
	Breaker Breaker
	// Version counts the writes of this row. Stores make writes conditional on
	// it.
	Version int64
}

// Attempts in the queue lane are cut short after QueueBudget, so that a slow target
// holds no slot for long. A webhook leaves the slow lane when its responses take less
// than SlowUnder on average, never by time alone.
const (
	QueueBudget = 5 * time.Second
	SlowUnder   = 2 * time.Second
)

// MaxLastError is the largest size of LastError in bytes; it is cut to that.
const MaxLastError = 4000

// HealthReport is one attempt, as counted by Health.
type HealthReport struct {
	Activation int64 // of the webhook that the attempt was made for
	At         time.Time
	Duration   time.Duration
	Error      failure.Kind // failure.None for a success
	LastError  string       // Result.LastError if the attempt failed
	Policy     Policy
	// Probe names the attempt if it was the breaker's probe.
	Probe string
	// Repeats, Signing and Undecided are those of the Result; Signing has the
	// version of the secret document that signed the attempt.
	Repeats   int
	Signing   Preference
	Undecided bool
	// Replay says that a replay job asked for the attempt.
	Replay bool
	// Jitter is a random number in [0, 1), for the time of the first probe if the
	// attempt opens the breaker.
	Jitter float64
}

// Under returns the health for an activation of its webhook: an activation newer
// than all reported ones starts without consecutive errors and with a closed
// breaker, and keeps the totals.
func (h Health) Under(activation int64) Health {
	if activation > h.Activation {
		h.Activation = activation
		h.ConsecutiveErrors, h.FailingSince, h.LastCounted, h.Breaker = 0, time.Time{}, time.Time{}, Breaker{}
	}
	return h
}

// Observe counts attempts, in the order given, and returns the new health.
//
// A failure counts towards ConsecutiveErrors if its attempt began after the
// last success and under the same activation; under the durable policy at most
// one failure a second counts, so that a burst does not disable a webhook. The
// breaker counts all of them. A success resets everything.
//
// TotalCalls counts POSTs: an attempt of two is two calls and at most one error.
// An attempt that its lane cut short is not an error, and neither is an undecided attempt: the
// rotation caused it, not the target.
//
// An attempt that sent nothing, since the webhook's template makes too large a body of its
// event, says nothing about the target: it counts in the totals and in LastError only.
//
// An attempt of a replay counts in the totals only. What a target says about old events
// says little about new ones: a failure neither disables the webhook nor opens its
// breaker, which would hold live events back, and a success ends no streak. It does
// close the breaker, since the target responds.
func (h Health) Observe(reports ...HealthReport) Health {
	for _, r := range reports {
		h = h.Under(r.Activation)
		if r.Signing.Signer != SignerNone && !r.At.Before(h.LastOK) {
			h.Signing = r.Signing
		}
		posts := 1 + r.Repeats
		for range posts {
			h.TotalCalls = saturatingIncrement(h.TotalCalls)
		}
		if r.Undecided {
			h.Breaker = h.Breaker.unresolved(r.Probe)
			continue
		}
		if r.Error.Cut() {
			h = h.observeCut(r)
			continue
		}
		if r.Error == failure.Body {
			h = h.observeApart(r)
			continue
		}
		answer := r.Duration / time.Duration(posts)
		if h.Latency == 0 {
			h.Latency = answer
		} else {
			h.Latency += (answer - h.Latency) / 8
		}
		h.Slow = h.Slow && h.Latency >= SlowUnder
		if r.Replay {
			h = h.observeApart(r)
			continue
		}
		if r.Error == failure.None {
			if r.At.After(h.LastOK) {
				h.LastOK = r.At
			}
			if r.Activation == h.Activation {
				h.ConsecutiveErrors, h.FailingSince, h.LastCounted, h.Breaker = 0, time.Time{}, time.Time{}, Breaker{}
			}
			continue
		}
		h.TotalErrors = saturatingIncrement(h.TotalErrors)
		h.LastError = Truncate(r.LastError, MaxLastError)
		if r.Activation != h.Activation || !r.At.After(h.LastOK) {
			continue
		}
		h.Breaker = h.Breaker.failed(r, h.FailingSince)
		if r.Policy != PolicySuperOffice && !h.LastCounted.IsZero() && r.At.Sub(h.LastCounted) < time.Second {
			continue
		}
		h.ConsecutiveErrors = saturatingIncrement(h.ConsecutiveErrors)
		h.LastCounted = r.At
		if h.FailingSince.IsZero() {
			h.FailingSince = r.At
		}
	}
	return h
}

// observeCut counts an attempt that its lane cut short. One that takes longer than the
// queue lane allows is known to take that long: the average of what was faster before
// must not end the slow lane with its first response.
func (h Health) observeCut(r HealthReport) Health {
	if r.At.After(h.FastTimeout) {
		h.FastTimeout = r.At
	}
	if r.Error == failure.Queue {
		h.Slow, h.Latency = true, max(h.Latency, QueueBudget)
	}
	return h
}

// observeApart counts an attempt of a replay, or one that sent nothing.
func (h Health) observeApart(r HealthReport) Health {
	switch {
	case r.Error != failure.None:
		h.TotalErrors, h.LastError = saturatingIncrement(h.TotalErrors), Truncate(r.LastError, MaxLastError)
		h.Breaker = h.Breaker.unresolved(r.Probe)
	case r.Activation == h.Activation:
		h.Breaker = Breaker{}
	}
	return h
}

func saturatingIncrement(n int32) int32 {
	if n == math.MaxInt32 {
		return n
	}
	return n + 1
}

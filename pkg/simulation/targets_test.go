package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// mood is how a target responds for a while.
type mood struct {
	name    string
	status  int
	quick   time.Duration // its latency is between quick and late
	late    time.Duration
	wait    time.Duration // Retry-After
	abort   bool
	deaf    bool // requests never arrive
	mixture []string
}

var moods = map[string]mood{
	"well":      {status: 200, quick: 20 * time.Millisecond, late: 300 * time.Millisecond},
	"lazy":      {status: 200, quick: 400 * time.Millisecond, late: 1400 * time.Millisecond},
	"slow":      {status: 204, quick: 1400 * time.Millisecond, late: 6 * time.Second},
	"late":      {status: 200, quick: 28 * time.Second, late: 50 * time.Second},
	"broken":    {status: 500, quick: 5 * time.Millisecond, late: 200 * time.Millisecond},
	"busy":      {status: 503, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, wait: 90 * time.Second},
	"overrun":   {status: 429, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, wait: 40 * time.Minute},
	"strict":    {status: 401, quick: 5 * time.Millisecond, late: 100 * time.Millisecond},
	"gone":      {status: 410, quick: 5 * time.Millisecond, late: 100 * time.Millisecond},
	"refusing":  {status: 400, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, abort: true},
	"deaf":      {deaf: true},
	"flaky":     {mixture: []string{"well", "well", "broken"}},
	"dreadful":  {mixture: []string{"well", "late", "deaf", "busy", "slow", "broken"}},
	"uncertain": {mixture: []string{"well", "late", "slow"}},
}

var moodNames = []string{
	"well", "well", "well", "well", "well", "lazy", "slow", "late", "broken", "broken", "busy", "overrun", "strict", "gone", "refusing", "deaf",
	"flaky", "flaky", "dreadful", "uncertain", "uncertain",
}

// targets are all receivers of a run. Each changes its mood at times chosen by
// the seed.
type targets struct {
	w     *world
	hosts []string
	days  map[string][]spell // by host
	posts map[string]int     // POSTs by target and event
}

type spell struct {
	from time.Time
	mood string
}

func newTargets(w *world, rnd *rand.Rand) *targets {
	t := &targets{w: w, days: map[string][]spell{}, posts: map[string]int{}}
	until := w.began.Add([]time.Duration{2 * time.Minute, 20 * time.Minute, 2 * time.Hour, 8 * time.Hour}[rnd.IntN(4)])
	for n := range 4 {
		host := fmt.Sprintf("https://t%d.example", n+1)
		t.hosts = append(t.hosts, host)
		at := w.began
		var days []spell
		for range 1 + rnd.IntN(4) {
			days = append(days, spell{at, moodNames[rnd.IntN(len(moodNames))]})
			at = at.Add([]time.Duration{10 * time.Second, time.Minute, 20 * time.Minute, 5 * time.Hour}[rnd.IntN(4)])
		}
		if rnd.IntN(5) > 0 {
			days = append(days, spell{at, "well"})
		}
		if w.weather.siege {
			days = []spell{{w.began, []string{"broken", "broken", "deaf", "busy"}[rnd.IntN(4)]}, {until, []string{"well", "flaky"}[rnd.IntN(2)]}}
		}
		if w.weather.crowd > 0 {
			days = []spell{{w.began, []string{"well", "flaky"}[rnd.IntN(2)]}}
		}
		t.days[host] = days
	}
	return t
}

func (t *targets) mood(host string, luck float64) mood {
	name := "deaf"
	for _, s := range t.days[host] {
		if !s.from.After(time.Now()) {
			name = s.mood
		}
	}
	m := moods[name]
	if len(m.mixture) > 0 {
		name = m.mixture[int(luck*float64(len(m.mixture)))]
		m = moods[name]
	}
	m.name = name
	return m
}

// Send simulates a POST from the process to the target and back.
func (t *targets) Send(ctx context.Context, p webhook.Post) webhook.Result {
	w, began := t.w, time.Now()
	limit := p.Timeout
	if limit <= 0 {
		limit = webhook.DefaultAttemptTimeout
	}
	process := processOf(ctx)
	attempt := w.ledger.begin(process, p, began)
	label := fmt.Sprintf("POST w%d/%s", about(attempt.key), w.ledger.name(p.Event.ID))
	about := w.ledger.about(about(attempt.key), p.Event.ID)
	fail := func(e webhook.AttemptError) webhook.Result {
		w.ledger.reportResult(attempt, false)
		w.wait(ctx, process, kindAnswer, about, label+": "+string(e))
		return webhook.Result{At: began, Duration: time.Since(began), Error: e, Interrupted: ctx.Err() != nil}
	}
	_, host, _ := strings.Cut(p.Webhook.TargetURL, "://")
	host, _, _ = strings.Cut(host, "/")
	v := w.wait(ctx, process, kindPost, about, label+" to "+host)
	w.mu.Lock()
	key := p.Webhook.TargetURL + string(p.Event.ID)
	t.posts[key]++
	luck := w.luck(key, fmt.Sprint(t.posts[key]))
	w.mu.Unlock()
	m := t.mood("https://"+host, luck(0))
	left := limit - time.Since(began)
	if v == failBefore {
		return fail(webhook.AttemptReset)
	}
	// A request may have arrived even though its sender stopped waiting.
	if m.deaf || left <= 0 && luck(1) < 0.5 {
		rest(ctx, left)
		return fail(webhook.AttemptTimeout)
	}
	w.ledger.saw(attempt, m)
	if v == dieAfter {
		w.wait(ctx, process, kindAnswer, about, "dead")
	}
	takes := m.quick + time.Duration(luck(2)*float64(m.late-m.quick))
	if takes > left {
		rest(ctx, left)
		return fail(webhook.AttemptTimeout)
	}
	rest(ctx, takes)
	if ctx.Err() != nil {
		return fail(webhook.AttemptTimeout)
	}
	if v == failAfter {
		return fail(webhook.AttemptReset)
	}
	result := webhook.Result{StatusCode: m.status, RetryAfter: m.wait}
	switch {
	case m.abort:
		result.Error = webhook.AttemptAborted
	case m.status > 299:
		result.Error = webhook.AttemptStatus
	}
	w.wait(ctx, process, kindAnswer, about, fmt.Sprintf("%s: %d", label, m.status))
	result.At, result.Duration = began, time.Since(began)
	w.ledger.reportResult(attempt, result.Error == webhook.AttemptOK)
	return result
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

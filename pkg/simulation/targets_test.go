package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
)

// mood is how a target responds for a while.
type mood struct {
	name   string
	status int
	quick  time.Duration // its latency is between quick and late
	late   time.Duration
	// wait returns the header Retry-After. nil: the response has no such header.
	wait    func(luck float64, now time.Time) string
	abort   bool
	deaf    bool   // requests never arrive
	drips   bool   // the body comes byte by byte
	closes  bool   // the connection ends after the response
	extra   string // more headers
	mixture []string
}

// asks returns a Retry-After of that many seconds, in any of its forms.
func asks(seconds int) func(float64, time.Time) string {
	return func(luck float64, now time.Time) string {
		switch {
		case luck < 0.5:
			return strconv.Itoa(seconds)
		case luck < 0.8:
			return now.Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
		case luck < 0.9:
			return now.Add(time.Duration(seconds) * time.Second).UTC().Format("Monday, 02-Jan-06 15:04:05 GMT")
		}
		return now.Add(time.Duration(seconds) * time.Second).UTC().Format(time.ANSIC)
	}
}

// babbles returns a Retry-After that asks for nothing, for too much, or in a form that
// few servers use.
func babbles(luck float64, now time.Time) string {
	const many = "99999999999999"
	forms := []string{"soon", "-5", "0", "89.5", "30, 120", "1e3", "", many, now.Add(time.Minute).UTC().Format(time.RFC3339), now.Add(-time.Hour).UTC().Format(http.TimeFormat), now.Add(240 * time.Hour).UTC().Format(http.TimeFormat)}
	return forms[int(luck*float64(len(forms)))]
}

var moods = map[string]mood{
	"well":      {status: 200, quick: 20 * time.Millisecond, late: 300 * time.Millisecond},
	"lazy":      {status: 200, quick: 400 * time.Millisecond, late: 1400 * time.Millisecond},
	"slow":      {status: 204, quick: 1400 * time.Millisecond, late: 6 * time.Second},
	"late":      {status: 200, quick: 28 * time.Second, late: 50 * time.Second},
	"broken":    {status: 500, quick: 5 * time.Millisecond, late: 200 * time.Millisecond},
	"busy":      {status: 503, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, wait: asks(90)},
	"overrun":   {status: 429, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, wait: asks(2400)},
	"strict":    {status: 401, quick: 5 * time.Millisecond, late: 100 * time.Millisecond},
	"gone":      {status: 410, quick: 5 * time.Millisecond, late: 100 * time.Millisecond},
	"parting":   {status: 410, quick: 500 * time.Millisecond, late: 4 * time.Second},
	"refusing":  {status: 400, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, abort: true},
	"deaf":      {deaf: true},
	"babbling":  {status: 503, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, wait: babbles},
	"boasting":  {status: 500, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, wait: asks(7200)}, // counts with 429 and 503 only
	"moved":     {status: 302, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, extra: "Location: http://t1.example/elsewhere\r\n"},
	"dripping":  {status: 200, quick: 20 * time.Millisecond, late: 300 * time.Millisecond, drips: true},
	"switching": {status: 101, quick: 5 * time.Millisecond, late: 100 * time.Millisecond, extra: "Connection: Upgrade\r\nUpgrade: nothing\r\n", closes: true},
	"curt":      {status: 202, quick: 20 * time.Millisecond, late: 300 * time.Millisecond, extra: "Connection: close\r\n", closes: true},
	"odd":       {mixture: []string{"moved", "dripping", "switching", "curt", "well"}},
	"flaky":     {mixture: []string{"well", "well", "broken"}},
	"dreadful":  {mixture: []string{"well", "late", "deaf", "busy", "slow", "broken"}},
	"uncertain": {mixture: []string{"well", "late", "slow"}},
}

var moodNames = []string{
	"well", "well", "well", "well", "well", "lazy", "slow", "late", "broken", "broken", "busy", "overrun", "strict", "gone", "refusing", "deaf",
	"flaky", "flaky", "dreadful", "uncertain", "uncertain", "babbling", "boasting", "odd", "curt",
}

// targets are all receivers of a run. Each changes its mood at times chosen by
// the seed.
type targets struct {
	w     *world
	hosts []string
	days  map[string][]spell // by host
	posts map[string]int     // POSTs by target and event
	// verify are the hosts that refuse a signature made with a secret they do not
	// know.
	verify map[string]bool
}

type spell struct {
	from time.Time
	mood string
}

func newTargets(w *world, rnd *rand.Rand) *targets {
	t := &targets{w: w, days: map[string][]spell{}, posts: map[string]int{}, verify: map[string]bool{}}
	until := w.began.Add([]time.Duration{2 * time.Minute, 20 * time.Minute, 2 * time.Hour, 8 * time.Hour}[rnd.IntN(4)])
	for n := range 4 {
		host := fmt.Sprintf("t%d.example", n+1)
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
		if w.weather.weeks && n == 0 {
			days = []spell{{w.began, []string{"broken", "busy", "moved", "strict"}[rnd.IntN(4)]}, {w.began.Add(time.Duration(110+rnd.IntN(90)) * time.Hour), "well"}}
		}
		if w.weather.flap {
			days = []spell{{w.began, []string{"gone", "parting", "parting", "broken", "flaky"}[rnd.IntN(5)]}, {w.began.Add(time.Minute), "well"}}
		}
		if w.weather.hog > 0 {
			days = []spell{{w.began, "well"}}
			if n == 0 {
				days = []spell{{w.began, []string{"broken", "deaf", "late"}[rnd.IntN(3)]}, {w.began.Add(time.Duration(rnd.IntN(120)) * time.Minute), "well"}}
			}
		}
		if w.weather.crowd > 0 {
			days = []spell{{w.began, []string{"well", "flaky"}[rnd.IntN(2)]}}
		}
		t.days[host] = days
		t.verify[host] = rnd.IntN(3) == 0
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

// verified returns how a target that verifies signatures responds: it refuses one
// that is not made with the secret it knows, which for a while after a change may be
// the old one or the new one.
func (t *targets) verified(m mood, host string, a *attempt, r ledger.Request) mood {
	if !t.verify[host] || m.status/100 != 2 {
		return m
	}
	known := t.w.witness.secretKnown(about(a.key), t.w.luck("switch", r.Target)(0))
	if known == "" || r.Signs(known) {
		return m
	}
	name := m.name
	m = moods["strict"]
	m.name = name + ", but knows another secret"
	return m
}

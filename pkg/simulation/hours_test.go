package simulation_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
)

// hourOf names an hour of a webhook's statistics.
type hourOf struct {
	hook hook
	from time.Time
}

func (k hourOf) String() string { return fmt.Sprintf("w%d at %s", k.hook, k.from.Format("02 15h")) }

// tallies are counts by hour.
type tallies map[hourOf]ledger.Hour

func (t tallies) add(k hourOf, h ledger.Hour) { t[k] = t[k].Plus(h) }

// hours is what the ledger knows of statistics.
type hours struct {
	stored    map[hourOf]statistics.Hour
	made      tallies                    // by all processes
	repeated  tallies                    // counted again by calls whose response was lost
	took      map[hourOf][]time.Duration // the attempts
	waited    map[hourOf][]time.Duration // the events that were delivered
	uncertain map[hook]bool              // a fault may have lost a count
	// unsure are webhooks of which a process may not know that a row of its own says
	// that the delivery has failed.
	unsure map[hook]bool
}

func newHours() hours {
	return hours{
		stored: map[hourOf]statistics.Hour{}, made: tallies{}, repeated: tallies{}, took: map[hourOf][]time.Duration{},
		waited: map[hourOf][]time.Duration{}, uncertain: map[hook]bool{}, unsure: map[hook]bool{},
	}
}

func hourAt(id hook, at time.Time) hourOf { return hourOf{id, at.UTC().Truncate(time.Hour)} }

func tallyOf(h statistics.Hour) ledger.Hour {
	return ledger.Hour{Attempts: h.Attempts, Delivered: h.Delivered, Failed: h.Failed}
}

// tried records an attempt that a process has the result of.
func (l *witness) tried(a *attempt, began time.Time, took time.Duration) {
	if off := began.Sub(a.began); off.Abs() > l.w.skew+time.Second && !a.inv.froze {
		l.w.violated("statistics", "an attempt of w%d is said to begin %s off", about(a.key), off)
	}
	k, h := hourAt(about(a.key), began), ledger.Hour{}.Tried(a.kind, a.stream != nil)
	if h.Attempts == 0 {
		return
	}
	l.noteMade(a.inv, k, h)
	l.hours.took[k] = append(l.hours.took[k], min(took, 100*time.Second))
	if a.kind == ledger.Accepted && a.round == 1 {
		l.hours.waited[k] = append(l.hours.waited[k], max(began.Add(took).Sub(a.key.Event.Time()), 0))
	}
}

// gaveUp records a row that says that its delivery has failed, by the last attempt.
func (l *witness) gaveUp(p *process, old, row delivery.Row) {
	if p == nil || row.Status != delivery.StatusFailed || row.AttemptCount == old.AttemptCount {
		return
	}
	k, h := hourAt(about(row.Key), row.Attempts[len(row.Attempts)-1].At), ledger.Hour{Failed: 1}
	l.noteMade(p.current, k, h)
}

func (l *witness) noteMade(inv *invocation, k hourOf, h ledger.Hour) {
	inv.made.add(k, h)
	l.hours.made.add(k, h)
	if inv.closed { // given up by its caller
		l.hours.uncertain[k.hook] = true
	}
}

// readHour reads a stored hour.
func (l *witness) readHour(ctx context.Context, k hourOf) (statistics.Hour, bool) {
	found, err := l.w.db.peek.Statistics().Hours(ctx, k.hook.tenant(), k.hook.id(), k.from, 1)
	if err != nil || len(found) != 1 || !found[0].From.Equal(k.from) {
		l.w.violated("store", "statistics of %s were written but cannot be read: %v", k, err)
		return statistics.Hour{}, false
	}
	return found[0], true
}

// hourWritten checks a write of statistics: it counts attempts that the call has made
// and not counted yet.
func (l *witness) hourWritten(ctx context.Context, k hourOf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w.doom.erased(k.hook.tenant()) {
		return // by a call that was under way; what is left expires
	}
	now, ok := l.readHour(ctx, k)
	p := processOf(ctx)
	if !ok || p == nil {
		return
	}
	inv, added := p.current, tallyOf(now).Minus(tallyOf(l.hours.stored[k]))
	if rest := inv.made[k].Minus(inv.counted[k]); !added.Within(rest) || added == (ledger.Hour{}) {
		l.w.violated("statistics", "%s adds %+v to the statistics of %s, but has made %+v", p.name, added, k, rest)
	}
	if n := now.Durations.Count(); n != now.Attempts || now.Lags.Count() > now.Delivered {
		l.w.violated("statistics", "those of %s have %d durations and %d lags of %d attempts, %d delivered", k, n, now.Lags.Count(), now.Attempts, now.Delivered)
	}
	if want := k.from.Add(time.Hour + rowLife); !now.ExpiresAt.Equal(want) {
		l.w.violated("retention", "statistics of %s are kept until %s, not %s", k, now.ExpiresAt, want)
	}
	inv.counted.add(k, added)
	l.hours.stored[k] = now
}

// hourRepeated records a write of statistics that the SDK repeated, which the ledger
// did not see.
func (l *witness) hourRepeated(ctx context.Context, k hourOf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.hours.stored[k]; !known || l.w.doom.erased(k.hook.tenant()) {
		return
	}
	now, _ := l.readHour(ctx, k)
	l.hours.repeated.add(k, tallyOf(now).Minus(tallyOf(l.hours.stored[k])))
	l.hours.stored[k] = now
}

// rowUnsure records that a process does not know whether its write of a row took effect.
func (l *witness) rowUnsure(id hook) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hours.unsure[id] = true
}

// checkCounted checks that a call has counted what it made.
func (l *witness) checkCounted(inv *invocation, trouble bool) {
	for k, made := range inv.made {
		if trouble || l.w.doom.erased(k.hook.tenant()) {
			l.hours.uncertain[k.hook] = true
			continue
		}
		if counted := inv.counted[k]; !l.agree(k, counted, made) {
			l.w.violated("statistics", "%s returned and has counted %+v of %s, but has made %+v", inv.process.name, counted, k, made)
		}
	}
}

// agree reports whether counts are what was made.
func (l *witness) agree(k hourOf, counted, made ledger.Hour) bool {
	if l.hours.unsure[k.hook] && counted.Failed < made.Failed {
		counted.Failed = made.Failed
	}
	return counted == made
}

// auditHours checks the statistics at the end of a run: they are exact, unless a fault
// lost a count or made a call count twice.
func (l *witness) auditHours() {
	for _, k := range slices.SortedFunc(maps.Keys(l.hours.made), func(a, b hourOf) int {
		return int(a.hook-b.hook)*1000 + int(a.from.Sub(b.from).Hours())
	}) {
		if l.w.doom.erased(k.hook.tenant()) {
			continue
		}
		stored, made := l.hours.stored[k], l.hours.made[k]
		counted := tallyOf(stored).Minus(l.hours.repeated[k])
		switch exact := l.agree(k, counted, made); {
		case !counted.Within(made), !exact && !l.hours.uncertain[k.hook]:
			l.w.violated("statistics", "those of %s say %+v, but it was %+v", k, counted, made)
		case exact && l.hours.repeated[k] == ledger.Hour{}:
			l.auditPercentiles(k, "durations", stored.Durations, l.hours.took[k])
			l.auditPercentiles(k, "lags", stored.Lags, l.hours.waited[k])
		}
	}
}

// auditPercentiles checks percentiles against all that they are about.
func (l *witness) auditPercentiles(k hourOf, what string, h statistics.Histogram, all []time.Duration) {
	slices.Sort(all)
	for _, share := range []float64{0.5, 0.95} {
		shown, ok := h.Percentile(share)
		if !ok && len(all) == 0 {
			continue
		}
		exact := time.Duration(-1)
		if len(all) > 0 {
			exact = all[int(math.Ceil(share*float64(len(all))))-1]
		}
		if !ok || float64(shown) < 0.8*float64(exact.Truncate(time.Millisecond)) || float64(shown) > 1.2*float64(exact) {
			l.w.violated("statistics", "%s of %s: the percentile %v of %d is %s, not %s", what, k, share, len(all), exact, shown)
		}
	}
}

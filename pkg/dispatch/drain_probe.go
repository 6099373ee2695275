package dispatch

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

const (
	// probeAhead is how early a probe's message may come: clocks differ, and messages
	// are delayed to the second.
	probeAhead = time.Minute
	// maxCandidates is how many rows a probe tries to lease. The index may still list
	// rows that are no longer parked.
	maxCandidates = 5
)

// probeParked makes the attempt of one parked row, as the probe of the breaker.
func (d *drain) probeParked(ctx context.Context, r delivery.Received) (done bool) {
	if !d.view.held() {
		return true // the process that closed the breaker has sent drains
	}
	if wait := d.view.breaker.ProbeAt.Sub(d.Now()); wait > 0 {
		return wait > probeAhead || d.postpone(ctx, r, wait)
	}
	leave, ok := d.enter(ctx, d.key, false)
	if !ok {
		return d.postpone(ctx, r, timeRetry)
	}
	defer leave()
	candidates := d.candidates(ctx)
	if len(candidates) == 0 {
		return true
	}
	_, taken, err := d.probe(ctx, d.view.webhook)
	if err != nil {
		d.warn(ctx, "cannot take probe", "error", err)
	}
	if taken == nil {
		return true
	}
	defer d.returnStep(ctx, d.key, taken)
	for _, row := range candidates {
		event, ok := d.event(ctx, row)
		if !ok {
			continue
		}
		m, a := d.request(row), d.view.attempt(event)
		a.probe = taken
		f := d.leased(ctx, m, a)
		d.bringBack(ctx, m, d.view.webhook, f)
		if f.leased || f.result != nil {
			break
		}
	}
	return true
}

// candidates returns the rows that may be the probe, the best one first, from the first
// page of every partition. An event that the target refuses although it is well has
// been attempted before, so the row with the fewest attempts says most about the
// target, and of those the oldest has waited longest.
func (d *drain) candidates(ctx context.Context) (found []delivery.ParkedRow) {
	for partition := range delivery.ParkedPartitions {
		rows, _, err := d.page(ctx, partition, "")
		if err != nil {
			break
		}
		found = append(found, rows...)
	}
	slices.SortFunc(found, func(a, b delivery.ParkedRow) int {
		return cmp.Or(cmp.Compare(a.AttemptCount, b.AttemptCount), cmp.Compare(a.Event, b.Event))
	})
	return found[:min(len(found), maxCandidates)]
}

package sweep

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	lookAhead = time.Minute // rows due within this are sent now, with a delay exact to the second
	// freshFor is how long after its time a row is fresh: two Runs meet it.
	freshFor = 2 * time.Minute
	// collectTime is how long fresh rows are collected. What is not read by then is
	// surplus.
	collectTime = 15 * time.Second
	pageSize    = 100
	// rowWorkers is how many calls of the stage are under way at a time. Half of them
	// begin with fresh rows, one for each shard, and half with the oldest.
	rowWorkers = 2 * delivery.DueShards
	// sendBatch is how many rows a worker claims before it sends their messages: as many
	// as a queue takes in one call.
	sendBatch = 10
	// sendTime is how long after a Run's end the messages of claimed rows may still be
	// sent.
	sendTime = 5 * time.Second
)

// dueRows is the stage of one Run that sends messages for due rows, or parks the rows of
// webhooks whose breaker is open.
//
// Half of the workers collect the fresh rows, those due from two minutes ago to a minute
// ahead, and send the first ones of each webhook in turns; so a webhook's due row does
// not wait for another's backlog. The other half sends the oldest rows, in order of time.
// Workers that have no rows left help the others, and in the end all send the fresh rows
// that had no turn.
//
// The bounds of all that are fixed when the Run begins, and each row is met once: the end
// of the stage depends neither on the clock nor on its own writes.
type dueRows struct {
	*Sweeper
	*minute
	gates   gates
	skips   skips
	began   time.Time
	horizon time.Time
	fresh   *turns
	old     *walk[delivery.DueRow]
	rest    *walk[delivery.DueRow]
}

// sendDue runs the stage.
func (s *Sweeper) sendDue(ctx context.Context, m *minute) error {
	began := s.Now()
	r := &dueRows{
		Sweeper: s, minute: m, began: began, horizon: began.Add(lookAhead), fresh: newTurns(),
		skips: skips{sweeper: s, what: "due rows"},
	}
	r.gates.init(s)
	bySweep := func(d delivery.DueRow) time.Time { return d.SweepAt }
	r.old = newWalk(pageSize, bySweep, r.readOld)
	r.old.await()
	r.rest = newWalk(pageSize, bySweep, r.readRest)
	go r.fresh.arrange()
	errs := make([]error, rowWorkers)
	var wg sync.WaitGroup
	for n := range rowWorkers {
		wg.Go(func() {
			errs[n] = guarded(func() error { return r.work(ctx, n) })
		})
	}
	wg.Wait()
	if <-r.fresh.ready; ctx.Err() != nil {
		errs = append(errs, ctx.Err())
	}
	return errors.Join(append(errs, r.old.err(), r.rest.err(), r.skips.err())...)
}

// work is what worker n does.
func (r *dueRows) work(ctx context.Context, n int) (err error) {
	sendOld := func() { r.sendPages(ctx, r.old) }
	if n < delivery.DueShards {
		err = r.collect(ctx, n)
		r.sendTurns(ctx)
		sendOld()
	} else {
		sendOld()
		r.sendTurns(ctx)
	}
	if ctx.Err() == nil && r.fresh.surplus { // the turns are ready, or ctx would have ended
		r.sendPages(ctx, r.rest)
	}
	return err
}

func (r *dueRows) sendTurns(ctx context.Context) {
	for batch := r.fresh.take(ctx, sendBatch); len(batch) > 0 && ctx.Err() == nil; batch = r.fresh.take(ctx, sendBatch) {
		r.process(ctx, batch)
	}
}

func (r *dueRows) sendPages(ctx context.Context, pages *walk[delivery.DueRow]) {
	for page := pages.next(ctx); len(page) > 0; page = pages.next(ctx) {
		if pages == r.rest {
			page = slices.DeleteFunc(page, func(d delivery.DueRow) bool { return r.fresh.has[d.Key] })
		}
		for len(page) > 0 && ctx.Err() == nil {
			n := min(len(page), sendBatch)
			r.process(ctx, page[:n])
			page = page[n:]
		}
	}
}

// collect reads the fresh rows of a shard. The first page is read from the beginning: it
// usually holds all that is due, and the rows in it that are not fresh are offered to the
// workers that send the oldest.
func (r *dueRows) collect(ctx context.Context, shard int) error {
	reading, cancel := context.WithTimeout(ctx, collectTime)
	defer cancel()
	begun, more := false, true
	defer func() {
		if !begun {
			r.old.offer(shard, nil, true)
		}
	}()
	var last delivery.DueRow
	next := func() (page []delivery.DueRow, err error) {
		page, err = r.Deliveries.Due(reading, shard, r.horizon, last, pageSize)
		if err = r.skips.readable(reading, err); err == nil {
			r.measure(page)
			if more = len(page) == pageSize; more {
				last = page[pageSize-1]
			}
		}
		return page, err
	}
	err := r.fresh.collect(func() ([]delivery.DueRow, error) {
		if !begun {
			page, err := next()
			if err != nil {
				return nil, err
			}
			begun = true
			old, fresh := r.split(page)
			if len(old) < pageSize {
				r.old.offer(shard, old, false)
				return fresh, nil
			}
			r.old.offer(shard, old, true)
			last = r.beforeFresh()
		}
		if !more {
			return nil, nil
		}
		return next()
	})
	if reading.Err() != nil && ctx.Err() == nil {
		return nil // there is more than can be read
	}
	return err
}

// split divides a page, which is in order of time, into rows that are no longer fresh
// and fresh ones.
func (r *dueRows) split(page []delivery.DueRow) (old, fresh []delivery.DueRow) {
	from, since := 0, r.beforeFresh().SweepAt
	for from < len(page) && !page[from].SweepAt.After(since) {
		from++
	}
	return page[:from:from], page[from:]
}

// beforeFresh is the place in a shard after which rows are fresh.
func (r *dueRows) beforeFresh() delivery.DueRow {
	return delivery.DueRow{SweepAt: r.began.Add(-freshFor)}
}

// readOld reads a page of the rows that are no longer fresh.
func (r *dueRows) readOld(ctx context.Context, shard int, last delivery.DueRow) ([]delivery.DueRow, error) {
	page, err := r.Deliveries.Due(ctx, shard, r.beforeFresh().SweepAt, last, pageSize)
	if err = r.skips.readable(ctx, err); err == nil {
		r.measure(page)
	}
	return page, err
}

// readRest reads a page of fresh rows.
func (r *dueRows) readRest(ctx context.Context, shard int, last delivery.DueRow) ([]delivery.DueRow, error) {
	if last == (delivery.DueRow{}) {
		last = r.beforeFresh()
	}
	page, err := r.Deliveries.Due(ctx, shard, r.horizon, last, pageSize)
	_, err = webhook.Readable(err) // those were counted when they were collected
	return page, err
}

package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Deliveries stores delivery rows; see delivery.Store.
//
// The row protocol is written down once, as the pure functions of package
// webhook. Every transition here applies such a function to the row as last
// read and puts the result on the condition that the row has not changed since.
// It compares ver, which every write increments, and created, which
// distinguishes the row from one that TTL removed and another writer created
// again. If the condition fails, DynamoDB returns the current row, and the
// function is applied to that one. Each transition therefore takes effect as
// one conditional write, and a refusal is always about the current row.
//
// Transitions differ only in how they begin, for reasons of cost:
//   - RecordFirst, and the lease and the parking of a first attempt, expect
//     no row and begin with the put: one write unit, no read.
//   - Other leases, those of rows seen parked among them, Claim and Defer begin
//     with an update that expresses the protocol's condition, slightly stricter:
//     one write, no read. The expression may refuse what the function grants,
//     never the reverse; the function then decides on the row that was returned.
//   - All others expect a row and begin with a read.
type Deliveries struct{ table }

// RecordFirst records a first attempt that was made without a lease.
func (s *Deliveries) RecordFirst(ctx context.Context, r delivery.RecordFirst) (delivery.Row, error) {
	return s.write(ctx, "record", r.Key, nil, r.Apply)
}

// Lease grants the right to make an attempt.
func (s *Deliveries) Lease(ctx context.Context, l delivery.Lease) (delivery.Row, error) {
	if l.Round == 1 && l.Attempt == 1 && !l.Parked && !l.Takeover {
		return s.write(ctx, "lease", l.Key, nil, l.Apply)
	}
	change, c := leaseUpdate(l, s.now())
	return s.tryUpdate(ctx, "lease", l.Key, change, c, l.Apply)
}

// Claim reserves a row for one sweep, which then sends its message.
func (s *Deliveries) Claim(ctx context.Context, cl delivery.Claim) (delivery.Row, error) {
	change, c := claimUpdate(cl, s.now())
	return s.tryUpdate(ctx, "claim", cl.Key, change, c, cl.Apply)
}

// Park makes an attempt wait for a drain.
func (s *Deliveries) Park(ctx context.Context, p delivery.Park) (delivery.Row, error) {
	if p.Round == 1 && p.Attempt == 1 {
		return s.write(ctx, "park", p.Key, nil, p.Apply)
	}
	return s.readAndWrite(ctx, "park", p.Key, p.Apply)
}

// Defer parks a due row.
func (s *Deliveries) Defer(ctx context.Context, d delivery.Defer) (delivery.Row, error) {
	change, c := deferUpdate(d, s.now())
	return s.tryUpdate(ctx, "defer", d.Key, change, c, d.Apply)
}

// Yield returns the lease of an attempt that its lane cut short.
func (s *Deliveries) Yield(ctx context.Context, y delivery.Yield) (delivery.Row, error) {
	return s.readAndWrite(ctx, "yield", y.Key, y.Apply)
}

// Finish records the outcome of a leased attempt.
func (s *Deliveries) Finish(ctx context.Context, f delivery.Finish) (delivery.Row, error) {
	return s.readAndWrite(ctx, "finish", f.Key, f.Apply)
}

// MarkDelivered records a success whose row was taken over in the meantime.
func (s *Deliveries) MarkDelivered(ctx context.Context, m delivery.MarkDelivered) (delivery.Row, error) {
	return s.readAndWrite(ctx, "mark delivered", m.Key, m.Apply)
}

// StartRound begins the next round.
func (s *Deliveries) StartRound(ctx context.Context, r delivery.StartRound) (delivery.Row, error) {
	return s.readAndWrite(ctx, "start round of", r.Key, r.Apply)
}

// End finishes a delivery without an attempt.
func (s *Deliveries) End(ctx context.Context, e delivery.End) (delivery.Row, error) {
	return s.readAndWrite(ctx, "end", e.Key, e.Apply)
}

// MakeDue turns an attempt into a row that the sweep finds.
func (s *Deliveries) MakeDue(ctx context.Context, m delivery.MakeDue) (delivery.Row, error) {
	return s.readAndWrite(ctx, "make due", m.Key, m.Apply)
}

type transition func(delivery.Row) (delivery.Row, bool)

func (s *Deliveries) readAndWrite(ctx context.Context, what string, key delivery.Key, apply transition) (delivery.Row, error) {
	existing, err := s.get(ctx, deliveryKey(key))
	if err != nil {
		return delivery.Row{}, wrap(err, "%s delivery %s", what, key.Event)
	}
	return s.write(ctx, what, key, existing, apply)
}

func (s *Deliveries) tryUpdate(ctx context.Context, what string, key delivery.Key, change string, c condition, apply transition) (delivery.Row, error) {
	it, ok, err := s.update(ctx, deliveryKey(key), change, c)
	if err != nil {
		return delivery.Row{}, wrap(err, "%s delivery %s", what, key.Event)
	}
	if !ok {
		return s.write(ctx, what, key, it, apply)
	}
	return decodeDelivery(it)
}

// write applies a transition to the current row (nil if there is none) until it
// is written or refused. Each retry follows another writer's success; after too
// many of those, write returns webhook.ErrUnavailable.
func (s *Deliveries) write(ctx context.Context, what string, key delivery.Key, existing item, apply transition) (row delivery.Row, err error) {
	try := func() error {
		row, existing, err = s.writeOver(ctx, existing, apply)
		return err
	}
	// The first try may be based on a guess (no row) or on a stale read; if it
	// fails, it has only fetched the current row and does not count.
	if overtaken(try()) {
		err = contention.Retry(ctx, s.random, overtaken, try)
	}
	if err != nil {
		err = fmt.Errorf("%s delivery %s: %w", what, key.Event, err)
	}
	return row, err
}

// writeOver applies a transition to the row assumed to be current and returns
// the resulting row. If another row has replaced it, writeOver returns that one
// with errOvertaken.
func (s *Deliveries) writeOver(ctx context.Context, existing item, apply transition) (delivery.Row, item, error) {
	row, err := s.row(existing)
	if err != nil {
		return delivery.Row{}, nil, err
	}
	next, granted := apply(row)
	if !granted {
		return row, nil, delivery.ErrRefused
	}
	it := encodeDelivery(next)
	c := absent
	if existing != nil {
		r := reader{item: existing}
		it[attrVer] = number(r.int64(attrVer) + 1)
		c = condition{
			text:   "ver = :ver AND created = :created",
			values: item{":ver": existing[attrVer], ":created": existing[attrCreated]},
		}
	}
	existing, ok, err := s.put(ctx, it, c)
	if err != nil {
		return delivery.Row{}, nil, wrap(err, "put")
	}
	if !ok {
		return delivery.Row{}, existing, errOvertaken
	}
	row, err = decodeDelivery(it)
	return row, nil, err
}

// row decodes an item. An absent or expired item is the zero row.
func (s *Deliveries) row(it item) (delivery.Row, error) {
	if it == nil || it.expired(s.now()) {
		return delivery.Row{}, nil
	}
	return decodeDelivery(it)
}

// Get returns a row.
func (s *Deliveries) Get(ctx context.Context, key delivery.Key) (delivery.Row, error) {
	it, err := s.get(ctx, deliveryKey(key))
	if err != nil {
		return delivery.Row{}, wrap(err, "get delivery %s", key.Event)
	}
	row, err := s.row(it)
	if err == nil && !row.Exists() {
		err = webhook.ErrNotFound
	}
	if errors.Is(err, webhook.ErrNotFound) {
		return delivery.Row{}, fmt.Errorf("get delivery %s: %w", key.Event, err)
	}
	return row, err
}

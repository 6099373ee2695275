package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// TestDeliveries_AgreeWithTheProtocol makes long random walks of transitions
// and compares the store with the pure functions of package webhook after each.
func TestDeliveries_AgreeWithTheProtocol(t *testing.T) {
	t.Parallel()
	client := local(t)
	base := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	tables := newTables(t, client)
	for seed := range uint64(24) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			now := base
			store := dynamo.New(client, tables, dynamo.Options{Now: func() time.Time { return now }, Random: webhooktest.Random(1)}).Deliveries()
			rnd := rand.New(rand.NewPCG(seed, 1))
			key := delivery.Key{Tenant: "Default", Webhook: 7, Event: webhook.FirstEventID(base.Add(time.Duration(seed) * time.Hour))}
			var model delivery.Row
			granted := 0
			for step := range 90 {
				now = now.Add(time.Duration(rnd.IntN(1500)) * time.Millisecond)
				name, apply, call := randomTransition(rnd, store, key, model, now)
				if !model.ExpiresAt.IsZero() && !model.ExpiresAt.After(now) {
					model = delivery.Row{}
				}
				want, ok := apply(model)
				got, err := call()
				if ok == errors.Is(err, delivery.ErrRefused) || err != nil && !errors.Is(err, delivery.ErrRefused) {
					t.Fatalf("step %d: %s of %+v: granted %v, store says %v", step, name, model, ok, err)
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("step %d: %s (granted %v) (-protocol +store):\n%s", step, name, ok, diff)
				}
				if ok {
					model = want
					granted++
				}
				if stored, err := store.Get(t.Context(), key); model.Exists() && (err != nil || !cmp.Equal(model, stored, cmpopts.EquateEmpty())) {
					t.Fatalf("step %d: after %s stored %+v, %v, want %+v", step, name, stored, err, model)
				}
			}
			if granted < 10 {
				t.Fatalf("only %d transitions were granted, too few for a meaningful walk", granted)
			}
		})
	}
}

// randomTransition draws a transition that has a fair chance of being granted.
func randomTransition(rnd *rand.Rand, store *dynamo.Deliveries, key delivery.Key, row delivery.Row, now time.Time) (string, func(delivery.Row) (delivery.Row, bool), func() (delivery.Row, error)) {
	ctx := context.Background()
	round, attempt := max(row.Round, 1)-rnd.IntN(4)/3, row.Attempt+rnd.IntN(2)
	lives := []time.Duration{time.Minute, time.Minute + 1, 20 * time.Second, 3 * time.Second, 700 * time.Millisecond}
	expires := now.Add(lives[rnd.IntN(len(lives))]).Truncate(time.Millisecond)
	if rnd.IntN(8) == 0 {
		expires = time.Time{}
	}
	seed := delivery.Seed{EventName: "contact.changed", PrimaryKey: 5, ExpiresAt: expires}
	outcome := delivery.Outcome{
		Attempt:  delivery.Attempt{Number: attempt, At: now, Duration: 123 * time.Millisecond, StatusCode: 500, Error: failure.Status},
		Response: "sorry", Status: delivery.StatusPending, NextAt: now.Add(time.Second), SweepAt: now.Add(2 * time.Second),
	}
	switch rnd.IntN(4) {
	case 0:
		outcome.Status, outcome.Response, outcome.NextAt, outcome.SweepAt = delivery.StatusDelivered, "", time.Time{}, time.Time{}
		outcome.Attempt.Error, outcome.Attempt.StatusCode = "", 204
	case 1:
		outcome.Status, outcome.Reason, outcome.NextAt, outcome.SweepAt = delivery.StatusFailed, "every attempt failed", time.Time{}, time.Time{}
	}
	tokens := []string{"x", "y"}
	token := tokens[rnd.IntN(2)]
	switch rnd.IntN(17) {
	case 0:
		r := delivery.RecordFirst{Key: key, Now: now, Seed: seed, Outcome: outcome}
		return "record", r.Apply, func() (delivery.Row, error) { return store.RecordFirst(ctx, r) }
	case 1:
		m := delivery.MarkDelivered{Key: key, Round: round, Now: now, Seed: seed, Attempt: outcome.Attempt, ExpiresAt: expires}
		return "mark", m.Apply, func() (delivery.Row, error) { return store.MarkDelivered(ctx, m) }
	case 2, 3:
		s := delivery.StartRound{Key: key, Seen: row.Status, Now: now, Due: now.Add(time.Second), SweepAt: now.Add(5 * time.Second), Seed: seed}
		if rnd.IntN(8) == 0 {
			s.Seen = delivery.StatusFailed
		}
		if rnd.IntN(2) == 0 {
			s.Job = tokens[rnd.IntN(2)]
		}
		return "start", s.Apply, func() (delivery.Row, error) { return store.StartRound(ctx, s) }
	case 4:
		e := delivery.End{Key: key, Round: round, Status: delivery.StatusCancelled, Reason: "stopped", Now: now, Seed: seed}
		return "end", e.Apply, func() (delivery.Row, error) { return store.End(ctx, e) }
	case 5:
		m := delivery.MakeDue{Key: key, Round: round, Attempt: attempt + rnd.IntN(2), Now: now, SweepAt: now.Add(time.Second), Seed: seed}
		return "make due", m.Apply, func() (delivery.Row, error) { return store.MakeDue(ctx, m) }
	case 6:
		c := delivery.Claim{Key: key, Seen: row.SweepAt, Next: now.Add(9 * time.Second), Now: now}
		if rnd.IntN(3) == 0 || c.Seen.IsZero() {
			c.Seen = now
		}
		return "claim", c.Apply, func() (delivery.Row, error) { return store.Claim(ctx, c) }
	case 12:
		p := delivery.Park{Key: key, Round: round, Attempt: attempt, Now: now, Net: now.Add(2 * time.Second), Seed: seed}
		return "park", p.Apply, func() (delivery.Row, error) { return store.Park(ctx, p) }
	case 13, 14:
		d := delivery.Defer{Key: key, Seen: row.SweepAt, Now: now, Net: now.Add(time.Duration(rnd.IntN(4)) * time.Second), ExpiresAt: expires}
		if rnd.IntN(3) == 0 || d.Seen.IsZero() {
			d.Seen = now
		}
		return "defer", d.Apply, func() (delivery.Row, error) { return store.Defer(ctx, d) }
	case 15:
		y := delivery.Yield{Key: key, Round: round, Attempt: row.Attempt, Token: row.LeaseBy, Now: now, SweepAt: now.Add(time.Second), ExpiresAt: expires, Cut: outcome.Attempt}
		return "yield", y.Apply, func() (delivery.Row, error) { return store.Yield(ctx, y) }
	case 7, 8:
		f := delivery.Finish{Key: key, Round: round, Attempt: row.Attempt, Token: token, Now: now, ExpiresAt: expires, Outcome: outcome}
		if rnd.IntN(2) == 0 {
			f.Token = row.LeaseBy
		}
		return "finish", f.Apply, func() (delivery.Row, error) { return store.Finish(ctx, f) }
	}
	l := delivery.Lease{Key: key, Round: round, Attempt: attempt, Token: token, Now: now, Until: now.Add(2 * time.Second), SweepAt: now.Add(time.Minute), Seed: seed, Parked: rnd.IntN(2) == 0}
	return "lease", l.Apply, func() (delivery.Row, error) { return store.Lease(ctx, l) }
}

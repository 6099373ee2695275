package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// transition is one write of the row protocol, for the model and for the store.
type transition struct {
	name  string
	model func(delivery.Row) (delivery.Row, bool)
	store func(ctx context.Context, d delivery.Store) (delivery.Row, error)
}

// testProtocol takes random walks through the row protocol, both in the store
// and in the pure functions that define it, and compares them after each write.
func testProtocol(t *testing.T, h Harness) {
	t.Run("every write does to the row what the protocol's function says", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant(t)
		start := now()
		expires := start.Add(33 * 24 * time.Hour).Truncate(time.Second)
		rapid.Check(t, func(rt *rapid.T) {
			key := newKey(t, tenant, 1+rapid.Int32Range(0, 40).Draw(rt, "webhook"))
			at, row := start, delivery.Row{}
			for step := range rapid.IntRange(1, 14).Draw(rt, "steps") {
				at = at.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "seconds")) * time.Second)
				x := drawTransition(rt, key, at, expires, row)
				want, ok := x.model(row)
				got, err := x.store(t.Context(), h.Deliveries)
				switch {
				case ok && err != nil:
					rt.Fatalf("step %d, %s on %s: got %v, want it granted", step, x.name, describe(row), err)
				case !ok && !errors.Is(err, delivery.ErrRefused):
					rt.Fatalf("step %d, %s on %s: got %v, want ErrRefused", step, x.name, describe(row), err)
				case !ok:
					want = row
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					rt.Fatalf("step %d, %s on %s (-want +got):\n%s", step, x.name, describe(row), diff)
				}
				row = want
			}
			stored, err := h.Deliveries.Get(t.Context(), key)
			if !row.Exists() {
				if !errors.Is(err, webhook.ErrNotFound) {
					rt.Fatalf("at the end: got %v, want ErrNotFound", err)
				}
				return
			}
			if diff := cmp.Diff(row, stored, cmpopts.EquateEmpty()); err != nil || diff != "" {
				rt.Fatalf("at the end: %v (-want +got):\n%s", err, diff)
			}
		})
	})
}

var statuses = []delivery.Status{delivery.StatusPending, delivery.StatusDelivered, delivery.StatusFailed}

func drawTransition(rt *rapid.T, key delivery.Key, at, expires time.Time, row delivery.Row) transition {
	// Close to the row's own state, so that conditions often hold or narrowly
	// fail.
	near := func(n, low int, name string) int { return max(low, n+rapid.IntRange(-1, 1).Draw(rt, name)) }
	round, attempt := near(max(row.Round, 1), 1, "round"), near(row.Attempt, 1, "attempt")
	token := rapid.SampledFrom([]string{"a", "b", row.LeaseBy}).Draw(rt, "token")
	if token == "" {
		token = "c"
	}
	seed := delivery.Seed{EventName: "contact.changed", PrimaryKey: 7, Replay: rapid.SampledFrom([]string{"", "job1"}).Draw(rt, "replay"), ExpiresAt: expires}
	later := at.Add(time.Duration(rapid.IntRange(1, 9000).Draw(rt, "later")) * time.Millisecond)
	tried := delivery.Attempt{
		Number: attempt, At: at, Duration: 5 * time.Millisecond, StatusCode: 500, Error: failure.Status,
		Sent: webhook.Sent{
			Revision: int64(rapid.SampledFrom([]int{0, 1, 1 << 40}).Draw(rt, "revision")), Body: rapid.SampledFrom([]string{"", webhook.BodyMark(nil)}).Draw(rt, "body"),
			Signer: rapid.SampledFrom([]webhook.Signer{webhook.SignerNone, webhook.SignerCurrent, webhook.SignerPrevious}).Draw(rt, "signer"),
			Both:   rapid.Bool().Draw(rt, "both"), Replay: rapid.Bool().Draw(rt, "marked as replay"),
		},
	}
	outcome := delivery.Outcome{Attempt: tried, Response: "no", Status: rapid.SampledFrom(statuses).Draw(rt, "status")}
	if outcome.Status == delivery.StatusPending {
		outcome.NextAt, outcome.SweepAt = later, later.Add(time.Minute)
	}
	if outcome.Status == delivery.StatusFailed {
		outcome.Reason = "every attempt failed"
	}
	switch kind := rapid.SampledFrom([]string{"Lease", "Lease", "Finish", "Finish", "RecordFirst", "MarkDelivered", "StartRound", "End", "MakeDue", "Claim", "Park", "Park", "Defer", "Yield"}).Draw(rt, "kind"); kind {
	case "Lease":
		x := delivery.Lease{Key: key, Round: round, Attempt: attempt, Token: token, Now: at, Until: later, SweepAt: later.Add(time.Minute), Seed: seed, Parked: rapid.Bool().Draw(rt, "seen parked")}
		return transition{fmt.Sprintf("%s %d/%d by %s", kind, round, attempt, token), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.Lease(ctx, x) }}
	case "Finish":
		x := delivery.Finish{Key: key, Round: round, Attempt: attempt, Token: token, Now: at, ExpiresAt: expires, Outcome: outcome}
		return transition{fmt.Sprintf("%s %d/%d by %s, %s", kind, round, attempt, token, outcome.Status), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.Finish(ctx, x) }}
	case "RecordFirst":
		x := delivery.RecordFirst{Key: key, Now: at, Seed: seed, Outcome: outcome}
		return transition{fmt.Sprintf("%s, %s", kind, outcome.Status), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) {
			return d.RecordFirst(ctx, x)
		}}
	case "MarkDelivered":
		tried.StatusCode, tried.Error = 200, failure.None
		x := delivery.MarkDelivered{Key: key, Round: round, Now: at, Seed: seed, Attempt: tried, Response: "ok", ExpiresAt: expires}
		return transition{fmt.Sprintf("%s %d/%d", kind, round, attempt), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) {
			return d.MarkDelivered(ctx, x)
		}}
	case "StartRound":
		seen := rapid.SampledFrom([]delivery.Status{row.Status, row.Status, row.Status, "", delivery.StatusFailed}).Draw(rt, "seen")
		x := delivery.StartRound{Key: key, Seen: seen, Now: at, Due: later, SweepAt: later.Add(time.Minute), Job: rapid.SampledFrom([]string{"", "job1", "job2"}).Draw(rt, "job"), Seed: seed}
		return transition{fmt.Sprintf("%s by job %q, seen %q", kind, x.Job, seen), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.StartRound(ctx, x) }}
	case "End":
		x := delivery.End{Key: key, Round: round, Status: delivery.StatusCancelled, Reason: "stopped", Now: at, Seed: seed}
		return transition{fmt.Sprintf("%s %d", kind, round), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.End(ctx, x) }}
	case "MakeDue":
		x := delivery.MakeDue{Key: key, Round: round, Attempt: attempt, Now: at, SweepAt: later, Seed: seed}
		return transition{fmt.Sprintf("%s %d/%d", kind, round, attempt), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.MakeDue(ctx, x) }}
	case "Yield":
		tried.Number, tried.StatusCode, tried.Error = 0, 0, failure.Timeout
		x := delivery.Yield{Key: key, Round: round, Attempt: attempt, Token: token, Now: at, SweepAt: later, ExpiresAt: expires, Cut: tried}
		return transition{fmt.Sprintf("%s %d/%d by %s", kind, round, attempt, token), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.Yield(ctx, x) }}
	case "Park":
		x := delivery.Park{Key: key, Round: round, Attempt: attempt, Now: at, Net: later, Seed: seed}
		return transition{fmt.Sprintf("%s %d/%d", kind, round, attempt), x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.Park(ctx, x) }}
	case "Defer":
		x := delivery.Defer{Key: key, Seen: rapid.SampledFrom([]time.Time{row.SweepAt, at}).Draw(rt, "seen"), Now: at, Net: later, ExpiresAt: expires}
		return transition{kind, x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.Defer(ctx, x) }}
	default:
		x := delivery.Claim{Key: key, Seen: rapid.SampledFrom([]time.Time{row.SweepAt, at}).Draw(rt, "seen"), Next: later, Now: at}
		return transition{kind, x.Apply, func(ctx context.Context, d delivery.Store) (delivery.Row, error) { return d.Claim(ctx, x) }}
	}
}

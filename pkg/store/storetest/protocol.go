package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
				keepsParked(rt, t, h, row, key, x.name)
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

// keepsParked checks that the index of parked rows has the row if it is parked, and not
// otherwise.
func keepsParked(rt *rapid.T, t *testing.T, h Harness, row delivery.Row, key delivery.Key, step string) {
	h.settle()
	partition, want := key.Event.Partition(delivery.ParkedPartitions), []delivery.ParkedRow(nil)
	if row.Parked {
		want = append(want, asParked(row))
	}
	page, err := h.Deliveries.Parked(t.Context(), webhook.Key{Tenant: key.Tenant, ID: key.Webhook}, partition, "", 10_000)
	page = slices.DeleteFunc(page, func(p delivery.ParkedRow) bool { return p.Key != key })
	if diff := cmp.Diff(want, page, cmpopts.EquateEmpty()); err != nil || diff != "" {
		rt.Fatalf("after %s the index of parked rows: %v (-want +got):\n%s", step, err, diff)
	}
}

var statuses = []delivery.Status{delivery.StatusPending, delivery.StatusDelivered, delivery.StatusFailed}

// drawn holds the arguments of a write of any kind.
type drawn struct {
	kind           string
	key            delivery.Key
	at, later      time.Time
	expires        time.Time
	round, attempt int
	token, job     string
	replay         string
	seen           time.Time       // SweepAt
	status         delivery.Status // as seen by StartRound
	outcome        delivery.Status
	sent           webhook.Sent
}

func drawTransition(rt *rapid.T, key delivery.Key, at, expires time.Time, row delivery.Row) transition {
	// Close to the row's own state, so that conditions often hold or narrowly
	// fail.
	near := func(n, low int, name string) int { return max(low, n+rapid.IntRange(-1, 1).Draw(rt, name)) }
	x := drawn{
		kind: rapid.SampledFrom([]string{
			"Lease", "Lease", "Lease, takeover", "Lease, seen parked", "Lease, seen parked", "Finish", "Finish", "RecordFirst", "MarkDelivered", "StartRound", "End", "End, seen", "MakeDue", "Claim", "Park", "Park", "Defer", "Yield",
		}).Draw(rt, "kind"),
		key: key, at: at, expires: expires, later: at.Add(time.Duration(rapid.IntRange(1, 9000).Draw(rt, "later")) * time.Millisecond),
		round: near(max(row.Round, 1), 1, "round"), attempt: near(row.Attempt, 1, "attempt"),
		token: rapid.SampledFrom([]string{"a", "b", row.LeaseBy}).Draw(rt, "token"), job: rapid.SampledFrom([]string{"", "job1", "job2"}).Draw(rt, "job"),
		replay:  rapid.SampledFrom([]string{"", "job1"}).Draw(rt, "replay"),
		seen:    rapid.SampledFrom([]time.Time{row.SweepAt, at}).Draw(rt, "seen"),
		status:  rapid.SampledFrom([]delivery.Status{row.Status, row.Status, row.Status, "", delivery.StatusFailed}).Draw(rt, "seen status"),
		outcome: rapid.SampledFrom(statuses).Draw(rt, "status"),
		sent: webhook.Sent{
			Revision: int64(rapid.SampledFrom([]int{0, 1, 1 << 40}).Draw(rt, "revision")), Body: rapid.SampledFrom([]string{"", webhook.BodyMark(nil)}).Draw(rt, "body"),
			Signer: rapid.SampledFrom([]webhook.Signer{webhook.SignerNone, webhook.SignerCurrent, webhook.SignerPrevious}).Draw(rt, "signer"),
			Both:   rapid.Bool().Draw(rt, "both"), Replay: rapid.Bool().Draw(rt, "marked as replay"),
		},
	}
	if x.token == "" {
		x.token = "c"
	}
	return x.transition()
}

// transition returns the write.
func (d drawn) transition() transition {
	seed := delivery.Seed{EventName: "contact.changed", PrimaryKey: 7, Replay: d.replay, ExpiresAt: d.expires}
	tried := delivery.Attempt{
		Round: 1 + d.attempt%2, Lane: []delivery.Lane{delivery.LaneFast, delivery.LaneQueue, delivery.LaneSlow}[d.attempt%3],
		Number: d.attempt, At: d.at, Duration: 5 * time.Millisecond, StatusCode: 500, Error: failure.Status, Sent: d.sent,
	}
	outcome := delivery.Outcome{Attempt: tried, Response: "no", Status: d.outcome}
	if d.outcome == delivery.StatusPending {
		outcome.NextAt, outcome.SweepAt = d.later, d.later.Add(time.Minute)
	}
	if d.outcome == delivery.StatusFailed {
		outcome.Reason = "every attempt failed"
	}
	name := fmt.Sprintf("%s %d/%d by %q", d.kind, d.round, d.attempt, d.token)
	switch d.kind {
	case "Lease", "Lease, takeover", "Lease, seen parked":
		x := delivery.Lease{Key: d.key, Round: d.round, Attempt: d.attempt, Token: d.token, Now: d.at, Until: d.later, SweepAt: d.later.Add(time.Minute), Seed: seed, Parked: d.kind == "Lease, seen parked", Takeover: d.kind == "Lease, takeover"}
		if x.Token == "" {
			x.Token = "t"
		}
		return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.Lease(ctx, x) }}
	case "Finish":
		x := delivery.Finish{Key: d.key, Round: d.round, Attempt: d.attempt, Token: d.token, Now: d.at, ExpiresAt: d.expires, Outcome: outcome}
		return transition{name + ", " + string(d.outcome), x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.Finish(ctx, x) }}
	case "RecordFirst":
		x := delivery.RecordFirst{Key: d.key, Now: d.at, Seed: seed, Outcome: outcome}
		return transition{name + ", " + string(d.outcome), x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.RecordFirst(ctx, x) }}
	case "MarkDelivered":
		tried.StatusCode, tried.Error = 200, failure.None
		x := delivery.MarkDelivered{Key: d.key, Round: d.round, Now: d.at, Seed: seed, Attempt: tried, Response: "ok", ExpiresAt: d.expires}
		return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.MarkDelivered(ctx, x) }}
	case "StartRound":
		x := delivery.StartRound{Key: d.key, Seen: d.status, Now: d.at, Due: d.later, SweepAt: d.later.Add(time.Minute), Job: d.job, Seed: seed}
		return transition{fmt.Sprintf("%s by job %q, seen %q", name, d.job, d.status), x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.StartRound(ctx, x) }}
	case "End", "End, seen":
		x := delivery.End{Key: d.key, Round: d.round, Status: delivery.StatusCancelled, Reason: "stopped", Seen: d.kind == "End, seen", Now: d.at, Seed: seed}
		return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.End(ctx, x) }}
	case "MakeDue":
		x := delivery.MakeDue{Key: d.key, Round: d.round, Attempt: d.attempt, Now: d.at, SweepAt: d.later, Seed: seed}
		return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.MakeDue(ctx, x) }}
	case "Yield":
		tried.Number, tried.StatusCode, tried.Error = 0, 0, failure.Timeout
		x := delivery.Yield{Key: d.key, Round: d.round, Attempt: d.attempt, Token: d.token, Now: d.at, SweepAt: d.later, ExpiresAt: d.expires, Cut: tried}
		return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.Yield(ctx, x) }}
	case "Park":
		x := delivery.Park{Key: d.key, Round: d.round, Attempt: d.attempt, Now: d.at, Net: d.later, Seed: seed}
		return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.Park(ctx, x) }}
	case "Defer":
		x := delivery.Defer{Key: d.key, Seen: d.seen, Now: d.at, Net: d.later, ExpiresAt: d.expires}
		return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.Defer(ctx, x) }}
	}
	x := delivery.Claim{Key: d.key, Seen: d.seen, Next: d.later, Now: d.at}
	return transition{name, x.Apply, func(ctx context.Context, s delivery.Store) (delivery.Row, error) { return s.Claim(ctx, x) }}
}

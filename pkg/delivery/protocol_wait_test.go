package delivery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var (
	waitStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	waitKey   = delivery.Key{Tenant: "Default", Webhook: 7, Event: "01234567-89ab-7fff-bfff-ffffffffffff"}
)

// waitingRow waits for attempt 4 of round 2, which has been due for a second.
func waitingRow() delivery.Row {
	return delivery.Row{
		Key: waitKey, Status: delivery.StatusPending, Round: 2, Attempt: 3, AttemptCount: 9, Resends: 5,
		NextAt: waitStart.Add(-time.Second), SweepAt: waitStart.Add(time.Minute),
	}
}

func parkedRow() delivery.Row {
	row := waitingRow()
	row.Parked, row.SweepAt, row.Resends = true, delivery.Net(waitStart, 0.5), 0
	return row
}

func TestNet(t *testing.T) {
	t.Parallel()
	for jitter, want := range map[float64]time.Duration{0: 40 * time.Hour, 0.5: 44 * time.Hour} {
		if got := delivery.Net(waitStart, jitter).Sub(waitStart); got != want {
			t.Errorf("jitter %v: got %v, want %v", jitter, got, want)
		}
	}
}

func TestPark(t *testing.T) {
	t.Parallel()
	net := waitStart.Add(41 * time.Hour)
	expires := waitStart.Add(30 * 24 * time.Hour)
	with := func(change func(*delivery.Row)) delivery.Row {
		row := waitingRow()
		change(&row)
		return row
	}
	ways := map[string]func(row delivery.Row) (delivery.Row, bool){
		"Park":  delivery.Park{Key: waitKey, Round: 2, Attempt: 4, Now: waitStart, Net: net, Seed: delivery.Seed{ExpiresAt: expires}}.Apply,
		"Defer": delivery.Defer{Key: waitKey, Seen: waitingRow().SweepAt, Now: waitStart, Net: net, ExpiresAt: expires}.Apply,
	}
	for name, apply := range ways {
		want := waitingRow()
		want.Parked, want.SweepAt, want.Resends, want.Updated, want.ExpiresAt = true, net, 0, waitStart, expires
		got, ok := apply(waitingRow())
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: granted %v (-want +got):\n%s", name, ok, diff)
		}
		for refused, row := range map[string]delivery.Row{
			"a row that is due later": with(func(r *delivery.Row) { r.NextAt = waitStart.Add(time.Millisecond) }),
			"a leased row":            with(func(r *delivery.Row) { r.LeaseBy, r.LeaseUntil = "t", waitStart.Add(-time.Hour) }),
			"a terminal row":          with(func(r *delivery.Row) { r.Status = delivery.StatusDelivered }),
		} {
			if got, ok := apply(row); ok || cmp.Diff(row, got) != "" {
				t.Errorf("%s of %s: granted %v, %+v", name, refused, ok, got)
			}
		}
	}
	for refused, row := range map[string]delivery.Row{
		"a parked row": parkedRow(), "a later attempt": with(func(r *delivery.Row) { r.Attempt = 4 }),
		"an earlier attempt": with(func(r *delivery.Row) { r.Attempt = 2 }), "another round": with(func(r *delivery.Row) { r.Round = 3 }), "no row": {},
	} {
		if got, ok := ways["Park"](row); ok || cmp.Diff(row, got) != "" {
			t.Errorf("Park of %s: granted %v, %+v", refused, ok, got)
		}
	}
	first := delivery.Park{Key: waitKey, Round: 1, Attempt: 1, Now: waitStart, Net: net, Seed: delivery.Seed{EventName: "contact.changed", ExpiresAt: expires}}
	got, ok := first.Apply(delivery.Row{})
	if !ok || !got.Parked || got.Attempt != 0 || !got.NextAt.Equal(waitStart) || !got.SweepAt.Equal(net) || got.EventName != "contact.changed" {
		t.Errorf("Park of a first attempt: %v, %+v", ok, got)
	}
	// The net of a row that surfaced through it is renewed.
	caught := parkedRow()
	again := delivery.Defer{Key: waitKey, Seen: caught.SweepAt, Now: caught.SweepAt, Net: caught.SweepAt.Add(40 * time.Hour)}
	if got, ok := again.Apply(caught); !ok || !got.Parked || !got.SweepAt.Equal(again.Net) {
		t.Errorf("Defer of a row in the net: %v, %+v", ok, got)
	}
}

// Whatever takes a row from where it is parked makes the sweep find it soon, or ends it.
func TestParkedRow_IsTaken(t *testing.T) {
	t.Parallel()
	now, soon := waitStart.Add(time.Hour), waitStart.Add(2*time.Hour)
	expires := waitStart.Add(30 * 24 * time.Hour)
	seed := delivery.Seed{ExpiresAt: expires}
	for name, apply := range map[string]func(delivery.Row) (delivery.Row, bool){
		"Lease":      delivery.Lease{Key: waitKey, Round: 2, Attempt: 4, Token: "t", Now: now, Until: now.Add(time.Minute), SweepAt: soon, Seed: seed}.Apply,
		"MakeDue":    delivery.MakeDue{Key: waitKey, Round: 2, Attempt: 4, Now: now, SweepAt: soon, Seed: seed}.Apply,
		"StartRound": delivery.StartRound{Key: waitKey, Seen: delivery.StatusPending, Now: now, Due: now, SweepAt: soon, Seed: seed}.Apply,
		"Claim":      delivery.Claim{Key: waitKey, Seen: parkedRow().SweepAt, Next: soon, Now: now}.Apply,
		"End":        delivery.End{Key: waitKey, Round: 2, Status: delivery.StatusCancelled, Now: now, Seed: seed}.Apply,
		"MarkDelivered": delivery.MarkDelivered{
			Key: waitKey, Round: 2, Now: now, Seed: seed, Attempt: delivery.Attempt{Number: 3, At: now, StatusCode: 200}, ExpiresAt: expires,
		}.Apply,
	} {
		got, ok := apply(parkedRow())
		if !ok || got.Parked || got.Status == delivery.StatusPending && !got.SweepAt.Equal(soon) || got.Status != delivery.StatusPending && !got.SweepAt.IsZero() {
			t.Errorf("%s: granted %v, parked %v, status %s, next sweep %v, want it at %v", name, ok, got.Parked, got.Status, got.SweepAt, soon)
		}
	}
	// The lease of a row that is not parked costs no index write.
	lease := delivery.Lease{Key: waitKey, Round: 2, Attempt: 4, Token: "t", Now: now, Until: now.Add(time.Minute), SweepAt: soon, Seed: seed, Parked: true}
	if got, ok := lease.Apply(waitingRow()); !ok || !got.SweepAt.Equal(waitingRow().SweepAt) {
		t.Errorf("Lease of a row that is not parked: %v, next sweep %v, want %v", ok, got.SweepAt, waitingRow().SweepAt)
	}
}

func TestYield(t *testing.T) {
	t.Parallel()
	leased := waitingRow()
	leased.Attempt, leased.LeaseBy, leased.LeaseUntil = 4, "t", waitStart.Add(time.Minute)
	cut := delivery.Attempt{Round: 2, Lane: delivery.LaneQueue, At: waitStart, Duration: 5 * time.Second, Error: failure.Timeout}
	y := delivery.Yield{Key: waitKey, Round: 2, Attempt: 4, Token: "t", Now: waitStart, SweepAt: waitStart.Add(5 * time.Minute), Cut: cut}
	want := waitingRow()
	want.Resends, want.SweepAt, want.Updated, want.Attempts = 0, y.SweepAt, waitStart, []delivery.Attempt{cut}
	got, ok := y.Apply(leased)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("granted %v (-want +got):\n%s", ok, diff)
	}
	for name, change := range map[string]func(*delivery.Row){
		"another's lease": func(r *delivery.Row) { r.LeaseBy = "u" }, "no lease": func(r *delivery.Row) { r.LeaseBy = "" },
		"another attempt": func(r *delivery.Row) { r.Attempt = 5 }, "another round": func(r *delivery.Row) { r.Round = 3 },
		"a terminal row": func(r *delivery.Row) { r.Status = delivery.StatusDelivered },
	} {
		row := leased
		change(&row)
		if got, ok := y.Apply(row); ok || cmp.Diff(row, got) != "" {
			t.Errorf("with %s: granted %v", name, ok)
		}
	}
}

// The message of an attempt that is parked by now is done: a drain makes the attempt.
func TestVerdict_OfAParkedRow(t *testing.T) {
	t.Parallel()
	row := parkedRow()
	if got := delivery.AttemptMessage(waitKey, 2, 4, "").Verdict(row, waitStart); got != delivery.VerdictOver {
		t.Errorf("the next attempt: %s, want %s", got, delivery.VerdictOver)
	}
	if got := delivery.AttemptMessage(waitKey, 3, 1, "").Verdict(row, waitStart); got != delivery.VerdictEarly {
		t.Errorf("a later round: %s, want %s", got, delivery.VerdictEarly)
	}
}

func TestTimer(t *testing.T) {
	t.Parallel()
	key := webhook.Key{Tenant: "Default", ID: 7}
	none, write := delivery.Timer{}.Ensured(key, waitStart)
	if want := (delivery.Timer{Key: key, DueAt: waitStart}); !write || none != want {
		t.Errorf("without a timer: write %v %+v, want %+v", write, none, want)
	}
	known := delivery.Timer{Key: key, DueAt: waitStart.Add(time.Hour), Version: 3, Width: 32}
	if got, write := known.Ensured(key, waitStart); write || got != known {
		t.Errorf("with a timer: write %v %+v, want nothing", write, got)
	}
	empty := known
	empty.EmptySince = waitStart.Add(-time.Minute)
	want := known
	want.DueAt = waitStart
	if got, write := empty.Ensured(key, waitStart); !write || got != want {
		t.Errorf("marked empty: write %v %+v, want %+v", write, got, want)
	}
	for since, removable := range map[time.Duration]bool{5*time.Minute - time.Millisecond: false, 5 * time.Minute: true} {
		empty.EmptySince = waitStart.Add(-since)
		if got := empty.Removable(waitStart); got != removable {
			t.Errorf("empty for %v: removable %v, want %v", since, got, removable)
		}
	}
	if known.Removable(waitStart) {
		t.Error("a timer that no look found empty is removable")
	}
	if got := known.Claimed(waitStart); !got.DueAt.Equal(waitStart.Add(time.Minute)) || got.Width != 32 {
		t.Errorf("claimed: %+v", got)
	}
}

func TestDrainMessage(t *testing.T) {
	t.Parallel()
	key := webhook.Key{Tenant: "Default", ID: 7}
	for _, m := range []delivery.Message{delivery.DrainMessage(key, 3, 64), delivery.ProbeMessage(key)} {
		got, err := delivery.DecodeMessage(delivery.EncodeMessage(m))
		if diff := cmp.Diff(m, got); err != nil || diff != "" {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	}
	for name, m := range map[string]delivery.Message{
		"no webhook":         delivery.DrainMessage(webhook.Key{Tenant: "Default"}, 0, 1),
		"no width":           delivery.DrainMessage(key, 0, 0),
		"no such partition":  delivery.DrainMessage(key, delivery.ParkedPartitions, 1),
		"no valid partition": delivery.DrainMessage(key, -1, 1),
	} {
		if _, err := delivery.DecodeMessage(delivery.EncodeMessage(m)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

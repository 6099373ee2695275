package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// Each condition of the row protocol, one row at a time. pkg/store/storetest checks
// that the stores perform these functions.
func TestProtocol_Conditions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := delivery.Key{Tenant: "Default", Webhook: 7, Event: "01234567-89ab-7fff-bfff-ffffffffffff"}
	absent := delivery.Row{}
	pending := func(round, attempt int) delivery.Row {
		return delivery.Row{Key: key, Status: delivery.StatusPending, Round: round, Attempt: attempt, SweepAt: now.Add(time.Minute)}
	}
	leased := func(round, attempt int, until time.Time) delivery.Row {
		d := pending(round, attempt)
		d.LeaseBy, d.LeaseUntil = "me", until
		return d
	}
	ended := func(round int, status delivery.Status) delivery.Row {
		return delivery.Row{Key: key, Status: status, Round: round, Attempt: 1}
	}
	live, over := now.Add(time.Second), now.Add(-time.Second)
	lease := func(round, attempt int) delivery.Lease {
		return delivery.Lease{Key: key, Round: round, Attempt: attempt, Token: "new", Now: now, Until: now.Add(40 * time.Second)}
	}
	finish := delivery.Finish{Key: key, Round: 1, Attempt: 2, Token: "me", Now: now, Outcome: delivery.Outcome{Status: delivery.StatusDelivered}}
	mark := delivery.MarkDelivered{Key: key, Round: 1, Now: now, Attempt: delivery.Attempt{Number: 1}}
	first := delivery.RecordFirst{Key: key, Now: now, Outcome: delivery.Outcome{Status: delivery.StatusDelivered}}
	round := func(seen delivery.Status) delivery.StartRound {
		return delivery.StartRound{Key: key, Seen: seen, Now: now, Due: now, Job: "job", SweepAt: now.Add(time.Minute)}
	}
	retry := delivery.StartRound{Key: key, Seen: delivery.StatusPending, Now: now, Due: now, SweepAt: now.Add(time.Minute)}
	end := delivery.End{Key: key, Round: 1, Status: delivery.StatusCancelled, Now: now}
	endSeen := delivery.End{Key: key, Round: 1, Status: delivery.StatusCancelled, Seen: true, Now: now}
	due := delivery.MakeDue{Key: key, Round: 1, Attempt: 2, Now: now, SweepAt: now}
	claim := delivery.Claim{Key: key, Seen: now.Add(time.Minute), Next: now.Add(time.Hour), Now: now}
	park := func(round, attempt int) delivery.Park {
		return delivery.Park{Key: key, Round: round, Attempt: attempt, Now: now, Net: now.Add(time.Hour)}
	}
	deferred := delivery.Defer{Key: key, Seen: now.Add(time.Minute), Now: now, Net: now.Add(time.Hour)}
	ofJob := func(d delivery.Row) delivery.Row { d.Replay = "job"; return d }

	type transition interface {
		Apply(delivery.Row) (delivery.Row, bool)
	}
	tests := []struct {
		name string
		do   transition
		row  delivery.Row
		want bool
	}{
		{"Lease: the first attempt creates the row", lease(1, 1), absent, true},
		{"Lease: a later attempt needs a row", lease(1, 2), absent, false},
		{"Lease: a later round needs a row", lease(2, 1), absent, false},
		{"Lease: the next attempt", lease(1, 2), pending(1, 1), true},
		{"Lease: not the attempt after the next", lease(1, 3), pending(1, 1), false},
		{"Lease: not an attempt that has ended", lease(1, 1), pending(1, 1), false},
		{"Lease: not while the previous attempt is leased", lease(1, 2), leased(1, 1, live), false},
		{"Lease: not after the lease of the previous attempt expired", lease(1, 2), leased(1, 1, over), false},
		{"Lease: takes over an expired lease", lease(1, 1), leased(1, 1, over), true},
		{"Lease: does not take over a live one", lease(1, 1), leased(1, 1, live), false},
		{"Lease: does not take over at the moment of expiry", lease(1, 1), leased(1, 1, now), false},
		{"Lease: another round", lease(1, 2), pending(2, 1), false},
		{"Lease: a terminal row", lease(1, 2), ended(1, delivery.StatusDelivered), false},
		{"Finish: by the holder", finish, leased(1, 2, live), true},
		{"Finish: by the holder of an expired lease that was not taken over", finish, leased(1, 2, over), true},
		{"Finish: not by another consumer", delivery.Finish{Key: key, Round: 1, Attempt: 2, Token: "you", Now: now}, leased(1, 2, live), false},
		{"Finish: not another attempt", finish, leased(1, 3, live), false},
		{"Finish: not another round", finish, leased(2, 2, live), false},
		{"Finish: not a terminal row", finish, ended(1, delivery.StatusDelivered), false},
		{"Finish: no row", finish, absent, false},
		{"RecordFirst: no row", first, absent, true},
		{"RecordFirst: any row", first, pending(1, 0), false},
		{"MarkDelivered: no row", mark, absent, true},
		{"MarkDelivered: leased by another consumer", mark, leased(1, 1, live), true},
		{"MarkDelivered: failed in the same round", mark, ended(1, delivery.StatusFailed), true},
		{"MarkDelivered: already delivered", mark, ended(1, delivery.StatusDelivered), false},
		{"MarkDelivered: a later round", mark, pending(2, 0), false},
		{"StartRound: no row", round(""), absent, true},
		{"StartRound: not if a row has been created since", round(""), ended(1, delivery.StatusDelivered), false},
		{"StartRound: not if the row has gone since", round(delivery.StatusFailed), absent, false},
		{"StartRound: a terminal row", round(delivery.StatusFailed), ended(1, delivery.StatusFailed), true},
		{"StartRound: not if it has been delivered since", round(delivery.StatusFailed), ended(1, delivery.StatusDelivered), false},
		{"StartRound: a pending row", retry, pending(1, 3), true},
		{"StartRound: not if the round has not begun", retry, pending(2, 0), false},
		{"StartRound: not under a live lease", retry, leased(1, 3, live), false},
		{"StartRound: after the lease of a first attempt expired", retry, leased(2, 1, over), true},
		{"StartRound: once per job", round(delivery.StatusDelivered), ofJob(ended(2, delivery.StatusDelivered)), false},
		{"StartRound: by hand after a job", delivery.StartRound{Key: key, Seen: delivery.StatusDelivered, Now: now}, ofJob(ended(2, delivery.StatusDelivered)), true},
		{"End: no row", end, absent, true},
		{"End: not if the row that was seen has gone since", endSeen, absent, false},
		{"End: a row that was seen", endSeen, pending(1, 2), true},
		{"End: a pending row", end, pending(1, 2), true},
		{"End: an expired lease", end, leased(1, 2, over), true},
		{"End: not under a live lease", end, leased(1, 2, live), false},
		{"End: not another round", end, pending(2, 1), false},
		{"End: not a terminal row", end, ended(1, delivery.StatusDelivered), false},
		{"MakeDue: no row", due, absent, true},
		{"MakeDue: at the attempt", due, pending(1, 2), true},
		{"MakeDue: before the attempt", due, pending(1, 1), true},
		{"MakeDue: past the attempt", due, pending(1, 3), false},
		{"MakeDue: another round", due, pending(2, 1), false},
		{"MakeDue: a terminal row", due, ended(1, delivery.StatusCancelled), false},
		{"Claim: as seen", claim, pending(1, 1), true},
		{"Claim: SweepAt has changed", delivery.Claim{Key: key, Seen: now, Next: now, Now: now}, pending(1, 1), false},
		{"Claim: a terminal row", claim, ended(1, delivery.StatusDelivered), false},
		{"Claim: no row", claim, absent, false},
		{"Park: the first attempt creates the row", park(1, 1), absent, true},
		{"Park: a later attempt needs a row", park(1, 2), absent, false},
		{"Park: a later round needs a row", park(2, 1), absent, false},
		{"Park: the next attempt", park(1, 2), pending(1, 1), true},
		{"Park: not an attempt that has ended", park(1, 1), pending(1, 1), false},
		{"Park: not the attempt after the next", park(1, 3), pending(1, 1), false},
		{"Park: not while the attempt is leased", park(1, 2), leased(1, 2, live), false},
		{"Park: not while the previous attempt is leased", park(1, 2), leased(1, 1, live), false},
		{"Park: not if the previous attempt was never finished", park(1, 2), leased(1, 1, over), false},
		{"Park: another round", park(1, 2), pending(2, 1), false},
		{"Park: a terminal row", park(1, 2), ended(1, delivery.StatusDelivered), false},
		{"Defer: as seen", deferred, pending(1, 1), true},
		{"Defer: SweepAt has changed", delivery.Defer{Key: key, Seen: now, Now: now, Net: now}, pending(1, 1), false},
		{"Defer: not under a live lease", deferred, leased(1, 1, live), false},
		{"Defer: not under an expired lease", deferred, leased(1, 1, over), false},
		{"Defer: a terminal row", deferred, ended(1, delivery.StatusDelivered), false},
		{"Defer: no row", deferred, absent, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := tt.do.Apply(tt.row)
			if ok != tt.want {
				t.Fatalf("got %v, want %v", ok, tt.want)
			}
			if !ok {
				return
			}
			if got.Key != key {
				t.Errorf("got key %v, want %v", got.Key, key)
			}
			if got.Status != delivery.StatusPending && (got.LeaseBy != "" || !got.LeaseUntil.IsZero() || !got.SweepAt.IsZero() || !got.NextAt.IsZero()) {
				t.Errorf("a terminal row has a lease or times: %+v", got)
			}
			if got.Status == delivery.StatusPending && got.SweepAt.IsZero() && tt.row.Exists() && !tt.row.SweepAt.IsZero() {
				t.Errorf("a pending row lost its SweepAt: %+v", got)
			}
		})
	}
}

func TestProtocol_AttemptsAndResponseAreCapped(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	row := delivery.Row{Status: delivery.StatusPending, Round: 1, Attempt: 1, LeaseBy: "me"}
	for n := 1; n <= delivery.MaxStoredAttempts+3; n++ {
		var ok bool
		row.Attempt, row.LeaseBy = n, "me"
		row, ok = delivery.Finish{Round: 1, Attempt: n, Token: "me", Now: now, Outcome: delivery.Outcome{
			Status: delivery.StatusPending, Attempt: delivery.Attempt{Number: n}, SweepAt: now, Response: strings.Repeat("ø", 300),
		}}.Apply(row)
		if !ok {
			t.Fatalf("attempt %d was refused", n)
		}
		if n == 1 && row.Response != strings.Repeat("ø", 256) {
			t.Errorf("got a response of %d bytes, want 512", len(row.Response))
		}
	}
	if len(row.Response) < 200 || len(row.Response) >= 512 {
		t.Errorf("got a response of %d bytes next to all attempts, want the room that they leave", len(row.Response))
	}
	if len(row.Attempts) != delivery.MaxStoredAttempts || row.AttemptCount != delivery.MaxStoredAttempts+3 || row.Attempts[0].Number != 4 {
		t.Errorf("got %d attempts, the first with number %d, and a count of %d", len(row.Attempts), row.Attempts[0].Number, row.AttemptCount)
	}
}

package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// What a row keeps of a response is what 1,024 bytes leave, less 280 for the rest of
// the row, 30 for each attempt and 110 while it is pending.
func TestRow_KeepsOfAResponseWhatThereIsRoomFor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ended := delivery.Outcome{Status: delivery.StatusFailed, Reason: strings.Repeat("r", 100), Response: strings.Repeat("x", 5000)}
	pending := delivery.Outcome{Status: delivery.StatusPending, Response: ended.Response, NextAt: now, SweepAt: now}
	wide := delivery.Seed{EventName: strings.Repeat("n", 60), Entity: strings.Repeat("e", 50), EventKey: strings.Repeat("k", 40), Replay: strings.Repeat("j", 36)}
	const rest, names = 1024 - 280 - len("Default"), 60 + 50 + 40 + 36
	for _, test := range []struct {
		name    string
		seed    delivery.Seed
		outcome delivery.Outcome
		attempt delivery.Attempt
		want    int
	}{
		{"the most", delivery.Seed{}, pending, delivery.Attempt{}, 512},
		{"an ended row", wide, ended, delivery.Attempt{}, rest - names - 100 - 30},
		{"an attempt's error and detail", wide, ended, delivery.Attempt{Error: failure.Timeout, Detail: failure.Detail(strings.Repeat("d", 20))}, rest - names - 100 - 30 - len(failure.Timeout) - 20},
		{"a pending row", wide, pending, delivery.Attempt{}, rest - names - 30 - 110},
		{"nothing is left", delivery.Seed{EventName: strings.Repeat("n", 800)}, pending, delivery.Attempt{}, 0},
	} {
		test.outcome.Attempt = test.attempt
		row, ok := delivery.RecordFirst{Key: delivery.Key{Tenant: "Default"}, Now: now, Seed: test.seed, Outcome: test.outcome}.Apply(delivery.Row{})
		if !ok || len(row.Response) != test.want {
			t.Errorf("%s: granted %v, %d bytes are kept, want %d", test.name, ok, len(row.Response), test.want)
		}
	}
}

func TestNewSeed_KeepsANameOfTheLimit(t *testing.T) {
	t.Parallel()
	for _, n := range []int{256, 257} {
		long := strings.Repeat("k", n)
		got := delivery.NewSeed(webhook.Event{Key: long}, "", nil, time.Time{}).EventKey
		if (got == long) != (n == 256) || len(got) != 256 {
			t.Errorf("of a key of %d bytes, %d are kept", n, len(got))
		}
	}
}

// What each transition sets, beyond whether it is granted.
func TestProtocol_Effects(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	soon, later := now.Add(time.Minute), now.Add(time.Hour)
	key := delivery.Key{Tenant: "Default", Webhook: 7}
	old := delivery.Row{
		Key: key, Status: delivery.StatusPending, Round: 3, Attempt: 2, LeaseBy: "me", LeaseUntil: soon, NextAt: soon, SweepAt: soon, Resends: 4, Created: now,
	}
	failed := old
	failed.Status, failed.LeaseBy, failed.Reason = delivery.StatusFailed, "", "every attempt failed"
	unleased := old
	unleased.LeaseBy, unleased.LeaseUntil = "", time.Time{}
	type want struct {
		round, attempt, resends int
		nextAt, sweepAt         time.Time
	}
	for _, test := range []struct {
		name string
		do   interface {
			Apply(delivery.Row) (delivery.Row, bool)
		}
		row  delivery.Row
		want want
	}{
		{"Finish: a retry is due when the outcome says", delivery.Finish{Key: key, Round: 3, Attempt: 2, Token: "me", Now: now, Outcome: delivery.Outcome{Status: delivery.StatusPending, NextAt: later, SweepAt: later.Add(1)}}, old, want{3, 2, 0, later, later.Add(1)}},
		{"Finish: an ended row is never due", delivery.Finish{Key: key, Round: 3, Attempt: 2, Token: "me", Now: now, Outcome: delivery.Outcome{Status: delivery.StatusDelivered, NextAt: later, SweepAt: later}}, old, want{3, 2, 0, time.Time{}, time.Time{}}},
		{"StartRound: the next round, before its first attempt", delivery.StartRound{Key: key, Seen: delivery.StatusFailed, Now: now, Due: soon, SweepAt: later}, failed, want{4, 0, 0, soon, later}},
		{"MakeDue: an absent row is before the attempt", delivery.MakeDue{Key: key, Round: 3, Attempt: 2, Now: now, SweepAt: later}, delivery.Row{}, want{3, 1, 1, later, later}},
		{"MakeDue: one more resend", delivery.MakeDue{Key: key, Round: 3, Attempt: 3, Now: now, SweepAt: later}, unleased, want{3, 2, 5, soon, later}},
		{"MakeDue: the attempt that the row is at", delivery.MakeDue{Key: key, Round: 3, Attempt: 2, Now: now, SweepAt: later}, old, want{3, 2, 5, soon, later}},
		{"Claim: one more resend", delivery.Claim{Key: key, Seen: soon, Next: later, Now: now}, unleased, want{3, 2, 5, soon, later}},
	} {
		row, ok := test.do.Apply(test.row)
		if got := (want{row.Round, row.Attempt, row.Resends, row.NextAt, row.SweepAt}); !ok || got != test.want {
			t.Errorf("%s: granted %v, the row has %+v, want %+v", test.name, ok, got, test.want)
		}
	}
}

package dynamo

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A delivery that succeeds at once costs one write unit, however long its names and
// its response are, and a first failure that is parked or leased again stays in one too.
func TestRow_FitsInOneWriteUnit(t *testing.T) {
	t.Parallel()
	wide := strings.Repeat("長", 256)
	long, entity := strings.Repeat("n", 200), strings.Repeat("長", 200)
	events := map[string]webhook.Event{
		"short names": {Name: "contact.changed", PrimaryKey: 7},
		"a long name": {Name: long, PrimaryKey: -2147483648},
		"a long key":  {Name: "order.placed", Key: strings.Repeat("k", 256)},
		"a wide key":  {Name: "order.placed", Key: wide},
		"all at once": {Name: long, PrimaryKey: -2147483648, Key: wide, Content: &webhook.Content{Entity: &entity}},
	}
	sent := webhook.Sent{Revision: 1_000_000, Body: webhook.BodyMark(nil), Signer: webhook.SignerCurrent, Both: true, Replay: true}
	for what, event := range events {
		event.Tenant, event.ID = webhook.Tenant(strings.Repeat("t", 64)), webhook.FirstEventID(tested)
		response := strings.Repeat("HTTP 200 OK, ", 400)
		seed := delivery.NewSeed(event, "", nil, tested.Add(800*24*time.Hour))
		key := delivery.Key{Tenant: event.Tenant, Webhook: 2147483647, Event: event.ID}
		attempt := delivery.Attempt{Round: 1, Lane: delivery.LaneFast, Number: 1, At: tested, Duration: 99 * time.Second, StatusCode: 200, Sent: sent}
		first := delivery.RecordFirst{Key: key, Now: tested, Seed: seed, Outcome: delivery.Outcome{Attempt: attempt, Response: response, Status: delivery.StatusDelivered}}
		row, _ := first.Apply(delivery.Row{})
		if n := encodeDelivery(row).size(); n > writeUnit-spareForRow {
			t.Errorf("%s: a success has %d bytes", what, n)
		} else {
			t.Logf("%s: %d bytes, %d of the response", what, n, len(row.Response))
		}
		if what == "short names" && len(row.Response) != 512 {
			t.Errorf("%s: %d bytes of the response are kept, want 512", what, len(row.Response))
		}
		if what == "all at once" {
			continue // without a response already larger, and not the common case
		}
		attempt.Error, attempt.StatusCode, first.Outcome.Status = failure.Status, 503, delivery.StatusPending
		first.Outcome.NextAt, first.Outcome.SweepAt, first.Outcome.Attempt = tested, tested, attempt
		row, _ = first.Apply(delivery.Row{})
		parked, ok := delivery.Park{Key: key, Round: 1, Attempt: 2, Now: tested, Net: tested, Seed: seed}.Apply(row)
		if n := encodeDelivery(parked).size(); !ok || n > writeUnit-spareForRow {
			t.Errorf("%s: a parked row has %d bytes (parked: %v)", what, n, ok)
		}
		row, ok = delivery.Lease{Key: key, Round: 1, Attempt: 2, Token: strings.Repeat("f", 24), Now: tested, Until: tested, Seed: seed}.Apply(row)
		if n := encodeDelivery(row).size(); !ok || n > writeUnit-spareForRow {
			t.Errorf("%s: a leased row has %d bytes (leased: %v)", what, n, ok)
		}
	}
}

// spareForRow is what a row leaves for members that the size of its names does not
// count.
const spareForRow = 24

// Older versions stored attempts without lane and round, and read those of this one.
func TestAttempt_OfOlderVersions(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]delivery.Attempt{
		"1 mabc 2s 200":                  {Number: 1, StatusCode: 200},
		"2 mabc 2s 0 tls unknown_issuer": {Number: 2, Error: failure.TLS, Detail: failure.UnknownIssuer},
		"1 mabc 2s 200   f":              {Number: 1, StatusCode: 200, Round: 1, Lane: delivery.LaneFast},
		"1 mabc 2s 503 status  q12":      {Number: 1, StatusCode: 503, Error: failure.Status, Round: 12, Lane: delivery.LaneQueue},
		"1 mabc 2s 0 tls wrong_name q":   {Number: 1, Error: failure.TLS, Detail: failure.WrongName, Round: 1, Lane: delivery.LaneQueue},
		"0 mabc 2s 0 fast_timeout  f":    {Error: failure.Fast, Round: 1, Lane: delivery.LaneFast},
		"1 mabc 2s 0 tls wrong_name 3":   {Number: 1, Error: failure.TLS, Detail: failure.WrongName, Round: 3},
	} {
		got, err := decodeAttempt(stored)
		if err != nil {
			t.Fatal(err)
		}
		again := encodeAttempt(got)
		got.At, got.Duration = time.Time{}, 0
		if got != want || again != stored {
			t.Errorf("%q is read as %+v and stored again as %q", stored, got, again)
		}
	}
	for _, stored := range []string{"1 mabc 2s 200   x", "1 mabc 2s 200   qx", "1 mabc 2s 200   ff1f"} {
		if _, err := decodeAttempt(stored); err == nil {
			t.Errorf("%q is read", stored)
		}
	}
}

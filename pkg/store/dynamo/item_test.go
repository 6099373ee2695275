package dynamo

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var tested = time.Date(2026, 11, 24, 10, 0, 0, 123_000_000, time.UTC)

// fill sets every member to a nonzero value, so that a member forgotten by the
// mapping is noticed.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(tested))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`{"a":1}`)))
		return
	case delivery.Lane: // stored by its first letter
		v.Set(reflect.ValueOf(delivery.LaneQueue))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	default: // integers
		v.SetInt(int64(5 * time.Millisecond))
		if v.Type().Size() < 8 {
			v.SetInt(5)
		}
	}
}

func TestItems_KeepEveryMember(t *testing.T) {
	t.Parallel()
	var w webhook.Webhook
	fill(reflect.ValueOf(&w).Elem())
	if got, err := decodeWebhook(encodeWebhook(w)); err != nil || !cmp.Equal(w, got) {
		t.Errorf("webhook: %v\n%s", err, cmp.Diff(w, got))
	}
	var replaced webhook.Replaced
	fill(reflect.ValueOf(&replaced).Elem())
	if got, err := decodeReplaced(encodeReplaced(replaced)); err != nil || !cmp.Equal(replaced, got) {
		t.Errorf("replaced webhook: %v\n%s", err, cmp.Diff(replaced, got))
	}
	var d delivery.Row
	fill(reflect.ValueOf(&d).Elem())
	d.Webhook = 12
	d.Attempts[0].Sent.Signer, d.Attempts[1].Sent = webhook.SignerPrevious, webhook.Sent{}
	it := encodeDelivery(d)
	if got, err := decodeDelivery(it); err != nil || !cmp.Equal(d, got) {
		t.Errorf("delivery: %v\n%s", err, cmp.Diff(d, got))
	}
	var h webhook.Health
	fill(reflect.ValueOf(&h).Elem())
	if id, got, err := decodeHealth(encodeHealth("Default", 12, h)); err != nil || id != 12 || !cmp.Equal(h, got) {
		t.Errorf("health: %v\n%s", err, cmp.Diff(h, got))
	}
	var plain webhook.Event
	fill(reflect.ValueOf(&plain).Elem())
	plain.ID, plain.At = webhook.FirstEventID(tested), tested.Add(700)
	full := plain // an event has data or content
	plain.Content, full.Data = nil, nil
	for _, e := range []webhook.Event{plain, full} {
		it, err := encodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeEvent(it); err != nil || !cmp.Equal(e, got) {
			t.Errorf("event: %v\n%s", err, cmp.Diff(e, got))
		}
	}
}

func TestItems_DistinguishAnEmptyListFromNone(t *testing.T) {
	t.Parallel()
	w := webhook.Webhook{Tenant: "Default", ID: 1, Headers: []webhook.Header{}, Events: []string{"a"}}
	got, err := decodeWebhook(encodeWebhook(w))
	if err != nil || !cmp.Equal(w, got) {
		t.Errorf("%v\n%s", err, cmp.Diff(w, got))
	}
}

func TestEvent_IsPackedOnlyWhereThatSavesAWriteUnit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data   string
		packed bool
	}{
		"below one unit it stays unpacked":            {`{"a":"` + strings.Repeat("b", 700) + `"}`, false},
		"above one unit and repetitive it is packed":  {`{"a":"` + strings.Repeat("b", 3000) + `"}`, true},
		"above one unit and incompressible it is not": {`{"a":"` + noise(1500) + `"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := webhook.Event{Tenant: "Default", ID: webhook.FirstEventID(tested), Name: "contact.changed", Data: json.RawMessage(c.data)}
			it, err := encodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, packed := it[attrPacked]; packed != c.packed {
				t.Errorf("packed %v, want %v", packed, c.packed)
			}
			if got, err := decodeEvent(it); err != nil || !cmp.Equal(e, got) {
				t.Errorf("%v\n%s", err, cmp.Diff(e, got))
			}
		})
	}
}

// noise returns printable characters that deflate can hardly compress.
func noise(n int) string {
	b := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x = x*1664525 + 1013904223
		b[i] = '#' + byte(x>>24)%90
		if b[i] == '\\' {
			b[i] = '!'
		}
	}
	return string(b)
}

func TestDelivery_FitsOneWriteUnitWithTwelveAttemptsAndAnAnswer(t *testing.T) {
	t.Parallel()
	d := delivery.Row{
		Key:       delivery.Key{Tenant: "Default", Webhook: 12, Event: webhook.FirstEventID(tested)},
		EventName: "contact.changed", PrimaryKey: 7, Status: delivery.StatusPending, Round: 1, Attempt: 9,
		NextAt: tested, SweepAt: tested, Created: tested, Updated: tested, ExpiresAt: tested,
		AttemptCount: 12, Response: strings.Repeat("x", 300),
	}
	for range 12 {
		d.Attempts = append(d.Attempts, delivery.Attempt{Number: 9, At: tested, Duration: 30 * time.Second, Error: failure.TLS, Detail: failure.UnknownIssuer})
	}
	d.Attempts[11].Sent = webhook.Sent{Revision: 12_345, Body: webhook.BodyMark(nil), Signer: webhook.SignerPrevious, Both: true, Replay: true}
	fitsOneWriteUnit(t, d)
}

// The common case is one write: a success on the first attempt, with the longest
// excerpt.
func TestDelivery_FitsOneWriteUnitWithASuccess(t *testing.T) {
	t.Parallel()
	fitsOneWriteUnit(t, delivery.Row{
		Key:       delivery.Key{Tenant: "Cust12345", Webhook: 1234, Event: webhook.FirstEventID(tested)},
		EventName: "quotealternative.changed", PrimaryKey: 1_234_567, Status: delivery.StatusDelivered, Round: 1, Attempt: 1,
		Created: tested, Updated: tested, ExpiresAt: tested, AttemptCount: 1, Response: strings.Repeat("x", 512),
		Attempts: []delivery.Attempt{{
			Number: 1, At: tested, Duration: 30 * time.Second, StatusCode: 200,
			Sent: webhook.Sent{Revision: 12_345, Body: webhook.BodyMark(nil), Signer: webhook.SignerPrevious, Both: true, Replay: true},
		}},
	})
}

func fitsOneWriteUnit(t *testing.T, d delivery.Row) {
	t.Helper()
	size := encodeDelivery(d).size()
	t.Logf("%d bytes", size)
	if size > writeUnit {
		t.Errorf("%d bytes, more than a write unit", size)
	}
}

package dispatch_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// fresh stores an event and passes it to Stream at once.
func (s *site) fresh() {
	s.t.Helper()
	s.earn()
	s.clock.Advance(time.Second)
	s.event = s.put("contact.changed")
	if failed := s.Stream(s.t.Context(), []webhook.Record{{Event: s.event, Accepted: s.clock.Now(), Sequence: "1"}}); failed != "" {
		s.t.Fatalf("the batch failed at %q", failed)
	}
}

// An attempt that is cut short in the fast lane writes nothing: its message brings it
// to the row.
func TestRow_HasTheAttemptThatWasCutShort(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{Duration: 1500 * time.Millisecond, Error: failure.Timeout}
	}
	s.fresh()
	at := s.clock.Now()
	if _, err := s.db.Deliveries().Get(t.Context(), s.key()); !errors.Is(err, webhook.ErrNotFound) {
		t.Fatalf("there is a row: %v", err)
	}
	got := s.receive()
	if len(got) != 1 || got[0].Message.Fast == nil {
		t.Fatalf("got %+v, want a message with the attempt", got)
	}
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{StatusCode: 500, Error: failure.Status}
	}
	s.consume(got[0].Message)
	want := []delivery.Attempt{
		{Round: 1, Lane: delivery.LaneFast, At: at, Duration: 1500 * time.Millisecond, Error: failure.Fast},
		{Round: 1, Lane: delivery.LaneQueue, Number: 1, At: s.clock.Now(), StatusCode: 500, Error: failure.Status, Sent: webhook.Sent{Revision: 1}},
	}
	if row := s.row(); cmp.Diff(want, row.Attempts) != "" || row.AttemptCount != 1 {
		t.Errorf("%d attempts are counted (-want +got):\n%s", row.AttemptCount, cmp.Diff(want, row.Attempts))
	}
	s.clock.Advance(time.Hour)
	second := false
	for _, r := range s.receive() {
		if r.Message.Attempt == 2 {
			second = r.Message.Fast == nil
		}
	}
	if !second {
		t.Error("there is no message for attempt 2, or it has the attempt that was cut short")
	}
}

// The response of a failure is kept as far as it is longer than the row has room for,
// in both lanes, and never that of a success.
func TestSettle_KeepsTheResponseOfAFailure(t *testing.T) {
	t.Parallel()
	long, short := "HTTP 500 No\n\n"+strings.Repeat("x", 3000), "HTTP 500 No\n\nshort"
	for name, tt := range map[string]struct {
		excerpt string
		status  int
		fault   error
		kept    bool
	}{
		"long":                       {long, 500, nil, true},
		"short":                      {short, 500, nil, false},
		"long success":               {long, 200, nil, false},
		"the store does not respond": {long, 500, webhook.ErrUnavailable, false},
	} {
		for _, lane := range []delivery.Lane{delivery.LaneFast, delivery.LaneQueue} {
			t.Run(name+" "+string(lane), func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.faults["PutResponse"] = tt.fault
				s.answer = func(webhook.Post) webhook.Result {
					r := webhook.Result{StatusCode: tt.status, Excerpt: tt.excerpt}
					if tt.status != 200 {
						r.Error = failure.Status
					}
					return r
				}
				if lane == delivery.LaneFast {
					s.fresh()
				} else if !s.consume(s.attempt(1, 1)) {
					t.Error("the message is not done")
				}
				row := s.row()
				if row.AttemptCount != 1 || row.Attempts[0].Lane != lane || row.Attempts[0].Round != 1 || !strings.HasPrefix(tt.excerpt, row.Response) || len(row.Response) < 18 {
					t.Errorf("got %+v", row)
				}
				got, err := s.db.Deliveries().Response(t.Context(), s.key())
				if (err == nil) != tt.kept || tt.kept && (got.Excerpt != long || !got.Of(row.Attempts[0]) || !got.ExpiresAt.Equal(row.ExpiresAt)) {
					t.Errorf("kept %d bytes of attempt %d at %s, %v", len(got.Excerpt), got.Number, got.At, err)
				}
			})
		}
	}
}

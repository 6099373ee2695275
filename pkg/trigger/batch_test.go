package trigger_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func answers(t *testing.T, h lambda.Handler, payload []byte) string {
	t.Helper()
	got, err := h.Invoke(t.Context(), payload)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(got)
}

func TestStream(t *testing.T) {
	t.Parallel()
	var names []string
	tests := []struct {
		name, event string
		failed      string
		panics      bool
		want        string
	}{
		{"no failed record is an empty list, not null", "deliver/two-events", "", false, `{"batchItemFailures":[]}`},
		{"a failed record is the checkpoint", "deliver/two-events", "100000000000000000002", false, `{"batchItemFailures":[{"itemIdentifier":"100000000000000000002"}]}`},
		{"a batch without events does not call the handler", "deliver/removal-only", "never", true, `{"batchItemFailures":[]}`},
		{"a panic is an ordinary failure", "deliver/two-events", "", true, "error: panic: boom"},
		{"an invalid batch is an error", "", "", false, "error: decode stream batch: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names = nil
			h := trigger.Stream(dynamo.DecodeStream, func(_ context.Context, records []webhook.Record) string {
				for _, r := range records {
					names = append(names, r.Event.Name)
				}
				if tt.panics {
					panic("boom")
				}
				return tt.failed
			}, quiet())
			payload := []byte("[")
			if tt.event != "" {
				payload = fixture(t, tt.event)
			}
			got := answers(t, h, payload)
			if len(got) < len(tt.want) || got[:len(tt.want)] != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if tt.event == "deliver/two-events" {
				if diff := cmp.Diff([]string{"contact.changed", "sale.created"}, names); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	message := delivery.Message{
		Kind: delivery.MessageAttempt, Tenant: "Default", Webhook: 1, Event: "019ca92d-4e00-7a31-8c54-2f1b0a9d7e01", Round: 1, Attempt: 2, Hops: 1,
	}
	const read, unread = "5d5f1c2e-8f3a-4d0e-9a57-0c8d1b6f2a01", "5d5f1c2e-8f3a-4d0e-9a57-0c8d1b6f2a02"
	tests := []struct {
		name, event string
		failed      []string
		received    []delivery.Received
		want        string
	}{
		{"no failed message is an empty list, not null", "retry/second-attempt", nil, []delivery.Received{
			{ID: read, Receipt: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", Receives: 1, Message: message},
		}, `{"batchItemFailures":[]}`},
		{"an invalid body is passed on, and failed messages are reported", "retry/unreadable", []string{unread}, []delivery.Received{
			{ID: unread, Receipt: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0b", Receives: 3, Undecodable: "no message"},
		}, `{"batchItemFailures":[{"itemIdentifier":"` + unread + `"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := trigger.Queue(func(_ context.Context, got []delivery.Received) []string {
				if diff := cmp.Diff(tt.received, got); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
				return tt.failed
			}, quiet())
			if got := answers(t, h, fixture(t, tt.event)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(context.Context) error
		want string
	}{
		{"done", func(context.Context) error { return nil }, "null"},
		{"an error fails the invocation", func(context.Context) error { return errors.New("incomplete") }, "error: incomplete"},
		{"so does a panic", func(context.Context) error { panic("boom") }, "error: panic: boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := answers(t, trigger.Schedule(tt.run, quiet()), fixture(t, "sweep/minute")); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestResumed_ReportsTheLastEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var slept []time.Duration
	h := trigger.Resumed(
		trigger.Schedule(func(context.Context) error { now = now.Add(time.Second); return nil }, quiet()),
		func() time.Time { return now },
		func(lastEnd, now time.Time) { slept = append(slept, now.Sub(lastEnd)) },
	)
	for _, pause := range []time.Duration{time.Hour, 5 * time.Second, time.Minute} {
		now = now.Add(pause)
		answers(t, h, nil)
	}
	if diff := cmp.Diff([]time.Duration{5 * time.Second, time.Minute}, slept); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}

package trigger_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

func TestIngest(t *testing.T) {
	t.Parallel()
	const first, second = "3a1c6e0e-6f0c-4b1d-8a3f-0d7c1b2e4f01", "3a1c6e0e-6f0c-4b1d-8a3f-0d7c1b2e4f02"
	bus, table := string(fixture(t, "ingest/order-placed")), string(fixture(t, "ingest/orders-table"))
	tests := []struct {
		name, payload string
		failed        []string
		want          string
		calls         []string
	}{
		{"messages of a queue", bus, nil, `{"batchItemFailures":[]}`, []string{"bus " + first, "bus " + second}},
		{"failed messages stay in the queue", bus, []string{second}, `{"batchItemFailures":[{"itemIdentifier":"` + second + `"}]}`, []string{"bus " + first, "bus " + second}},
		{"records of a stream", table, nil, `{"batchItemFailures":[]}`, []string{"change c4ca", "change c81e", "change eccb"}},
		{"a failed record is the checkpoint", table, []string{"7"}, `{"batchItemFailures":[{"itemIdentifier":"7"}]}`, []string{"change c4ca", "change c81e", "change eccb"}},
		{"records that are nothing", `{"Records":[7,{}]}`, nil, `{"batchItemFailures":[]}`, []string{"change", "change"}},
		{"no records", `{}`, nil, `{"batchItemFailures":[]}`, nil},
		{"not a batch", `[]`, nil, "error: decode ingest batch: json: cannot unmarshal array into Go value of type struct { Records []json.RawMessage \"json:\\\"Records\\\"\" }", nil},
		{"a panic is an ordinary failure", table, []string{"panic"}, "error: panic: boom", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls []string
			h := trigger.Ingest(func(_ context.Context, messages []source.Message) []string {
				for _, m := range messages {
					calls = append(calls, "bus "+m.ID)
					if want := time.UnixMilli(1772366400250); !m.Sent.Equal(want) {
						t.Errorf("sent %v, want %v", m.Sent, want)
					}
				}
				if e, err := source.ParseBus([]byte(messages[0].Body)); err != nil || e.DetailType != "Order Placed" {
					t.Errorf("got %+v, %v", e, err)
				}
				return tt.failed
			}, func(_ context.Context, records []json.RawMessage) string {
				if len(records) == 0 {
					t.Error("called without a record")
				}
				if len(tt.failed) > 0 && tt.failed[0] == "panic" {
					panic("boom")
				}
				for _, r := range records {
					c, _ := source.ParseChange(r)
					calls = append(calls, strings.TrimSpace("change "+c.ID[:min(4, len(c.ID))]))
				}
				return strings.Join(tt.failed, "")
			}, quiet())
			if got := answers(t, h, []byte(tt.payload)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if diff := cmp.Diff(tt.calls, calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIngest_LeavesTimeToReport(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Minute)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	h := trigger.Ingest(nil, func(ctx context.Context, _ []json.RawMessage) string {
		if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(end.Add(-5*time.Second)) {
			t.Errorf("the context ends at %v, the invocation at %v", deadline, end)
		}
		return ""
	}, quiet())
	if _, err := h.Invoke(ctx, fixture(t, "ingest/orders-table")); err != nil {
		t.Fatal(err)
	}
}

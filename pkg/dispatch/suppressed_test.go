package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// stream has the engine consume a batch of events with these primary keys.
func (s *site) stream(keys ...int32) {
	s.t.Helper()
	s.earn()
	var records []webhook.Record
	for i, key := range keys {
		s.clock.Advance(time.Millisecond)
		id, err := webhook.NewEventID(s.clock.Now(), webhooktest.Random(uint64(i)))
		s.must(err)
		e := webhook.Event{Tenant: tenant, ID: id, Name: "contact.changed", PrimaryKey: key, At: s.clock.Now()}
		records = append(records, webhook.Record{Event: e, Accepted: s.clock.Now(), Sequence: fmt.Sprint(i)})
	}
	if failed := s.Stream(s.t.Context(), records); failed != "" {
		s.t.Fatalf("the batch failed at %q", failed)
	}
}

// Events that a filter leaves out are counted in memory, and written together with the
// next attempt of their webhook: none of them causes a write.
func TestSuppressed_IsWrittenWithTheNextAttempt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change(func(w *webhook.Webhook) { w.Options.Filter = []byte(`{"PrimaryKey":[7]}`) })
	s.create(webhook.Webhook{ID: 2, Events: []string{"*"}})
	s.answer = func(webhook.Post) webhook.Result { return webhook.Result{StatusCode: 200} }
	writes := s.counted()
	s.stream(1, 2, 3)
	before := *writes
	if diff := cmp.Diff([]string{}, s.hours(1)); diff != "" {
		t.Errorf("without an attempt (-want +got):\n%s", diff)
	}
	s.stream(4, 7, 5)
	if diff := cmp.Diff([]string{"08: 1 attempts, 1 delivered, 0 failed, 0s, 5 suppressed, lag 1ms"}, s.hours(1)); diff != "" {
		t.Errorf("with one (-want +got):\n%s", diff)
	}
	s.stream(7)
	s.clock.Advance(time.Hour)
	s.stream(6, 7)
	if diff := cmp.Diff([]string{"08: 2 attempts, 2 delivered, 0 failed, 0s, 5 suppressed, lag 1ms", "09: 1 attempts, 1 delivered, 0 failed, 0s, 1 suppressed, lag 0s"}, s.hours(1)); diff != "" {
		t.Errorf("with more (-want +got):\n%s", diff)
	}
	if before != 0 {
		t.Errorf("%d writes of statistics for events that nothing was sent of", before)
	}
}

package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestStream_AStateEventGoesToSubscribersThatMaySeeTheWebhook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.hook = s.create(webhook.Webhook{ID: 9, App: "app1", Events: []string{"contact.changed"}})
	for id, w := range map[int32]webhook.Webhook{
		11: {Events: []string{"webhook.errors"}},
		12: {Events: []string{"Webhook.Errors", "webhook9.errors"}, App: "app1"},
		13: {Events: []string{"webhook.errors"}, App: "app2"},
		14: {Events: []string{"webhook9.errors"}},
		15: {Events: []string{"webhook9.errors"}, App: "app2"},
		16: {Events: []string{"webhook.stopped", "webhook8.errors", "webhook.*", "*"}},
	} {
		w.ID = id
		s.create(w)
	}
	s.answer = func(webhook.Post) webhook.Result {
		return webhook.Result{StatusCode: 410, Error: failure.Status}
	}
	if !s.consume(s.attempt(1, 1)) {
		t.Fatal("the message is not done")
	}
	now := s.clock.Now()
	page, err := s.db.Events().List(t.Context(), tenant, webhook.FirstEventID(now), webhook.FirstEventID(now.Add(time.Minute)), 10)
	if err != nil || len(page) != 1 || page[0].Name != "webhook9.errors" {
		t.Fatalf("got events %+v, %v", page, err)
	}
	if failed := s.Stream(t.Context(), []webhook.Record{{Event: page[0], Accepted: now, Sequence: "1"}}); failed != "" {
		t.Fatalf("failed at %q", failed)
	}
	var got []int32
	for _, m := range s.messages() {
		got = append(got, m.Webhook)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]int32{11, 12, 14}, got); diff != "" {
		t.Errorf("recipients (-want +got):\n%s", diff)
	}
}

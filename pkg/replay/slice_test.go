package replay_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// bench is an embedded store with a clock.
type bench struct {
	db     *embedded.DB
	clock  *webhooktest.Clock
	random io.Reader
}

func newBench(t *testing.T) *bench {
	t.Helper()
	clock := webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &bench{db, clock, webhooktest.Random(1)}
}

func TestRedispatchSlice_EnqueuesEachEventOfThePeriodOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	from, random := b.clock.Now().Add(-time.Hour), webhooktest.Random(1)
	put := func(tenant webhook.Tenant, at time.Time) webhook.EventID {
		id, err := webhook.NewEventID(at, random)
		if err == nil {
			err = b.db.Events().Put(t.Context(), webhook.Event{Tenant: tenant, ID: id, Name: "a.b", At: at})
		}
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	want := map[webhook.EventID]int{}
	for i := range 250 {
		want[put("Default", from.Add(time.Duration(i)*time.Millisecond))] = 1
	}
	put("Default", from.Add(-time.Millisecond))
	put("Default", from.Add(time.Minute))
	put("Other", from)
	j, err := job.New(job.Redispatch, "Default", webhook.Associate{}, b.clock.Now(), random)
	if err != nil {
		t.Fatal(err)
	}
	j.From, j.To = from, from.Add(time.Minute)
	if err := b.db.Jobs().Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	runner := job.Runner{
		Jobs: b.db.Jobs(), Slices: map[job.Kind]job.Slice{job.Redispatch: replay.RedispatchSlice(b.db.Events(), b.db.Queue())},
		Logger: webhooktest.Logger(t), Now: b.clock.Now,
	}
	runner.Run(t.Context(), []job.Job{j}, time.Minute, func(_ context.Context, _ string, err error) { t.Error(err) })
	got := map[webhook.EventID]int{}
	for {
		received, err := b.db.Queue().Receive(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(received) == 0 {
			break
		}
		for _, r := range received {
			m := r.Message
			if got[m.Event]++; m.Kind != delivery.MessageExpand || !m.Missing || m.Accepted.Before(from) || m.Tenant != "Default" {
				t.Errorf("got %+v, want the event's missing deliveries to be made as of its acceptance", m)
			}
			if err := b.db.Queue().Ack(t.Context(), []string{r.Receipt}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("enqueued events (-want +got):\n%s", diff)
	}
	if ended, err := b.db.Jobs().Get(t.Context(), j.ID); err != nil || ended.Status != job.Done || ended.Examined != 250 || ended.Processed != 250 {
		t.Errorf("got %+v, %v", ended, err)
	}
}

// An event may carry a time that is hours ahead, or days ago. A webhook activated since
// the event was stored does not get it, and one that was active then does.
func TestRedispatchSlice_AnEventCountsFromItsID(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{2 * time.Hour, -9 * 24 * time.Hour} {
		b := newBench(t)
		now := b.clock.Now()
		id, err := webhook.NewEventID(now, webhooktest.Random(1))
		if err == nil {
			err = b.db.Events().Put(t.Context(), webhook.Event{Tenant: "Default", ID: id, Name: "a.b", At: now.Add(ahead)})
		}
		if err != nil {
			t.Fatal(err)
		}
		j := job.Job{Tenant: "Default", From: now.Add(-time.Hour), To: now.Add(time.Hour), Status: job.Running}
		if _, err := replay.RedispatchSlice(b.db.Events(), b.db.Queue())(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		received, err := b.db.Queue().Receive(t.Context(), 10)
		if err != nil || len(received) != 1 {
			t.Fatalf("got %v, %v", received, err)
		}
		if got, want := received[0].Message.Accepted, now; !got.Equal(want) {
			t.Errorf("an event that happens in %v counts as accepted at %v, want %v", ahead, got, want)
		}
	}
}

// A queue that refuses messages leaves the job where it was.
func TestRedispatchSlice_DoesNotAdvanceIfMessagesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	run := replay.RedispatchSlice(b.db.Events(), refusing{})
	id, err := webhook.NewEventID(b.clock.Now(), webhooktest.Random(1))
	if err == nil {
		err = b.db.Events().Put(t.Context(), webhook.Event{Tenant: "Default", ID: id, Name: "a.b"})
	}
	if err != nil {
		t.Fatal(err)
	}
	j := job.Job{Tenant: "Default", From: b.clock.Now().Add(-time.Hour), To: b.clock.Now().Add(time.Hour), Status: job.Running}
	after, err := run(t.Context(), j)
	if !errors.Is(err, webhook.ErrUnavailable) || after != j {
		t.Errorf("got %+v, %v; want the job unchanged and the fault", after, err)
	}
}

type refusing struct{}

func (refusing) Send(_ context.Context, messages []delivery.Outgoing) ([]int, error) {
	return []int{len(messages) - 1}, nil
}

// unreadableEvents is a list without the events that cannot be read.
type unreadableEvents struct{ replay.EventList }

func (u unreadableEvents) List(ctx context.Context, tenant webhook.Tenant, first, last webhook.EventID, limit int) ([]webhook.Event, error) {
	page, err := u.EventList.List(ctx, tenant, first, last, limit)
	return page, errors.Join(err, &webhook.UnreadableError{Count: 1, Items: []string{"events x"}, Cause: errors.New("no JSON")})
}

func TestRedispatchSlice_SkipsUnreadableEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id, err := webhook.NewEventID(b.clock.Now(), strings.NewReader(strings.Repeat("x", 100)))
	if err == nil {
		err = b.db.Events().Put(t.Context(), webhook.Event{Tenant: "Default", ID: id, Name: "a.b"})
	}
	if err != nil {
		t.Fatal(err)
	}
	j := job.Job{Tenant: "Default", From: b.clock.Now().Add(-time.Hour), To: b.clock.Now().Add(time.Hour), Status: job.Running}
	after, err := replay.RedispatchSlice(unreadableEvents{b.db.Events()}, b.db.Queue())(t.Context(), j)
	if err != nil || after.Status != job.Done || after.Processed != 1 || !strings.Contains(after.Reason, "events x") {
		t.Errorf("got %+v, %v; want the other event enqueued and the unreadable one as the reason", after, err)
	}
}

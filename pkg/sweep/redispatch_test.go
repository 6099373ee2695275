package sweep_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func TestRedispatch_HandsOverEveryEventOfItsTimeOnce(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	b.sweeper.Runners[job.Redispatch] = sweep.Redispatch(b.db.Events(), b.db.Queue())
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
	if err := b.sweeper.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
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
			if got[m.Event]++; m.Kind != webhook.MessageExpand || !m.Missing || m.Accepted.Before(from) || m.Tenant != "Default" {
				t.Errorf("got %+v, want the event's missing deliveries made as of its own time", m)
			}
			if err := b.db.Queue().Ack(t.Context(), []string{r.Receipt}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events handed over (-want +got):\n%s", diff)
	}
	if ended := b.get(t, j.ID); ended.Status != job.Done || ended.Examined != 250 || ended.Created != 250 {
		t.Errorf("got %+v", ended)
	}
}

// A queue that takes nothing leaves the job where it was.
func TestRedispatch_GoesOnWhereItStood(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(1, 0))
	run := sweep.Redispatch(b.db.Events(), refusing{})
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
		t.Errorf("got %+v, %v; want the job as it was and the fault", after, err)
	}
}

type refusing struct{}

func (refusing) Send(_ context.Context, messages []webhook.Outgoing) ([]int, error) {
	return []int{len(messages) - 1}, nil
}

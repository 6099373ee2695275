package sweep_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/sweep"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// jobBench is a sweep over an embedded store whose jobs are run by run.
type jobBench struct {
	db      *embedded.DB
	clock   *webhooktest.Clock
	sweeper *sweep.Sweeper
}

func newJobBench(t *testing.T, run func(b *jobBench) job.Slice) *jobBench {
	t.Helper()
	b := &jobBench{clock: webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: b.clock.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b.db = db
	b.sweeper = sweep.New(sweep.Config{
		Deliveries: db.Deliveries(), Webhooks: db.Webhooks(), Events: db.Events(), Secrets: db.Secrets(), Messages: db.Queue(),
		DeadLetters: db.DeadLetters(), Logger: webhooktest.Logger(t), Now: b.clock.Now, RowLife: 33 * 24 * time.Hour,
		Jobs: db.Jobs(), Runners: map[job.Kind]job.Slice{job.Redispatch: run(b)},
	})
	return b
}

func (b *jobBench) start(t *testing.T) job.Job {
	t.Helper()
	j, err := job.New(job.Redispatch, "Default", webhook.Associate{}, b.clock.Now(), rand.Reader)
	if err == nil {
		err = b.db.Jobs().Create(t.Context(), j)
	}
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (b *jobBench) get(t *testing.T, id string) job.Job {
	t.Helper()
	j, err := b.db.Jobs().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// inSlices is a job of n slices, each of which takes a time.
func inSlices(n int, takes time.Duration) func(*jobBench) job.Slice {
	return func(b *jobBench) job.Slice {
		return func(_ context.Context, j job.Job) (job.Job, error) {
			b.clock.Advance(takes)
			j.Examined++
			if j.Cursor = fmt.Sprint(j.Examined); j.Examined == n {
				j.Status = job.Done
			}
			return j, nil
		}
	}
}

func TestRun_DoesJobsInSlicesOverSeveralMinutes(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, inSlices(20, 4*time.Second))
	first, second := b.start(t), b.start(t)
	began := b.clock.Now()
	if err := b.sweeper.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := b.clock.Now().Sub(began); took > 40*time.Second {
		t.Errorf("the first minute took %v: jobs must leave the next one its time", took)
	}
	for _, j := range []job.Job{first, second} {
		if got := b.get(t, j.ID); got.Status != job.Running || got.Examined != 4 || got.Cursor != "4" {
			t.Errorf("after a minute: %s at %q, want both jobs running after 4 slices each", got.Status, got.Cursor)
		}
	}
	for range 4 {
		if err := b.sweeper.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if one, two := b.get(t, first.ID), b.get(t, second.ID); one.Examined != 20 || one.Status != job.Done || two.Status != job.Done {
		t.Errorf("after five minutes: %s after %d slices, and %s", one.Status, one.Examined, two.Status)
	}
}

func TestRun_StopsWithAJobThatIsCancelled(t *testing.T) {
	t.Parallel()
	b := newJobBench(t, func(b *jobBench) job.Slice {
		return func(ctx context.Context, j job.Job) (job.Job, error) {
			if j.Examined++; j.Examined == 2 {
				if _, err := job.Cancel(ctx, b.db.Jobs(), j.ID, b.clock.Now, webhooktest.Random(1)); err != nil {
					return j, err
				}
			}
			return j, nil
		}
	})
	j := b.start(t)
	if err := b.sweeper.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.get(t, j.ID); got.Status != job.Cancelled || got.Examined != 1 {
		t.Errorf("got %s after %d slices, want it cancelled after the first that counts", got.Status, got.Examined)
	}
}

func TestRun_AJobThatFailsIsRetriedAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	calls := map[string]int{}
	b := newJobBench(t, func(*jobBench) job.Slice {
		return func(_ context.Context, j job.Job) (job.Job, error) {
			calls[j.ID]++
			switch {
			case j.Tenant == "Default" && calls[j.ID] == 1:
				return j, webhook.ErrUnavailable
			case j.Tenant == "Default" && calls[j.ID] == 2:
				panic("half way")
			}
			j.Status = job.Done
			return j, nil
		}
	})
	bad := b.start(t)
	good := job.Job{ID: "ffffffff-89ab-7fff-bfff-ffffffffffff", Kind: job.Redispatch, Tenant: "Other", Status: job.Running, Revision: 1}
	if err := b.db.Jobs().Create(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if err := b.sweeper.Run(t.Context()); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("the first minute: got %v, want the fault reported", err)
	}
	if got := b.get(t, good.ID); got.Status != job.Done {
		t.Errorf("the other job is %s", got.Status)
	}
	if err := b.sweeper.Run(t.Context()); err == nil {
		t.Error("the second minute: want the panic reported")
	}
	if err := b.sweeper.Run(t.Context()); err != nil {
		t.Errorf("the third minute: %v", err)
	}
	if got := b.get(t, bad.ID); got.Status != job.Done || calls[bad.ID] != 3 {
		t.Errorf("the job is %s after %d tries", got.Status, calls[bad.ID])
	}
}

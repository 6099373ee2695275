package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func newJob(t *testing.T, at time.Time) job.Job {
	t.Helper()
	j, err := job.New(job.Redispatch, newTenant(t), webhook.Associate{ID: 1, Name: "ØÅ", Type: "InternalAssociate"}, at, rand.Reader)
	must(t, err)
	j.From, j.To = at.Add(-time.Hour), at
	return j
}

// running returns those of the ids that Running lists, in its order.
func running(t *testing.T, h Harness, ids ...string) []string {
	t.Helper()
	all, err := h.Jobs.Running(t.Context(), 10_000)
	must(t, err)
	found := []string{}
	for _, j := range all {
		for _, id := range ids {
			if j.ID == id {
				found = append(found, id)
			}
		}
	}
	return found
}

func testJobs(t *testing.T, h Harness) {
	t.Run("Get returns what Create and Update stored", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, now())
		check := func() {
			t.Helper()
			got, err := h.Jobs.Get(t.Context(), j.ID)
			must(t, err)
			if diff := cmp.Diff(j, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		j.Webhook, j.Plan, j.NotBefore = 7, `{"Only":["Failed"]}`, now().Add(time.Minute)
		must(t, h.Jobs.Create(t.Context(), j))
		check()
		j.Cursor, j.Examined, j.Processed, j.Progress = "a#b", 7, 3, `{"Counts":[]}`
		j = j.Next(now().Add(time.Second))
		must(t, h.Jobs.Update(t.Context(), j))
		check()
		j.Status, j.Reason = job.Failed, "the tenant is gone"
		j = j.Next(now().Add(time.Minute))
		must(t, h.Jobs.Update(t.Context(), j))
		check()
	})
	t.Run("Get of an absent or expired job is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, now())
		if _, err := h.Jobs.Get(t.Context(), j.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("absent: got %v", err)
		}
		must(t, h.Jobs.Create(t.Context(), j))
		j.Status = job.Done
		j = j.Next(now().Add(-2 * job.Life))
		must(t, h.Jobs.Update(t.Context(), j))
		if _, err := h.Jobs.Get(t.Context(), j.ID); !errors.Is(err, webhook.ErrNotFound) {
			t.Errorf("expired: got %v", err)
		}
	})
	t.Run("Create of a running job's id is ErrExists and changes nothing", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, now())
		must(t, h.Jobs.Create(t.Context(), j))
		second := j
		second.Kind = job.DeleteTenant
		if err := h.Jobs.Create(t.Context(), second); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("got %v, want ErrExists", err)
		}
		got, err := h.Jobs.Get(t.Context(), j.ID)
		must(t, err)
		if got.Kind != j.Kind {
			t.Errorf("got kind %s", got.Kind)
		}
	})
	t.Run("a webhook has one running job, which Create names", func(t *testing.T) {
		t.Parallel()
		first := newJob(t, now())
		first.Webhook = 7
		next := func(id int32) job.Job {
			j := first
			j.ID, j.Webhook = newJob(t, now()).ID, id
			return j
		}
		must(t, h.Jobs.Create(t.Context(), first))
		must(t, h.Jobs.Create(t.Context(), next(8)))
		var busy *job.BusyError
		if err := h.Jobs.Create(t.Context(), next(7)); !errors.As(err, &busy) || busy.Running != first.ID || !errors.Is(err, webhook.ErrExists) {
			t.Errorf("while one runs: got %v", err)
		}
		if err := h.Jobs.Create(t.Context(), first); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("the same job: got %v", err)
		}
		ended := first
		ended.Status = job.Cancelled
		must(t, h.Jobs.Update(t.Context(), ended.Next(now())))
		if won := atOnce(t, 4, func(int) error { return h.Jobs.Create(t.Context(), next(7)) }, webhook.ErrExists); won != 1 {
			t.Errorf("%d of 4 concurrent calls created a job after the first had ended, want 1", won)
		}
	})
	t.Run("CreateWith stores a webhook and its first job, or neither", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, now())
		j.Webhook = 7
		w := bareWebhook(j.Tenant, 7, "a.b")
		create := func(h webhook.Webhooks) error { return h.(job.Founder).CreateWith(t.Context(), w, j) }
		must(t, create(h.Webhooks))
		if _, err := h.Webhooks.Get(t.Context(), j.Tenant, 7); err != nil {
			t.Errorf("the webhook: %v", err)
		}
		if got, err := h.Jobs.OfWebhook(t.Context(), j.Tenant, 7, 2); err != nil || cmp.Diff([]job.Job{j}, got) != "" {
			t.Errorf("the jobs: got %+v, %v", got, err)
		}
		var busy *job.BusyError
		second := j
		second.ID = newJob(t, now()).ID
		if err := h.Jobs.Create(t.Context(), second); !errors.As(err, &busy) || busy.Running != j.ID {
			t.Errorf("a second job: got %v", err)
		}
		taken := j
		j.ID = newJob(t, now()).ID
		if err := create(h.Webhooks); !errors.Is(err, webhook.ErrExists) {
			t.Errorf("the same id again: got %v", err)
		}
		w.ID, j.Webhook = 8, 8
		var full *webhook.LimitError
		if err := create(h.Limited(1)); !errors.As(err, &full) {
			t.Errorf("over the limit: got %v", err)
		}
		if found := running(t, h, taken.ID, j.ID); len(found) != 1 {
			t.Errorf("running: %v, want the first", found)
		}
	})
	t.Run("OfWebhook returns the jobs of a webhook, running or ended, newest first", func(t *testing.T) {
		t.Parallel()
		start, tenant := now(), newTenant(t)
		of := func(id int32, i int) job.Job {
			j := newJob(t, start.Add(time.Duration(i)*time.Second))
			j.Tenant, j.Webhook = tenant, id
			must(t, h.Jobs.Create(t.Context(), j))
			return j
		}
		end := func(j job.Job, at time.Time) job.Job {
			j.Status = job.Done
			j = j.Next(at)
			must(t, h.Jobs.Update(t.Context(), j))
			return j
		}
		end(of(7, 0), now().Add(-2*job.Life)) // has expired
		want := []job.Job{end(of(7, 1), now()), end(of(7, 2), now()), of(7, 3)}
		slices.Reverse(want)
		of(71, 4)
		for _, limit := range []int{2, 3, 100} {
			got, err := h.Jobs.OfWebhook(t.Context(), tenant, 7, limit)
			must(t, err)
			if diff := cmp.Diff(want[:min(limit, 3)], got); diff != "" {
				t.Errorf("limit %d (-want +got):\n%s", limit, diff)
			}
		}
		if got, err := h.Jobs.OfWebhook(t.Context(), newTenant(t), 7, 10); err != nil || len(got) != 0 {
			t.Errorf("another tenant's: got %d jobs, %v", len(got), err)
		}
	})
	t.Run("Running returns the running jobs, oldest first", func(t *testing.T) {
		t.Parallel()
		start := now()
		third, first, second := newJob(t, start.Add(2*time.Second)), newJob(t, start), newJob(t, start.Add(time.Second))
		for _, j := range []job.Job{third, first, second} {
			must(t, h.Jobs.Create(t.Context(), j))
		}
		ended := second
		ended.Status = job.Cancelled
		must(t, h.Jobs.Update(t.Context(), ended.Next(now())))
		if diff := cmp.Diff([]string{first.ID, third.ID}, running(t, h, first.ID, second.ID, third.ID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if page, err := h.Jobs.Running(t.Context(), 1); err != nil || len(page) != 1 {
			t.Errorf("a limit of 1: got %d jobs, %v", len(page), err)
		}
	})
	t.Run("Update of another revision is ErrConflict and changes nothing", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, now())
		must(t, h.Jobs.Create(t.Context(), j))
		moved := j
		moved.Cursor = "moved"
		moved = moved.Next(now())
		must(t, h.Jobs.Update(t.Context(), moved))
		for _, status := range []job.Status{job.Running, job.Done} {
			late := j
			late.Status, late.Cursor = status, "late"
			if err := h.Jobs.Update(t.Context(), late.Next(now())); !errors.Is(err, webhook.ErrConflict) {
				t.Errorf("to %s: got %v, want ErrConflict", status, err)
			}
		}
		got, err := h.Jobs.Get(t.Context(), j.ID)
		must(t, err)
		if diff := cmp.Diff(moved, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("an ended job does not change", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, now())
		must(t, h.Jobs.Create(t.Context(), j))
		j.Status = job.Cancelled
		j = j.Next(now())
		must(t, h.Jobs.Update(t.Context(), j))
		for _, status := range []job.Status{job.Running, job.Done} {
			late := j
			late.Status = status
			if err := h.Jobs.Update(t.Context(), late.Next(now())); !errors.Is(err, webhook.ErrConflict) {
				t.Errorf("to %s: got %v, want ErrConflict", status, err)
			}
		}
		if found := running(t, h, j.ID); len(found) > 0 {
			t.Error("the job runs again")
		}
	})
	t.Run("Update of an absent job is ErrNotFound", func(t *testing.T) {
		t.Parallel()
		for _, status := range []job.Status{job.Running, job.Done} {
			j := newJob(t, now())
			j.Status = status
			if err := h.Jobs.Update(t.Context(), j.Next(now())); !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("to %s: got %v, want ErrNotFound", status, err)
			}
		}
	})
	t.Run("only one of many slices from one cursor counts, and a cancelled job is not revived", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, now())
		must(t, h.Jobs.Create(t.Context(), j))
		won := atOnce(t, 8, func(int) error {
			next := j
			next.Examined++
			return h.Jobs.Update(t.Context(), next.Next(now()))
		}, webhook.ErrConflict)
		got, err := h.Jobs.Get(t.Context(), j.ID)
		must(t, err)
		if won != 1 || got.Examined != 1 {
			t.Errorf("%d slices won and %d were counted, want 1", won, got.Examined)
		}
		atOnce(t, 2, func(i int) error {
			if i == 0 {
				_, err := job.Cancel(t.Context(), h.Jobs, j.ID, now, rand.Reader)
				return err
			}
			return advanceUntilEnded(t.Context(), h.Jobs, j.ID)
		})
		if got, err = h.Jobs.Get(t.Context(), j.ID); err != nil || got.Status != job.Cancelled {
			t.Errorf("got %s, %v, want it cancelled", got.Status, err)
		}
	})
}

// advanceUntilEnded acts as a sweep that advances a job slice by slice.
func advanceUntilEnded(ctx context.Context, jobs job.Jobs, id string) error {
	for range 20 {
		j, err := jobs.Get(ctx, id)
		if err != nil || j.Status != job.Running {
			return err
		}
		j.Examined++
		if err := jobs.Update(ctx, j.Next(now())); err != nil && !errors.Is(err, webhook.ErrConflict) {
			return err
		}
	}
	return nil
}

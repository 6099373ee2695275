package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Jobs is the job store of a DB.
type Jobs struct{ db *DB }

var _ job.Jobs = Jobs{}

// Jobs returns the job store.
func (db *DB) Jobs() Jobs { return Jobs{db} }

// Create implements job.Jobs.
func (s Jobs) Create(ctx context.Context, j job.Job) error {
	if j.Revision != 1 || j.Status != job.Running {
		return fmt.Errorf("create job %s: revision %d, %s", j.ID, j.Revision, j.Status)
	}
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		b := bucket(tx, "jobs")
		if b.Get([]byte(j.ID)) != nil {
			return fmt.Errorf("job %s: %w", j.ID, webhook.ErrExists)
		}
		return createJob(tx, j)
	})
}

// createJob stores a new job, unless its webhook has a running one.
func createJob(tx *bbolt.Tx, j job.Job) error {
	if j.Webhook != 0 {
		if running := jobsOf(tx, "jobs", j.Tenant, j.Webhook); len(running) > 0 {
			return fmt.Errorf("create job %s: %w", j.ID, &job.BusyError{Running: running[0].ID})
		}
	}
	return save(bucket(tx, "jobs"), []byte(j.ID), j)
}

// jobsOf returns the jobs of a webhook in a bucket, oldest first. It reads the whole
// bucket: a local run has few jobs. One that cannot be decoded may be of any webhook, and
// Running reports it.
func jobsOf(tx *bbolt.Tx, name string, tenant webhook.Tenant, id int32) (found []job.Job) {
	c := bucket(tx, name).Cursor()
	for k, stored := c.First(); k != nil; k, stored = c.Next() {
		var j job.Job
		if json.Unmarshal(stored, &j) == nil && j.Tenant == tenant && j.Webhook == id {
			found = append(found, j)
		}
	}
	return found
}

// OfWebhook implements job.Jobs.
func (s Jobs) OfWebhook(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (found []job.Job, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		running := jobsOf(tx, "jobs", tenant, id)
		ended := jobsOf(tx, "ended", tenant, id)
		slices.Reverse(ended)
		for _, j := range append(running, ended...) {
			if len(found) < limit && !expired(j.ExpiresAt, s.db.Now()) {
				found = append(found, j)
			}
		}
		return nil
	})
	return found, err
}

// EraseJobs implements tenancy.Erasure.
func (s Erasure) EraseJobs(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	return commit(ctx, s.db.update, func(tx *bbolt.Tx) (erased int, err error) {
		for _, name := range []string{"jobs", "ended"} {
			found := jobsOf(tx, name, tenant, id)
			for _, j := range found {
				if erased < limit && err == nil {
					erased++
					err = removeItem(tx, bucket(tx, name), name, []byte(j.ID))
				}
			}
		}
		return erased, err
	})
}

// loadJob reads a job, running or ended.
func (s Jobs) loadJob(tx *bbolt.Tx, id string) (j job.Job, err error) {
	for _, name := range []string{"jobs", "ended"} {
		found, err := load(bucket(tx, name), []byte(id), &j)
		if err != nil {
			return job.Job{}, err
		}
		if found && !expired(j.ExpiresAt, s.db.Now()) {
			return j, nil
		}
	}
	return job.Job{}, fmt.Errorf("job %s: %w", id, webhook.ErrNotFound)
}

// Get implements job.Jobs.
func (s Jobs) Get(ctx context.Context, id string) (j job.Job, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		j, err = s.loadJob(tx, id)
		return err
	})
	return j, err
}

// Running implements job.Jobs.
func (s Jobs) Running(ctx context.Context, limit int) (found []job.Job, err error) {
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "jobs").Cursor()
		for k, stored := c.First(); k != nil && len(found) < limit; k, stored = c.Next() {
			var j job.Job
			if err := json.Unmarshal(stored, &j); err != nil {
				broken.Add(shown("jobs", k), err)
				continue
			}
			found = append(found, j)
		}
		return broken.Err()
	})
	return found, err
}

// Update implements job.Jobs.
func (s Jobs) Update(ctx context.Context, j job.Job) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		existing, err := s.loadJob(tx, j.ID)
		if err != nil {
			return err
		}
		if existing.Status != job.Running || existing.Revision != j.Revision-1 {
			return fmt.Errorf("job %s is %s at revision %d: %w", j.ID, existing.Status, existing.Revision, webhook.ErrConflict)
		}
		if j.Status == job.Running {
			return save(bucket(tx, "jobs"), []byte(j.ID), j)
		}
		if err := bucket(tx, "jobs").Delete([]byte(j.ID)); err != nil {
			return fmt.Errorf("end job: %w", err)
		}
		if err := noteExpiry(tx, "ended", []byte(j.ID), j.ExpiresAt); err != nil {
			return err
		}
		return save(bucket(tx, "ended"), []byte(j.ID), j)
	})
}

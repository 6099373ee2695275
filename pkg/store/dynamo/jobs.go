package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Jobs stores jobs; see job.Jobs. They are stored in the Webhooks table.
// Running jobs share one partition, where the sweep finds them by key; ended
// jobs have a partition each until TTL removes them. A job moves between the
// two in one transaction.
type Jobs struct{ table }

// jobsPK is the partition of the running jobs.
const jobsPK = "JOBS"

func runningKey(id string) item { return key(jobsPK, id) }

func endedKey(id string) item { return key("J#"+id, "J") }

// Create stores a new job.
func (s *Jobs) Create(ctx context.Context, j job.Job) error {
	if j.Revision != 1 || j.Status != job.Running {
		return fmt.Errorf("create job %s: revision %d, %s", j.ID, j.Revision, j.Status)
	}
	if j.Webhook != 0 {
		return s.createOfWebhook(ctx, j)
	}
	_, ok, err := s.put(ctx, encodeJob(runningKey(j.ID), j), absent)
	if err == nil && !ok {
		return fmt.Errorf("create job %s: %w", j.ID, webhook.ErrExists)
	}
	return wrap(err, "create job %s", j.ID)
}

// Get looks among the running jobs first, then among those that have ended, so
// it finds a job that moves between the two reads.
func (s *Jobs) Get(ctx context.Context, id string) (job.Job, error) {
	for _, k := range []item{runningKey(id), endedKey(id)} {
		it, err := s.get(ctx, k)
		if err != nil {
			return job.Job{}, wrap(err, "get job %s", id)
		}
		if it != nil && !it.expired(s.now()) {
			return decodeJob(it)
		}
	}
	return job.Job{}, fmt.Errorf("get job %s: %w", id, webhook.ErrNotFound)
}

// Running lists running jobs in order of id.
func (s *Jobs) Running(ctx context.Context, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	var found []job.Job
	var broken unreadable
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(jobsPK)},
		ConsistentRead:            aws.Bool(true),
		Limit:                     pageLimit(limit),
	}, func(it item) bool {
		j, err := decodeJob(it)
		if err != nil {
			broken.add(it, err)
			return true
		}
		found = append(found, j)
		return len(found) < limit
	})
	if err != nil {
		return nil, wrap(err, "list running jobs")
	}
	return found, broken.err()
}

// Update replaces a running job, or moves it out of the partition if it has
// ended.
func (s *Jobs) Update(ctx context.Context, j job.Job) error {
	seen := condition{text: "rev = :seen", values: item{":seen": number(j.Revision - 1)}}
	if j.Status == job.Running {
		existing, ok, err := s.put(ctx, encodeJob(runningKey(j.ID), j), seen)
		if err == nil && !ok {
			return s.missed(ctx, j.ID, existing)
		}
		return wrap(err, "update job %s", j.ID)
	}
	writes := []types.TransactWriteItem{
		{Delete: &types.Delete{
			TableName: &s.name, Key: runningKey(j.ID), ConditionExpression: &seen.text, ExpressionAttributeValues: seen.values,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		{Put: &types.Put{TableName: &s.name, Item: encodeJob(endedKey(j.ID), j)}},
	}
	if j.Webhook != 0 {
		writes = append(writes, s.unlock(j)...)
	}
	err := s.transact(ctx, writes...)
	if existing, failed := failedCondition(err); failed {
		return s.missed(ctx, j.ID, existing)
	}
	return wrap(err, "end job %s", j.ID)
}

// missed returns why an update did not find the revision it expected. A job
// that is not running may have ended.
func (s *Jobs) missed(ctx context.Context, id string, existing item) error {
	if existing == nil {
		if _, err := s.Get(ctx, id); err != nil {
			if errors.Is(err, webhook.ErrNotFound) {
				return fmt.Errorf("update job %s: %w", id, webhook.ErrNotFound)
			}
			return err
		}
	}
	return fmt.Errorf("update job %s: %w", id, webhook.ErrConflict)
}

func encodeJob(it item, j job.Job) item {
	it["id"] = text(j.ID)
	it["kind"] = text(string(j.Kind))
	it["tenant"] = text(string(j.Tenant))
	it.setInt("webhook", int64(j.Webhook))
	it[attrStatus] = text(string(j.Status))
	it.setText("reason", j.Reason)
	it.setText("cursor", j.Cursor)
	it.setInt("examined", int64(j.Examined))
	it.setInt("processed", int64(j.Processed))
	it.setTime("from", j.From)
	it.setTime("to", j.To)
	it.setText("plan", j.Plan)
	it.setText("progress", j.Progress)
	it.setTime("not_before", j.NotBefore)
	it.setAssociate("by", j.By)
	it.setTime("made", j.Made)
	it.setTime("updated", j.Updated)
	it.setExpiry(j.ExpiresAt)
	it["rev"] = number(j.Revision)
	return it
}

func decodeJob(it item) (job.Job, error) {
	r := reader{item: it}
	j := job.Job{
		ID: r.text("id"), Kind: job.Kind(r.text("kind")), Tenant: webhook.Tenant(r.text("tenant")), Webhook: r.int32("webhook"),
		Status: job.Status(r.text(attrStatus)), Reason: r.text("reason"), Cursor: r.text("cursor"),
		Examined: r.int("examined"), Processed: r.int("processed"), From: r.time("from"), To: r.time("to"),
		Plan: r.text("plan"), Progress: r.text("progress"), NotBefore: r.time("not_before"), By: r.associate("by"),
		Made: r.time("made"), Updated: r.time("updated"), ExpiresAt: r.time(attrExpiresMS), Revision: r.int64("rev"),
	}
	if r.err != nil {
		return job.Job{}, fmt.Errorf("read job: %w", r.err)
	}
	return j, nil
}

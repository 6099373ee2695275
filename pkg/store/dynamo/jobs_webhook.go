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

// jobsOfPK is the partition that lists the jobs of a webhook: copies of those that have
// ended, and the lock.
func jobsOfPK(tenant webhook.Tenant, id int32) string { return fmt.Sprintf("J#%s#%d", tenant, id) }

// lockSK sorts after all ids.
const lockSK = "RUNNING"

// lockKey is the item that names the running job of a job's webhook. While it exists, no
// second job is created.
func lockKey(j job.Job) item { return key(jobsOfPK(j.Tenant, j.Webhook), lockSK) }

// founding returns the writes that create a job of a webhook: the lock, and the job.
func (s *table) founding(j job.Job) []types.TransactWriteItem {
	lock := lockKey(j)
	lock["id"] = text(j.ID)
	return []types.TransactWriteItem{
		{Put: &types.Put{
			TableName: &s.name, Item: lock, ConditionExpression: &absent.text,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		{Put: &types.Put{TableName: &s.name, Item: encodeJob(runningKey(j.ID), j), ConditionExpression: &absent.text}},
	}
}

// createOfWebhook stores a new job of a webhook that has no running one.
func (s *Jobs) createOfWebhook(ctx context.Context, j job.Job) error {
	err := s.transact(ctx, s.founding(j)...)
	if lock, failed := failedCondition(err); failed {
		r := reader{item: lock}
		if running := r.text("id"); running != j.ID {
			return fmt.Errorf("create job %s: %w", j.ID, &job.BusyError{Running: running})
		}
		return fmt.Errorf("create job %s: %w", j.ID, webhook.ErrExists)
	}
	if len(failedConditions(err)) > 0 {
		return fmt.Errorf("create job %s: %w", j.ID, webhook.ErrExists)
	}
	return wrap(err, "create job %s", j.ID)
}

// unlock returns the writes that list a job of a webhook as ended and let the next one
// be created.
func (s *Jobs) unlock(j job.Job) []types.TransactWriteItem {
	return []types.TransactWriteItem{
		{Put: &types.Put{TableName: &s.name, Item: encodeJob(key(jobsOfPK(j.Tenant, j.Webhook), j.ID), j)}},
		{Delete: &types.Delete{TableName: &s.name, Key: lockKey(j)}},
	}
}

// OfWebhook lists the jobs of a webhook: the running one, which the lock names, and then
// those that have ended.
func (s *Jobs) OfWebhook(ctx context.Context, tenant webhook.Tenant, id int32, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	var found []job.Job
	var broken unreadable
	running := ""
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(jobsOfPK(tenant, id))},
		ConsistentRead:            aws.Bool(true),
		ScanIndexForward:          aws.Bool(false),
		Limit:                     pageLimit(limit + 1),
	}, func(it item) bool {
		if sortKey(it) == lockSK {
			r := reader{item: it}
			running = r.text("id")
			return true
		}
		if it.expired(s.now()) {
			return true
		}
		j, err := decodeJob(it)
		if err != nil {
			broken.add(it, err)
			return true
		}
		found = append(found, j)
		return len(found) < limit
	})
	if err != nil {
		return nil, wrap(err, "list jobs of webhook %d", id)
	}
	if running != "" {
		j, err := s.Get(ctx, running)
		if err != nil && !errors.Is(err, webhook.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			found = append([]job.Job{j}, found...)
		}
	}
	return found[:min(len(found), limit)], broken.err()
}

// EraseJobs removes the jobs of a webhook.
func (s *Erasure) EraseJobs(ctx context.Context, tenant webhook.Tenant, id int32, limit int) (int, error) {
	var keys []item
	err := s.webhooks.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(jobsOfPK(tenant, id))},
		ConsistentRead:            aws.Bool(true),
		Limit:                     pageLimit(limit),
	}, func(it item) bool {
		keys = append(keys, it)
		return len(keys) < limit
	})
	for _, it := range keys {
		r := reader{item: it}
		job := endedKey(string(sortKey(it)))
		if sortKey(it) == lockSK {
			job = runningKey(r.text("id"))
		}
		// The copy or the lock is removed last: it is what finds the job.
		for _, k := range []item{job, {attrPK: it[attrPK], attrSK: it[attrSK]}} {
			if err == nil {
				_, err = s.webhooks.remove(ctx, k, condition{})
			}
		}
	}
	if err != nil {
		return 0, wrap(err, "erase jobs of webhook %d", id)
	}
	return len(keys), nil
}

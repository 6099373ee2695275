package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Erasure removes a tenant's stored items, readable or not. Erasing items that do
// not exist succeeds.
type Erasure interface {
	// EraseEvents removes up to limit of the tenant's events and returns how
	// many; 0 means none are left.
	EraseEvents(ctx context.Context, tenant webhook.Tenant, limit int) (int, error)

	// EraseDeliveries removes up to limit delivery rows and responses of a webhook,
	// which may already be deleted, and returns how many; 0 means none are left. It
	// also removes the webhook's timer, which does not count: a timer belongs to no
	// row, so it is removed without any.
	EraseDeliveries(ctx context.Context, tenant webhook.Tenant, webhook int32, limit int) (int, error)

	// EraseSubscriptions removes up to limit of what leads from the names of events to
	// the tenant's webhooks, and returns how many; 0 means none is left. Calls that
	// were cut short leave some that lead to webhooks that do not exist. A webhook
	// that exists gets no events any more.
	EraseSubscriptions(ctx context.Context, tenant webhook.Tenant, limit int) (int, error)

	// EraseHistory removes up to limit replaced revisions of a webhook, as
	// EraseDeliveries removes rows.
	EraseHistory(ctx context.Context, tenant webhook.Tenant, webhook int32, limit int) (int, error)

	// EraseJobs removes up to limit jobs about a webhook, running or ended, as
	// EraseDeliveries removes rows.
	EraseJobs(ctx context.Context, tenant webhook.Tenant, webhook int32, limit int) (int, error)

	// EraseStatistics removes up to limit hours of a webhook's statistics, as
	// EraseDeliveries removes rows.
	EraseStatistics(ctx context.Context, tenant webhook.Tenant, webhook int32, limit int) (int, error)
}

// Deletion deletes tenants with all of their data, in slices. Its fields must be
// set before use.
//
// It makes two passes: calls and attempts that were running when the tenant was
// marked have ended before the second pass. Credentials of other tenants that
// list the tenant stay unchanged. Two counters stay, because they must
// never restart: the webhooks' epoch and their ids. Idempotency keys and the
// health of deleted webhooks expire by themselves within days, and so does, within
// weeks, the row without data that a message leaves which becomes a dead letter after
// the second pass.
//
// A credential or webhook that cannot be decoded cannot be deleted either. The
// deletion continues with everything else and ends as job.Failed, with the
// reason, and the tenant stays marked.
type Deletion struct {
	Registry    *webhook.Registry // its Webhooks, Secrets and Now are used
	Tenants     Tenants
	Credentials Credentials
	Erasure     Erasure
	// Sources is nil where there are no sources.
	Sources Sources
}

// Sources is the part of source.Registry that a deletion uses.
type Sources interface {
	// DeleteTenant removes up to limit of the tenant's sources and returns how
	// many. An *UnreadableError names those that may be the tenant's and stay.
	DeleteTenant(ctx context.Context, tenant webhook.Tenant, limit int) (int, error)
}

const (
	// deletionRest is how long calls and attempts that started before a tenant was
	// marked may last: no function of the service runs longer.
	deletionRest    = 5 * time.Minute
	deletionTime    = 2 * time.Second // per slice that walks through webhook ids
	deletedSources  = 10              // per slice
	deletedWebhooks = 10              // per slice
	deletedEvents   = 500             // per slice
	deletedRows     = 500             // per call of EraseDeliveries, and of others of its kind
	deletedJobs     = 100             // per call of EraseJobs
)

// Slice does one slice of a job of kind job.DeleteTenant; see job.Slice. The
// cursor is "<stage>/<pass>", or "deliveries/<pass>/<id>" if the rows of webhook
// <id> are next.
func (d *Deletion) Slice(ctx context.Context, j job.Job) (job.Job, error) {
	record, err := d.Tenants.Get(ctx, j.Tenant)
	switch {
	case errors.Is(err, webhook.ErrNotFound): // forgotten, but the sweep ended before it stored the job
		j.Status = job.Done
		return j, nil
	case err != nil:
		return j, err
	case record.Deleting == j.ID:
	case record.Deleting == "" && d.Registry.Now().Sub(j.Made) < deletionRest:
		return j, job.ErrNotYet
	default:
		j.Status, j.Reason = job.Failed, "another job deletes the tenant, or the call that created this job was cut short"
		return j, nil
	}
	stage, rest, _ := strings.Cut(j.Cursor, "/")
	pass, at, _ := strings.Cut(rest, "/")
	if pass == "" {
		pass = "1"
	}
	n := 0
	switch stage {
	case "":
		more := false
		n, more, err = revokePage(ctx, d.Credentials, j.Tenant)
		if err = j.PassOver(err); err == nil && !more {
			j.Cursor = "sources/" + pass
		}
	case "sources":
		if d.Sources != nil {
			n, err = d.Sources.DeleteTenant(ctx, j.Tenant, deletedSources)
		}
		if err = j.PassOver(err); err == nil && n == 0 {
			j.Cursor = "webhooks/" + pass
		}
	case "webhooks":
		n, err = d.webhooks(ctx, j.Tenant)
		if err = j.PassOver(err); err == nil && n == 0 {
			j.Cursor = "events/" + pass
		}
	case "events":
		if n, err = d.Erasure.EraseEvents(ctx, j.Tenant, deletedEvents); n == 0 && err == nil {
			// Webhooks with rows have smaller ids than the next one.
			var next int32
			next, err = d.Registry.Webhooks.NextID(ctx, j.Tenant)
			j.Cursor = fmt.Sprintf("deliveries/%s/%d", pass, next)
		}
	case "deliveries":
		return d.deliveries(ctx, j, pass, at)
	case "rest":
		if d.Registry.Now().Sub(j.Made) < deletionRest {
			return j, job.ErrNotYet
		}
		j.Cursor = "sources/2"
	default:
		j.Status, j.Reason = job.Failed, "unknown cursor"
	}
	j.Processed += n
	return j, err
}

// webhooks deletes some of the tenant's webhooks with their secrets, or else what
// still leads to webhooks, and returns how many. An *UnreadableError names those it
// could not delete.
func (d *Deletion) webhooks(ctx context.Context, tenant webhook.Tenant) (int, error) {
	page, _, unreadable := d.Registry.Webhooks.List(ctx, tenant, 0, deletedWebhooks)
	if _, err := webhook.Readable(unreadable); err != nil {
		return 0, err
	}
	for _, w := range page {
		if err := d.Registry.Delete(ctx, webhook.Principal{Tenant: tenant}, w.ID, nil); err != nil && !errors.Is(err, webhook.ErrNotFound) {
			return 0, err
		}
	}
	if len(page) > 0 {
		return len(page), unreadable
	}
	n, err := d.Erasure.EraseSubscriptions(ctx, tenant, deletedRows)
	if err != nil {
		return 0, err
	}
	return n, unreadable
}

// erase erases some of what is stored of a webhook besides the webhook itself, and
// returns how many items; 0 means none are left.
func (d *Deletion) erase(ctx context.Context, tenant webhook.Tenant, id int32) (int, error) {
	for _, erase := range []func(context.Context, webhook.Tenant, int32, int) (int, error){
		d.Erasure.EraseDeliveries, d.Erasure.EraseHistory, d.Erasure.EraseStatistics,
	} {
		if n, err := erase(ctx, tenant, id, deletedRows); n > 0 || err != nil {
			return n, err
		}
	}
	return d.Erasure.EraseJobs(ctx, tenant, id, deletedJobs)
}

// deliveries erases delivery rows, history and statistics, from the highest webhook id down.
func (d *Deletion) deliveries(ctx context.Context, j job.Job, pass, at string) (job.Job, error) {
	id, err := strconv.ParseInt(at, 10, 32)
	if err != nil {
		j.Status, j.Reason = job.Failed, "unknown cursor"
		return j, nil //nolint:nilerr // the job reports it
	}
	for began := d.Registry.Now(); id > 0 && ctx.Err() == nil && d.Registry.Now().Sub(began) < deletionTime; {
		n, err := d.erase(ctx, j.Tenant, int32(id))
		if err != nil {
			return j, err
		}
		j.Processed += n
		if n == 0 {
			id--
		}
	}
	switch {
	case id > 0:
		j.Cursor = fmt.Sprintf("deliveries/%s/%d", pass, id)
	case pass == "1":
		j.Cursor = "rest/1"
	case j.Reason != "":
		j.Status = job.Failed
	default:
		if err := d.Tenants.Forget(ctx, j.Tenant); err != nil {
			return j, err
		}
		j.Status = job.Done
	}
	return j, ctx.Err()
}

package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Tenants stores tenants; see tenancy.Tenants.
type Tenants struct{ table }

var _ tenancy.Tenants = (*Tenants)(nil)

// tenantsPK is the single partition of all tenants, so that they are listed by
// key. Calls with a stored credential do not read it.
const tenantsPK = "TENANTS"

func tenantKey(tenant webhook.Tenant) item { return key(tenantsPK, string(tenant)) }

// Create stores a new tenant.
func (s *Tenants) Create(ctx context.Context, tenant webhook.Tenant, at time.Time) error {
	it := tenantKey(tenant)
	it["created"] = millis(at)
	_, ok, err := s.put(ctx, it, absent)
	if err == nil && !ok {
		return fmt.Errorf("create tenant %s: %w", tenant, webhook.ErrExists)
	}
	return wrap(err, "create tenant %s", tenant)
}

// Get returns a tenant.
func (s *Tenants) Get(ctx context.Context, tenant webhook.Tenant) (tenancy.Record, error) {
	it, err := s.get(ctx, tenantKey(tenant))
	if err != nil {
		return tenancy.Record{}, wrap(err, "get tenant %s", tenant)
	}
	if it == nil {
		return tenancy.Record{}, fmt.Errorf("get tenant %s: %w", tenant, webhook.ErrNotFound)
	}
	return decodeTenant(it)
}

// List returns tenants in order of name.
func (s *Tenants) List(ctx context.Context, after webhook.Tenant, limit int) ([]tenancy.Record, error) {
	if limit <= 0 {
		return nil, nil
	}
	in := dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": text(tenantsPK)},
		ConsistentRead:            aws.Bool(true),
		Limit:                     pageLimit(limit),
	}
	if after != "" {
		in.KeyConditionExpression = aws.String("pk = :pk AND sk > :after")
		in.ExpressionAttributeValues[":after"] = text(string(after))
	}
	var found []tenancy.Record
	var broken unreadable
	err := s.query(ctx, in, func(it item) bool {
		tenant, err := decodeTenant(it)
		if err != nil {
			broken.add(it, err)
			return true
		}
		found = append(found, tenant)
		return len(found) < limit
	})
	if err != nil {
		return nil, wrap(err, "list tenants")
	}
	return found, broken.err()
}

// BeginDelete marks a tenant as being deleted. A marked tenant keeps its job.
func (s *Tenants) BeginDelete(ctx context.Context, tenant webhook.Tenant, job string) (tenancy.Record, error) {
	it, ok, err := s.update(ctx, tenantKey(tenant), "SET deleting = if_not_exists(deleting, :job)",
		condition{text: "attribute_exists(pk)", values: item{":job": text(job)}})
	if err != nil {
		return tenancy.Record{}, wrap(err, "delete tenant %s", tenant)
	}
	if !ok {
		return tenancy.Record{}, fmt.Errorf("delete tenant %s: %w", tenant, webhook.ErrNotFound)
	}
	return decodeTenant(it)
}

// Forget removes the record of a tenant that is being deleted.
func (s *Tenants) Forget(ctx context.Context, tenant webhook.Tenant) error {
	const deleting = "attribute_not_exists(pk) OR attribute_exists(deleting)"
	if _, err := s.remove(ctx, tenantKey(tenant), condition{text: deleting}); err != nil {
		return wrap(err, "forget tenant %s", tenant)
	}
	// remove does not report a failed condition.
	it, err := s.get(ctx, tenantKey(tenant))
	if err == nil && it != nil {
		return fmt.Errorf("forget tenant %s: not being deleted: %w", tenant, webhook.ErrConflict)
	}
	return wrap(err, "forget tenant %s", tenant)
}

func decodeTenant(it item) (tenancy.Record, error) {
	r := reader{item: it}
	tenant := tenancy.Record{
		Name: webhook.Tenant(r.text(attrSK)), Created: r.time("created"), Deleting: r.text("deleting"),
	}
	return tenant, r.err
}

package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Credentials stores credentials; see tenancy.Credentials.
//
// A credential is two items that are created and deleted in one transaction and
// never change: one under its hash, used to check calls, and a copy under its
// tenant, used by administrators to list credentials.
type Credentials struct{ table }

var _ tenancy.Credentials = (*Credentials)(nil)

func credentialKey(hash string) item { return key("C#"+hash, "C") }

const credentialPrefix = "C#"

func listedKey(tenant webhook.Tenant, id string) item {
	return key(tenantPK(tenant), credentialPrefix+id)
}

// Create stores a credential of an existing tenant. Expired items that TTL has
// not removed yet are overwritten.
func (s *Credentials) Create(ctx context.Context, c tenancy.Credential) error {
	free := expiredBy(s.now())
	free.text = "attribute_not_exists(pk) OR " + free.text
	put := func(it item) types.TransactWriteItem {
		return types.TransactWriteItem{Put: &types.Put{
			TableName: &s.name, Item: it, ConditionExpression: &free.text, ExpressionAttributeValues: free.values,
		}}
	}
	err := s.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &s.name, Key: tenantKey(c.Principal.Tenant),
			ConditionExpression: aws.String("attribute_exists(pk) AND attribute_not_exists(deleting)"),
		}},
		put(encodeCredential(credentialKey(c.Hash), c)),
		put(encodeCredential(listedKey(c.Principal.Tenant, c.ID), c)))
	switch failed := failedConditions(err); {
	case len(failed) == 0:
	case failed[0] == 0:
		return fmt.Errorf("create credential of %s: tenant: %w", c.Principal.Tenant, webhook.ErrNotFound)
	default:
		return fmt.Errorf("create credential of %s: %w", c.Principal.Tenant, webhook.ErrExists)
	}
	return wrap(err, "create credential of %s", c.Principal.Tenant)
}

// Find returns the credential with the given hash.
func (s *Credentials) Find(ctx context.Context, hash string) (tenancy.Credential, error) {
	it, err := s.get(ctx, credentialKey(hash))
	if err != nil {
		return tenancy.Credential{}, wrap(err, "find credential")
	}
	if it == nil || it.expired(s.now()) {
		return tenancy.Credential{}, fmt.Errorf("find credential: %w", webhook.ErrNotFound)
	}
	return decodeCredential(it)
}

// List returns the tenant's credentials in order of id.
func (s *Credentials) List(ctx context.Context, tenant webhook.Tenant, after string, limit int) ([]tenancy.Credential, error) {
	if limit <= 0 {
		return nil, nil
	}
	var found []tenancy.Credential
	var broken unreadable
	now := s.now()
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :first AND :last"),
		ExpressionAttributeValues: item{
			// "$" sorts right after "#", so the range ends with the prefix.
			":pk": text(tenantPK(tenant)), ":first": text(credentialPrefix + after), ":last": text("C$"),
		},
		ConsistentRead: aws.Bool(true),
		Limit:          pageLimit(limit + 1),
	}, func(it item) bool {
		c, err := decodeCredential(it)
		if err != nil {
			broken.add(it, err)
			return true
		}
		if c.ID != after && !it.expired(now) {
			found = append(found, c)
		}
		return len(found) < limit
	})
	if err != nil {
		return nil, wrap(err, "list credentials of %s", tenant)
	}
	return found, broken.err()
}

// Revoke removes both items of a credential at once.
func (s *Credentials) Revoke(ctx context.Context, tenant webhook.Tenant, id string) error {
	it, err := s.get(ctx, listedKey(tenant, id))
	if err != nil {
		return wrap(err, "revoke credential of %s", tenant)
	}
	if it == nil || it.expired(s.now()) {
		return fmt.Errorf("revoke credential of %s: %w", tenant, webhook.ErrNotFound)
	}
	c, err := decodeCredential(it)
	if err != nil {
		return err
	}
	err = s.transact(ctx,
		types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.name, Key: listedKey(tenant, id), ConditionExpression: aws.String("attribute_exists(pk)"),
		}},
		// TTL removes the two items of a credential at different times, and by
		// now the hash may belong to another credential.
		types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.name, Key: credentialKey(c.Hash),
			ConditionExpression:       aws.String("attribute_not_exists(pk) OR id = :id"),
			ExpressionAttributeValues: item{":id": text(id)},
		}})
	if len(failedConditions(err)) > 0 { // another revocation came first
		return fmt.Errorf("revoke credential of %s: %w", tenant, webhook.ErrNotFound)
	}
	return wrap(err, "revoke credential of %s", tenant)
}

// failedConditions returns, in ascending order, the indices of the
// transaction's items whose conditions failed.
func failedConditions(err error) (failed []int) {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return nil
	}
	for i, reason := range cancelled.CancellationReasons {
		if code(reason) == reasonCondition {
			failed = append(failed, i)
		}
	}
	return failed
}

func encodeCredential(it item, c tenancy.Credential) item {
	who := c.Principal
	it["id"] = text(c.ID)
	it["hash"] = text(c.Hash)
	it["kind"] = text(string(c.Kind))
	it["tenant"] = text(string(who.Tenant))
	it.setAssociate("associate", who.Associate)
	it.setText("app", who.App)
	scopes := make([]string, len(who.Scopes))
	for i, scope := range who.Scopes {
		scopes[i] = string(scope)
	}
	it.setText("scopes", strings.Join(scopes, " "))
	tenants := make([]string, len(c.Tenants))
	for i, tenant := range c.Tenants {
		tenants[i] = string(tenant)
	}
	it.setText("tenants", strings.Join(tenants, " "))
	it.setText("role", c.Role)
	it.setText("within", strings.Join(c.Within, " "))
	it.setTime("created", c.Created)
	it.setExpiry(c.ExpiresAt)
	return it
}

func decodeCredential(it item) (tenancy.Credential, error) {
	r := reader{item: it}
	c := tenancy.Credential{
		ID: r.text("id"), Hash: r.text("hash"), Kind: tenancy.CredentialKind(r.text("kind")),
		Principal: webhook.Principal{
			Tenant: webhook.Tenant(r.text("tenant")), Associate: r.associate("associate"), App: r.text("app"),
		},
		Role: r.text("role"), Created: r.time("created"), ExpiresAt: r.time(attrExpiresMS),
	}
	for _, scope := range strings.Fields(r.text("scopes")) {
		c.Principal.Scopes = append(c.Principal.Scopes, webhook.Scope(scope))
	}
	for _, tenant := range strings.Fields(r.text("tenants")) {
		c.Tenants = append(c.Tenants, webhook.Tenant(tenant))
	}
	c.Within = slices.Clip(strings.Fields(r.text("within")))
	if len(c.Within) == 0 {
		c.Within = nil
	}
	if r.err == nil && c.Principal.Tenant == "" {
		r.err = errors.New("credential without a tenant")
	}
	return c, r.err
}

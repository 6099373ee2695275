package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Pointers: why a webhook never lacks a pointer that it needs.
//
// Claim. If revision N with events E is committed, every K in E has a pointer.
//
// A pointer is deleted only by prune, and only under one rule: there is a
// committed revision P whose events do not include K, and the pointer's rev is
// at most P. Let A ≤ N be the revision that last added K, so that A … N all
// include K. Before A was committed, its writer ensured that the pointer's rev
// is at least A (it put A, or found a higher one). From then on, prune needs a
// committed P ≥ rev ≥ A that does not include K. While A is not committed, such
// a P means that A never will be: each revision is committed once, in order, so
// A is taken. After A is committed, P would have to be in A … N, all of which
// include K. So the pointer remains. It does not matter that its rev stays at A
// while the webhook's moves on to N.
//
// A pointer can be left over when its writer dies or loses its connection
// between pointer and commit, or between commit and prune. Such a pointer costs
// a read and is otherwise harmless: the item decides. It goes with its tenant.

const (
	attrRev       = "rev"
	pointerPrefix = "S#"
)

func pointerKey(tenant webhook.Tenant, subscription string, id int32) item {
	return key(tenantPK(tenant), fmt.Sprintf("%s%s#%010d", pointerPrefix, subscription, id))
}

// point puts pointers for the revision about to be committed. An existing
// pointer with this revision or a later one is kept.
func (s *Webhooks) point(ctx context.Context, w webhook.Webhook, subscriptions []string) error {
	for _, subscription := range subscriptions {
		it := pointerKey(w.Tenant, subscription, w.ID)
		it[attrRev] = number(w.Revision)
		_, _, err := s.put(ctx, it, condition{
			text: "attribute_not_exists(pk) OR rev < :new", values: item{":new": number(w.Revision)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// prune deletes pointers of keys that the committed revision does not include.
// A failure only leaves a pointer over.
func (s *Webhooks) prune(ctx context.Context, tenant webhook.Tenant, id int32, subscriptions []string, committed int64) {
	for _, subscription := range subscriptions {
		_, _ = s.remove(ctx, pointerKey(tenant, subscription, id), condition{
			text: "rev <= :committed", values: item{":committed": number(committed)},
		})
	}
}

// withdraw removes the pointers put by a writer that lost its race, except
// those that the winning item needs. The winning item decides, not what the
// writer itself last read.
func (s *Webhooks) withdraw(ctx context.Context, w webhook.Webhook, added []string, existing item) {
	if existing == nil { // deleted, and ids are never reused
		s.prune(ctx, w.Tenant, w.ID, added, w.Revision)
		return
	}
	winner, err := decodeWebhook(existing)
	if err == nil {
		s.prune(ctx, w.Tenant, w.ID, without(added, winner.PointerKeys()), winner.Revision)
	}
}

// pointed returns all ids that have a pointer for a key.
func (s *Webhooks) pointed(ctx context.Context, tenant webhook.Tenant, subscription string) ([]int32, error) {
	prefix := pointerPrefix + subscription + "#"
	var ids []int32
	var broken error
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :prefix)"),
		ExpressionAttributeValues: item{":pk": text(tenantPK(tenant)), ":prefix": text(prefix)},
		ConsistentRead:            aws.Bool(true),
	}, func(it item) bool {
		r := reader{item: it}
		id, err := strconv.ParseInt(strings.TrimPrefix(r.text(attrSK), prefix), 10, 32)
		if err != nil {
			broken = fmt.Errorf("pointer %s: %w", r.text(attrSK), err)
			return false
		}
		ids = append(ids, int32(id))
		return true
	})
	if err == nil {
		err = broken
	}
	return ids, err
}

// without returns the keys that are not in others.
func without(keys, others []string) []string {
	has := make(map[string]bool, len(others))
	for _, other := range others {
		has[other] = true
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return has[k] })
}

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

// Pointers: why no webhook ever misses one that it needs.
//
// Claim. If revision N with events E is committed, every K in E has a pointer.
//
// A pointer is deleted only by prune, and only under one rule: somebody knows
// of a committed revision P whose events do not hold K, and the pointer's rev
// is at most P. Suppose revision A ≤ N was the last that added K: all of
// A … N hold K. Before A was committed its writer made sure that the pointer's
// rev is at least A (it put A, or found a higher one). From then on a prune
// needs a committed P ≥ rev ≥ A that does not hold K. While A is not committed,
// such a P means that A never will be: revisions are committed once each, in
// order, so A is taken. Once A is committed, P would have to lie in A … N, all
// of which hold K. So the pointer stands. It does not matter that a kept
// pointer's rev stays A while the webhook's goes on to N.
//
// What can be left over is a pointer that nobody needs: its writer died or lost
// its connection between the pointer and the commit, or between the commit and
// the prune. It costs a read and misleads nobody: the item decides.

const attrRev = "rev"

func pointerKey(tenant webhook.Tenant, subscription string, id int32) item {
	return key(tenantPK(tenant), fmt.Sprintf("S#%s#%010d", subscription, id))
}

// point puts pointers for the revision that is about to be committed. One that
// has this revision or a later one already serves as well.
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

// prune deletes pointers of keys that the committed revision does not hold. A
// failure is no one's loss: the pointer is left over.
func (s *Webhooks) prune(ctx context.Context, tenant webhook.Tenant, id int32, subscriptions []string, committed int64) {
	for _, subscription := range subscriptions {
		_ = s.remove(ctx, pointerKey(tenant, subscription, id), condition{
			text: "rev <= :committed", values: item{":committed": number(committed)},
		})
	}
}

// withdraw takes back the pointers that a writer put who lost its race. It goes
// by the item that beat it, never by its own view: what that one holds stays.
func (s *Webhooks) withdraw(ctx context.Context, w webhook.Webhook, added []string, stands item) {
	if stands == nil { // deleted, and ids are not given out twice
		s.prune(ctx, w.Tenant, w.ID, added, w.Revision)
		return
	}
	winner, err := decodeWebhook(stands)
	if err == nil {
		s.prune(ctx, w.Tenant, w.ID, without(added, winner.PointerKeys()), winner.Revision)
	}
}

// pointed reads the ids that have a pointer for a key, to the end.
func (s *Webhooks) pointed(ctx context.Context, tenant webhook.Tenant, subscription string) ([]int32, error) {
	prefix := "S#" + subscription + "#"
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

// without returns the keys that others does not have.
func without(keys, others []string) []string {
	has := make(map[string]bool, len(others))
	for _, other := range others {
		has[other] = true
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return has[k] })
}

package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The attributes of a response.
const (
	attrNumber  = "n"
	attrExcerpt = "text" // or
	// attrPacked: the same, deflated
)

// responsePK is not that of the row: a list of rows must not read responses.
func responsePK(tenant webhook.Tenant, id int32, n int) string {
	return fmt.Sprintf("R#%s#W#%d#%d", tenant, id, n)
}

func responseKey(k delivery.Key) item {
	return key(responsePK(k.Tenant, k.Webhook, k.Event.Partition(deliveryPartitions)), string(k.Event))
}

// PutResponse stores the response of a failed attempt.
func (s *Deliveries) PutResponse(ctx context.Context, r delivery.FailureResponse) error {
	it := responseKey(r.Key)
	it.setInt(attrNumber, int64(r.Number))
	it[attrAt] = millis(r.At)
	it.setExpiry(r.ExpiresAt)
	packed, err := pack([]byte(r.Excerpt))
	if err != nil {
		return fmt.Errorf("pack response of %s: %w", r.Event, err)
	}
	if it[attrPacked] = (&types.AttributeValueMemberB{Value: packed}); len(packed) >= len(r.Excerpt) {
		delete(it, attrPacked)
		it.setText(attrExcerpt, r.Excerpt)
	}
	_, _, err = s.put(ctx, it, condition{
		text: "attribute_not_exists(pk) OR #at < :at", names: []string{attrAt}, values: item{":at": it[attrAt]},
	})
	return wrap(err, "put response of %s", r.Event)
}

// Response returns the response of the last failed attempt.
func (s *Deliveries) Response(ctx context.Context, key delivery.Key) (delivery.FailureResponse, error) {
	it, err := s.get(ctx, responseKey(key))
	if err != nil {
		return delivery.FailureResponse{}, wrap(err, "get response of %s", key.Event)
	}
	if it == nil || it.expired(s.now()) {
		return delivery.FailureResponse{}, fmt.Errorf("get response of %s: %w", key.Event, webhook.ErrNotFound)
	}
	r := reader{item: it}
	found := delivery.FailureResponse{
		Key: key, Number: r.int(attrNumber), At: r.time(attrAt), Excerpt: r.text(attrExcerpt), ExpiresAt: r.time(attrExpiresMS),
	}
	err = r.err
	if packed, ok := it[attrPacked].(*types.AttributeValueMemberB); ok && err == nil {
		var excerpt []byte
		excerpt, err = unpack(packed.Value)
		found.Excerpt = string(excerpt)
	}
	if err != nil {
		return delivery.FailureResponse{}, fmt.Errorf("read response of %s: %w", key.Event, err)
	}
	return found, nil
}

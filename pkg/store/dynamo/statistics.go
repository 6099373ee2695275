package dynamo

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Statistics stores what became of webhooks' attempts; see statistics.Store.
type Statistics struct{ table }

var _ statistics.Store = (*Statistics)(nil)

// The attributes of an hour. The number of a bucket follows the prefix of its
// histogram.
const (
	attrAttempts   = "attempts"
	attrDelivered  = "delivered"
	attrFailed     = "failed"
	attrSuppressed = "suppressed"
	tookPrefix     = "d"
	lagPrefix      = "l"
)

// hourFormat makes keys that sort in order of time.
const hourFormat = "2006-01-02T15"

func statisticsPK(tenant webhook.Tenant, id int32) string {
	return fmt.Sprintf("T#%s#W#%d", tenant, id)
}

func hourSK(hour time.Time) string { return "HOUR#" + hour.UTC().Format(hourFormat) }

// Count adds to an hour of a webhook. It is one write unit: the item is smaller than
// 1 KB, however often each attribute is added to.
func (s *Statistics) Count(ctx context.Context, tenant webhook.Tenant, id int32, hour statistics.Hour) error {
	if hour.Attempts == 0 {
		return nil
	}
	var adds []string
	values := item{":expires": expirySeconds(hour.ExpiresAt), ":expires_ms": millis(hour.ExpiresAt)}
	for attribute, n := range counts(hour) {
		if n != 0 {
			values[":"+attribute] = number(n)
			adds = append(adds, attribute+" :"+attribute)
		}
	}
	err := s.retry(ctx, func() error {
		_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.name, Key: key(statisticsPK(tenant, id), hourSK(hour.From)), ExpressionAttributeValues: values,
			UpdateExpression: aws.String("SET " + attrExpires + " = :expires, " + attrExpiresMS + " = :expires_ms ADD " + strings.Join(adds, ", ")),
		})
		return err
	})
	return wrap(err, "count attempts of webhook %d", id)
}

// counts returns the numbers of an hour by their attributes.
func counts(hour statistics.Hour) iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		ok := yield(attrAttempts, hour.Attempts) && yield(attrDelivered, hour.Delivered) && yield(attrFailed, hour.Failed) && yield(attrSuppressed, hour.Suppressed)
		for i := 0; ok && i < statistics.HistogramBuckets; i++ {
			ok = yield(tookPrefix+strconv.Itoa(i), hour.Durations[i]) && yield(lagPrefix+strconv.Itoa(i), hour.Lags[i])
		}
	}
}

// Hours returns stored hours of a webhook.
func (s *Statistics) Hours(ctx context.Context, tenant webhook.Tenant, id int32, from time.Time, limit int) ([]statistics.Hour, error) {
	if limit <= 0 {
		return nil, nil
	}
	var hours []statistics.Hour
	var broken unreadable
	err := s.query(ctx, dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :pk AND sk BETWEEN :from AND :last"),
		ExpressionAttributeValues: item{":pk": text(statisticsPK(tenant, id)), ":from": text(hourSK(from)), ":last": text("HOUR#~")},
		Limit:                     pageLimit(limit),
	}, func(it item) bool {
		hour, err := decodeHour(it)
		switch {
		case err != nil:
			broken.add(it, err)
		case !it.expired(s.now()):
			hours = append(hours, hour)
		}
		return len(hours) < limit
	})
	if err != nil {
		return nil, wrap(err, "statistics of webhook %d", id)
	}
	return hours, broken.err()
}

func decodeHour(it item) (statistics.Hour, error) {
	r := reader{item: it}
	h := statistics.Hour{
		Attempts: r.int64(attrAttempts), Delivered: r.int64(attrDelivered), Failed: r.int64(attrFailed), Suppressed: r.int64(attrSuppressed), ExpiresAt: r.time(attrExpiresMS),
	}
	for i := range statistics.HistogramBuckets {
		h.Durations[i] = r.int64(tookPrefix + strconv.Itoa(i))
		h.Lags[i] = r.int64(lagPrefix + strconv.Itoa(i))
	}
	sk := r.text(attrSK)
	if r.err != nil {
		return statistics.Hour{}, r.err
	}
	from, err := time.Parse("HOUR#"+hourFormat, sk)
	if err != nil {
		return statistics.Hour{}, fmt.Errorf("key %s is not of an hour", sk)
	}
	h.From = from
	return h, nil
}

package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	timerSK        = "TIMER"
	attrEmptySince = "empty_since"
	attrWidth      = "width"
)

func timerPK(k webhook.Key) string { return fmt.Sprintf("T#%s#W#%d", k.Tenant, k.ID) }

func timerKey(k webhook.Key) item { return key(timerPK(k), timerSK) }

// timerShard returns a timer's partition in the index of due rows, where timers have
// partitions of their own behind those of rows.
func timerShard(shard int) int { return delivery.DueShards + shard }

// readTimerKey is the inverse of timerKey.
func readTimerKey(r *reader) webhook.Key {
	parts := strings.Split(r.text(attrPK), "#")
	if len(parts) == 4 {
		if id, err := strconv.ParseInt(parts[3], 10, 32); err == nil {
			return webhook.Key{Tenant: webhook.Tenant(parts[1]), ID: int32(id)}
		}
	}
	r.fail(attrPK, r.item[attrPK])
	return webhook.Key{}
}

func encodeTimer(t delivery.Timer) item {
	it := timerKey(t.Key)
	it[attrVer] = number(t.Version)
	it[attrSweepAt], it[attrDueShard] = millis(t.DueAt), number(timerShard(delivery.TimerShard(t.Key)))
	it.setTime(attrEmptySince, t.EmptySince)
	it.setInt(attrWidth, int64(t.Width))
	return it
}

func decodeTimer(it item) (delivery.Timer, error) {
	r := reader{item: it}
	t := delivery.Timer{
		Key: readTimerKey(&r), DueAt: r.time(attrSweepAt), Version: r.int64(attrVer), EmptySince: r.time(attrEmptySince), Width: r.int(attrWidth),
	}
	if r.err != nil {
		return delivery.Timer{}, fmt.Errorf("read timer: %w", r.err)
	}
	return t, nil
}

// Timer reads a timer consistently.
func (s *Deliveries) Timer(ctx context.Context, key webhook.Key) (delivery.Timer, error) {
	it, err := s.get(ctx, timerKey(key))
	if err != nil {
		return delivery.Timer{}, wrap(err, "timer of webhook %d", key.ID)
	}
	if it == nil {
		return delivery.Timer{}, fmt.Errorf("timer of webhook %d: %w", key.ID, webhook.ErrNotFound)
	}
	return decodeTimer(it)
}

// SetTimer writes a timer on its version.
func (s *Deliveries) SetTimer(ctx context.Context, t delivery.Timer) (delivery.Timer, error) {
	c := absent
	if t.Version > 0 {
		c = versionIs(t.Version)
	}
	t.Version++
	it := encodeTimer(t)
	_, ok, err := s.put(ctx, it, c)
	if err != nil {
		return delivery.Timer{}, wrap(err, "set timer of webhook %d", t.Key.ID)
	}
	if !ok {
		return delivery.Timer{}, fmt.Errorf("set timer of webhook %d: %w", t.Key.ID, delivery.ErrRefused)
	}
	return decodeTimer(it)
}

func versionIs(version int64) condition {
	return condition{text: "ver = :seen", values: item{":seen": number(version)}}
}

// PullTimer makes a timer due.
func (s *Deliveries) PullTimer(ctx context.Context, key webhook.Key, now time.Time) error {
	_, _, err := s.update(ctx, timerKey(key), "SET sweep_at = :now, ver = ver + :one", condition{
		text: "attribute_exists(ver) AND sweep_at > :now", values: item{":now": millis(now), ":one": number(1)},
	})
	return wrap(err, "pull timer of webhook %d", key.ID)
}

// RemoveTimer removes a timer of a version.
func (s *Deliveries) RemoveTimer(ctx context.Context, t delivery.Timer) error {
	c := versionIs(t.Version)
	c.text = "attribute_not_exists(pk) OR " + c.text
	removed, err := s.remove(ctx, timerKey(t.Key), c)
	if err == nil && !removed {
		return fmt.Errorf("remove timer of webhook %d: %w", t.Key.ID, delivery.ErrRefused)
	}
	return wrap(err, "remove timer of webhook %d", t.Key.ID)
}

// DueTimers reads the index, which is always eventually consistent.
func (s *Deliveries) DueTimers(ctx context.Context, shard int, before time.Time, after delivery.DueTimer, limit int) ([]delivery.DueTimer, error) {
	if limit <= 0 {
		return nil, nil
	}
	in := dynamodb.QueryInput{
		IndexName:                 aws.String(dueIndex),
		KeyConditionExpression:    aws.String("due_shard = :shard AND sweep_at <= :before"),
		ExpressionAttributeValues: item{":shard": number(timerShard(shard)), ":before": millis(before)},
		Limit:                     pageLimit(limit),
	}
	if after != (delivery.DueTimer{}) {
		start := timerKey(after.Key)
		start[attrDueShard], start[attrSweepAt] = number(timerShard(shard)), millis(after.DueAt)
		in.ExclusiveStartKey = start
	}
	var found []delivery.DueTimer
	var broken unreadable
	err := s.query(ctx, in, func(it item) bool {
		r := reader{item: it}
		t := delivery.DueTimer{Key: readTimerKey(&r), DueAt: r.time(attrSweepAt)}
		if r.err != nil {
			broken.add(it, r.err)
			return true
		}
		found = append(found, t)
		return len(found) < limit
	})
	if err != nil {
		return nil, wrap(err, "due timers of shard %d", shard)
	}
	return found, broken.err()
}

package dynamo

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item is an item or its key. The setters omit zero values, and an absent
// attribute reads as zero.
type item map[string]types.AttributeValue

// The attributes shared by several kinds of items.
const (
	attrPK = "pk"
	attrSK = "sk"
	// attrExpires is the tables' TTL attribute: unix seconds, rounded up, so
	// that DynamoDB never removes an item too early.
	attrExpires = "expires_at"
	// attrExpiresMS is the same time in milliseconds. It decides what readers
	// see, since TTL may lag by days.
	attrExpiresMS = "expires_ms"
)

func key(pk, sk string) item { return item{attrPK: text(pk), attrSK: text(sk)} }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number[N ~int | ~int8 | ~int32 | ~int64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

// millis returns the stored form of a time. The zero time has none and must be
// omitted.
func millis(t time.Time) types.AttributeValue { return number(t.UnixMilli()) }

func (it item) setText(name, s string) {
	if s != "" {
		it[name] = text(s)
	}
}

func (it item) setInt(name string, n int64) {
	if n != 0 {
		it[name] = number(n)
	}
}

func (it item) setTime(name string, t time.Time) {
	if !t.IsZero() {
		it[name] = millis(t)
	}
}

// setExpiry sets both attributes of an expiry.
func (it item) setExpiry(t time.Time) {
	if !t.IsZero() {
		it[attrExpires], it[attrExpiresMS] = expirySeconds(t), millis(t)
	}
}

func expirySeconds(t time.Time) types.AttributeValue {
	return number((t.UnixMilli() + 999) / 1000)
}

// reader reads an item's attributes and keeps the first error. An attribute of
// the wrong type was not written by this package.
type reader struct {
	item
	err error
}

func (r *reader) fail(name string, v types.AttributeValue) {
	if r.err == nil {
		r.err = fmt.Errorf("attribute %s has an unexpected form (%T)", name, v)
	}
}

func (r *reader) text(name string) string {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		r.fail(name, v)
	}
	return ""
}

func (r *reader) int64(name string) int64 {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			r.fail(name, v)
		}
		return n
	default:
		r.fail(name, v)
	}
	return 0
}

func (r *reader) int(name string) int { return int(r.int64(name)) }

func (r *reader) int32(name string) int32 {
	n := r.int64(name)
	if n < math.MinInt32 || n > math.MaxInt32 {
		r.fail(name, r.item[name])
		return 0
	}
	return int32(n)
}

func (r *reader) time(name string) time.Time {
	if _, ok := r.item[name]; !ok {
		return time.Time{}
	}
	return time.UnixMilli(r.int64(name)).UTC()
}

func (r *reader) list(name string) ([]types.AttributeValue, bool) {
	switch v := r.item[name].(type) {
	case nil:
		return nil, false
	case *types.AttributeValueMemberL:
		return v.Value, true
	default:
		r.fail(name, v)
		return nil, false
	}
}

// expired reports whether an item counts as absent at now. TTL removes it
// later.
func (it item) expired(now time.Time) bool {
	r := reader{item: it}
	at := r.time(attrExpiresMS)
	return !at.IsZero() && !at.After(now)
}

// condition is a condition expression with the names and values used by it or
// by the update it belongs to. names lists the attributes that the expressions
// spell "#name", because DynamoDB reserves the bare word.
type condition struct {
	text   string
	names  []string
	values map[string]types.AttributeValue
}

func (c condition) nameMap() map[string]string {
	if len(c.names) == 0 {
		return nil
	}
	m := make(map[string]string, len(c.names))
	for _, name := range c.names {
		m["#"+name] = name
	}
	return m
}

// absent is met if there is no item.
var absent = condition{text: "attribute_not_exists(pk)"}

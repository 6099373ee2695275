package dynamo

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

// The attributes of a source's counts. A skip's reason and a missing name follow
// their prefix.
const (
	attrTaken     = "taken"
	attrMade      = "made"
	attrRefused   = "refused"
	attrTruncated = "truncated"
	attrLastTaken = "last_taken"
	attrFault     = "fault"
	attrFaultAt   = "fault_at"
	skipPrefix    = "s#"
	missPrefix    = "m#"
)

// Count adds to the counts of a source. It is one write, plus one read if names
// are missing, and a second write where a time that is later is stored.
func (s *Sources) Count(ctx context.Context, name string, c source.Counts) error {
	if len(c.Missing) > 0 {
		have, err := s.Counts(ctx, name)
		if err != nil {
			return err
		}
		c.Missing = source.Room(have.Missing, c.Missing)
	}
	stands, ok, err := s.add(ctx, name, c, true)
	if err == nil && !ok {
		have, readErr := decodeCounts(stands)
		if readErr != nil {
			return readErr
		}
		if !c.LastTaken.After(have.LastTaken) {
			c.LastTaken = time.Time{}
		}
		if !c.LastFaultAt.After(have.LastFaultAt) {
			c.LastFaultAt = time.Time{}
		}
		_, _, err = s.add(ctx, name, c, false)
	}
	return wrap(err, "count source %s", name)
}

// add writes all counts, and the times. With later it is refused if a stored
// time is later, and returns what is stored.
func (s *Sources) add(ctx context.Context, name string, c source.Counts, later bool) (stands item, ok bool, err error) {
	u := countsUpdate{names: map[string]string{}, values: item{}}
	u.add(attrTaken, c.Taken)
	u.add(attrMade, c.Made)
	u.add(attrRefused, c.Refused)
	u.add(attrTruncated, c.Truncated)
	for reason, n := range c.Skipped {
		u.add(skipPrefix+string(reason), n)
	}
	for name, n := range c.Missing {
		u.add(missPrefix+name, n)
	}
	u.setTime(attrLastTaken, c.LastTaken)
	if !c.LastFaultAt.IsZero() {
		u.setTime(attrFaultAt, c.LastFaultAt)
		u.set(attrFault, text(c.LastFault))
	}
	if len(u.values) == 0 {
		return nil, true, nil
	}
	in := &dynamodb.UpdateItemInput{
		TableName: &s.name, Key: countsKey(name), UpdateExpression: aws.String(u.expression()),
		ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if later && len(u.conditions) > 0 {
		in.ConditionExpression = aws.String(strings.Join(u.conditions, " AND "))
	}
	return refusal(s.retry(ctx, func() error {
		_, err := s.client.UpdateItem(ctx, in)
		return err
	}))
}

// countsUpdate collects the parts of an update. Attributes are numbered, since
// their names may hold any character.
type countsUpdate struct {
	names                  map[string]string
	values                 item
	adds, sets, conditions []string
}

func (u *countsUpdate) name(attribute string, value types.AttributeValue) (name, placeholder string) {
	n := strconv.Itoa(len(u.values))
	u.names["#a"+n], u.values[":v"+n] = attribute, value
	return "#a" + n, ":v" + n
}

func (u *countsUpdate) add(attribute string, n int64) {
	if n != 0 {
		name, value := u.name(attribute, number(n))
		u.adds = append(u.adds, name+" "+value)
	}
}

func (u *countsUpdate) set(attribute string, v types.AttributeValue) (name, value string) {
	name, value = u.name(attribute, v)
	u.sets = append(u.sets, name+" = "+value)
	return name, value
}

func (u *countsUpdate) setTime(attribute string, at time.Time) {
	if !at.IsZero() {
		name, value := u.set(attribute, millis(at))
		u.conditions = append(u.conditions, "(attribute_not_exists("+name+") OR "+name+" <= "+value+")")
	}
}

func (u *countsUpdate) expression() string {
	var parts []string
	if len(u.sets) > 0 {
		parts = append(parts, "SET "+strings.Join(u.sets, ", "))
	}
	if len(u.adds) > 0 {
		parts = append(parts, "ADD "+strings.Join(u.adds, ", "))
	}
	return strings.Join(parts, " ")
}

// Counts returns the counts of a source.
func (s *Sources) Counts(ctx context.Context, name string) (source.Counts, error) {
	it, err := s.get(ctx, countsKey(name))
	if err != nil {
		return source.Counts{}, wrap(err, "counts of source %s", name)
	}
	return decodeCounts(it)
}

func decodeCounts(it item) (source.Counts, error) {
	r := reader{item: it}
	c := source.Counts{
		Taken: r.int64(attrTaken), Made: r.int64(attrMade), Refused: r.int64(attrRefused), Truncated: r.int64(attrTruncated),
		LastTaken: r.time(attrLastTaken), LastFault: r.text(attrFault), LastFaultAt: r.time(attrFaultAt),
	}
	for attribute := range it {
		if reason, is := strings.CutPrefix(attribute, skipPrefix); is {
			if c.Skipped == nil {
				c.Skipped = map[source.Reason]int64{}
			}
			c.Skipped[source.Reason(reason)] = r.int64(attribute)
		} else if name, is := strings.CutPrefix(attribute, missPrefix); is {
			if c.Missing == nil {
				c.Missing = map[string]int64{}
			}
			c.Missing[name] = r.int64(attribute)
		}
	}
	return c.Limited(), r.err
}

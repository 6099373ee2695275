package source

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Delivery is a webhook POST that a relay accepted: its signature has verified.
type Delivery struct {
	Body []byte
	// ID and At are the webhook-id and webhook-timestamp headers of Standard
	// Webhooks. SuperOffice has both in the body.
	ID string
	At time.Time
	// Hops is the X-Posthaste-Hops header, 0 without one.
	Hops int
}

const (
	// relayTolerance is how far a sender's clock may be ahead.
	relayTolerance = 5 * time.Minute
	// takeTime is more than passes until the idempotency key of an event is
	// claimed or looked up.
	takeTime   = time.Minute
	maxHops    = 3
	maxEventID = 255
	maxEntity  = 200
)

// FromRelay returns what a verified delivery becomes. now is when it is taken,
// life how long events are kept. A repeated delivery is recognized for life less
// a day, and an older one is skipped, so a captured POST never becomes a second
// event.
func (s Source) FromRelay(d Delivery, now time.Time, life time.Duration) Outcome {
	if jsonscan.CheckObject(d.Body) != nil {
		return skipped(ReasonUnreadable)
	}
	body, err := jsonscan.Members(compact(d.Body))
	if err != nil {
		return skipped(ReasonUnreadable)
	}
	m := members(body)
	var out Outcome
	if s.Relay.Protocol == ProtocolStandard {
		out = s.fromStandard(m, d)
	} else {
		out = s.fromSuperOffice(m)
	}
	if out.Skip != "" {
		return out
	}
	e := &out.Event
	remembered := life - 24*time.Hour
	switch {
	case strings.EqualFold(e.Name, webhook.TestEventName):
		return skipped(ReasonPing)
	case !webhook.MayRaise(e.Name):
		return skipped(ReasonName)
	case e.Content.SourceEvent == "" || utf8.RuneCountInString(e.Content.SourceEvent) > maxEventID:
		return skipped(ReasonID)
	case d.Hops+1 > maxHops:
		return skipped(ReasonLoop)
	case e.At.IsZero() || e.At.After(now.Add(relayTolerance)):
		return skipped(ReasonTimestamp)
	case !e.At.After(now.Add(relayTolerance + takeTime - remembered)):
		return skipped(ReasonOld)
	}
	e.Tenant, e.Hops, e.Content.Source = s.Tenant, d.Hops+1, "/in/"+s.Name
	out.Once = webhook.Once{Key: webhook.OnceKey(e.Content.Source, e.Content.SourceEvent), Life: remembered}
	return out
}

// fromSuperOffice maps SuperOffice's body. Its members pass through as they are;
// the sender's WebhookName and Properties do not.
func (s Source) fromSuperOffice(m members) Outcome {
	c := &webhook.Content{SourceEvent: m.text("EventId"), Context: m.text("ContextIdentifier")}
	if c.Context != s.Relay.Context {
		return skipped(ReasonContext)
	}
	e := webhook.Event{Name: m.text("Event"), At: m.time("Timestamp"), Content: c}
	var ok [3]bool
	e.PrimaryKey, ok[0] = m.int32("PrimaryKey")
	e.ChangedBy, ok[1] = m.int32("ChangedByAssociateId")
	c.Changes, ok[2] = m.texts("Changes")
	c.Values, c.FieldValues = m.object("Values"), m.object("FieldValues")
	if ok != [3]bool{true, true, true} {
		return skipped(ReasonUnreadable)
	}
	if _, stated := m.value("Entity"); stated {
		entity := m.text("Entity")
		if utf8.RuneCountInString(entity) > maxEntity { // nothing else bounds it
			return skipped(ReasonUnreadable)
		}
		c.Entity = &entity
	}
	return Outcome{Event: e}
}

// fromStandard maps the body that Standard Webhooks recommends: type, timestamp
// and data.
func (s Source) fromStandard(m members, d Delivery) Outcome {
	c := &webhook.Content{SourceEvent: d.ID}
	e := webhook.Event{Name: m.text("type"), At: m.time("timestamp"), Key: m.text("key"), Content: c}
	if e.At.IsZero() {
		e.At = d.At
	}
	var ok bool
	if e.PrimaryKey, ok = m.int32("primaryKey"); !ok {
		return skipped(ReasonUnreadable)
	}
	if utf8.RuneCountInString(e.Key) > maxKey {
		_, e.Key = keyOf([]string{e.Key})
	}
	if data, stated := m.value("data"); stated {
		if data[0] != '{' {
			data = append(appendMember([]byte{'{'}, "data", data), '}')
		}
		c.FieldValues = data
		fields, err := jsonscan.Members(data)
		if err != nil {
			return skipped(ReasonUnreadable)
		}
		c.Changes = make([]string, len(fields))
		for i, f := range fields {
			c.Changes[i] = f.Name
		}
	}
	entity := e.Entity()
	c.Entity = &entity
	return Outcome{Event: e}
}

// members reads the members of a body. One that is null counts as absent.
type members []jsonscan.Member

func (m members) value(name string) (json.RawMessage, bool) {
	v := find(m, name)
	return v, v != nil && string(v) != "null"
}

// text returns a string, "" for anything else.
func (m members) text(name string) string {
	v, stated := m.value(name)
	var s string
	if !stated || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// int32 returns an integer, 0 if absent; false for anything else.
func (m members) int32(name string) (int32, bool) {
	v, stated := m.value(name)
	if !stated {
		return 0, true
	}
	n, err := strconv.ParseInt(string(v), 10, 32)
	return int32(n), err == nil
}

// texts returns a list of strings, nil if absent; false for anything else.
func (m members) texts(name string) (list []string, ok bool) {
	v, stated := m.value(name)
	if !stated {
		return nil, true
	}
	err := json.Unmarshal(v, &list)
	return list, err == nil && list != nil
}

// object returns an object, nil for anything else.
func (m members) object(name string) json.RawMessage {
	if v, stated := m.value(name); stated && v[0] == '{' {
		return v
	}
	return nil
}

// time returns a time, which is UTC where it has no zone; zero for anything else.
func (m members) time(name string) time.Time {
	text := m.text(name)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

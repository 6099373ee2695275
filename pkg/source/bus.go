package source

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// OwnPrefix begins the EventBridge source of this service's own events, which
// never become events again.
const OwnPrefix = "posthaste."

// BusEvent is an event as EventBridge delivers it.
type BusEvent struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail-type"`
	Time       time.Time       `json:"time"`
	Detail     json.RawMessage `json:"detail"`
}

// ParseBus returns the event of its JSON. The error names no value.
func ParseBus(raw []byte) (BusEvent, error) {
	var e BusEvent
	if err := jsonscan.CheckObject(raw); err != nil {
		return BusEvent{}, err
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return BusEvent{}, errors.New("has a member of another type than EventBridge's")
	}
	if e.ID == "" || e.Source == "" || e.DetailType == "" {
		return BusEvent{}, errors.New("lacks id, source or detail-type")
	}
	return e, nil
}

// DefaultBus returns the source that takes events of a bus for which no source
// is configured: all of them, with the default mapping.
func DefaultBus(tenant webhook.Tenant) Source {
	return Source{Name: "bus", Kind: KindBus, Tenant: tenant, Bus: &Bus{}, Revision: 1}
}

// Matches reports whether the event is one of the source's.
func (b *Bus) Matches(e BusEvent) bool {
	return (len(b.Sources) == 0 || slices.Contains(b.Sources, e.Source)) &&
		(len(b.DetailTypes) == 0 || slices.Contains(b.DetailTypes, e.DetailType))
}

// The ages that an event's own time may have for its id to be derived from it.
// EventBridge retries for a day, and repeats of an event carry its time.
const (
	busPast  = 24 * time.Hour
	busAhead = 5 * time.Minute
)

// FromBus returns what a bus event becomes. now is when the bus sent it, the same
// each time it comes. One sent before the source was created is skipped, also if it
// comes again: an older source of the same name may have had another tenant.
func (s Source) FromBus(e BusEvent, now time.Time) Outcome {
	var out Outcome
	if strings.HasPrefix(e.Source, OwnPrefix) {
		return skipped(ReasonOwn)
	}
	if now.Before(s.Created) {
		return skipped(ReasonEarly)
	}
	name := s.Bus.Event
	if name == "" {
		name = eventNameOf(e.DetailType)
	}
	if !webhook.MayRaise(name) {
		return skipped(ReasonName)
	}
	if jsonscan.CheckObject(e.Detail) != nil {
		return skipped(ReasonUnreadable)
	}
	members, err := jsonscan.Members(compact(e.Detail))
	if err != nil {
		return skipped(ReasonUnreadable)
	}
	content := &webhook.Content{Source: e.Source, SourceEvent: e.ID}
	content.FieldValues, content.Changes = object(members, s.Bus.Fields, &out)
	event := webhook.Event{Tenant: s.Tenant, Name: name, Content: content, At: e.Time, Hops: 1}
	entity := s.Bus.Entity
	if entity == "" {
		entity = event.Entity()
	}
	content.Entity = &entity
	if s.Bus.Key != "" {
		if value, ok := lookUp(members, s.Bus.Key, &out); ok {
			event.PrimaryKey, event.Key = keyOf([]string{value})
		}
	}
	if s.Bus.ChangedBy != "" {
		if value, ok := lookUp(members, s.Bus.ChangedBy, &out); ok {
			event.ChangedBy, _ = canonicalInt32(value)
		}
	}
	if e.Time.IsZero() {
		event.At = now
	}
	if e.Time.Before(now.Add(-busPast)) || e.Time.After(now.Add(busAhead)) {
		// With the prefix, the id is not a GUID, under which other sources' events
		// of the same bus event would be the same event.
		out.Once = webhook.Once{Key: webhook.OnceKey("bus/"+s.Name, "bus/"+e.ID), Life: busPast}
	} else {
		event.ID = webhook.DeriveEventID(e.Time, "bus", s.Name, e.ID)
	}
	out.Event = event
	return out
}

// eventNameOf returns the default name for a detail-type: "Order Placed" becomes
// "order.placed".
func eventNameOf(detailType string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(detailType) {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_', r == '-':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "."):
			b.WriteByte('.')
		}
	}
	return strings.TrimSuffix(b.String(), ".")
}

// object returns the object of the listed members, or of all, in the order of
// the record, and their names. Listed ones that the record lacks are Missing.
func object(members []jsonscan.Member, listed []string, out *Outcome) (json.RawMessage, []string) {
	values, names := []byte{'{'}, []string{}
	for _, m := range members {
		if len(listed) > 0 && !slices.Contains(listed, m.Name) {
			continue
		}
		values = appendMember(values, m.Name, m.Value)
		names = append(names, m.Name)
	}
	for _, name := range listed {
		if !slices.Contains(names, name) {
			out.Missing = append(out.Missing, name)
		}
	}
	return append(values, '}'), names
}

// lookUp returns the string or number at a dotted path, as it is written.
// Anything else is Missing.
func lookUp(members []jsonscan.Member, path string, out *Outcome) (string, bool) {
	for rest := path; ; {
		name, deeper, more := strings.Cut(rest, ".")
		i := slices.IndexFunc(members, func(m jsonscan.Member) bool { return m.Name == name })
		if i < 0 {
			break
		}
		if !more {
			if text, ok := scalar(members[i].Value); ok {
				return text, true
			}
			break
		}
		next, err := jsonscan.Members(members[i].Value)
		if err != nil {
			break
		}
		members, rest = next, deeper
	}
	out.Missing = append(out.Missing, path)
	return "", false
}

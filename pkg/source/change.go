package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Change is a change of a table's item, as its stream reports it to Lambda.
type Change struct {
	ID       string // eventID
	Kind     string // INSERT, MODIFY or REMOVE
	Table    string // ARN, without the stream's part
	Stream   string // ARN
	Stamp    time.Time
	Sequence string
	Images   bool // the stream has both images
	Expired  bool // TTL removed the item
	Old, New []jsonscan.Member
}

// ParseChange returns the change of one record of a stream batch. The error
// names no value.
func ParseChange(raw []byte) (Change, error) {
	var record struct {
		ID       string `json:"eventID"`
		Kind     string `json:"eventName"`
		Stream   string `json:"eventSourceARN"`
		Identity struct {
			Type      string `json:"type"`
			Principal string `json:"principalId"`
		} `json:"userIdentity"`
		Change struct {
			Created  float64         `json:"ApproximateCreationDateTime"` // seconds
			Sequence string          `json:"SequenceNumber"`
			View     string          `json:"StreamViewType"`
			Old      json.RawMessage `json:"OldImage"`
			New      json.RawMessage `json:"NewImage"`
		} `json:"dynamodb"`
	}
	if json.Unmarshal(raw, &record) != nil {
		return Change{}, errors.New("is not a record of a DynamoDB stream")
	}
	c := Change{
		ID: record.ID, Kind: record.Kind, Table: TableOf(record.Stream), Stream: record.Stream,
		Stamp:    time.UnixMilli(int64(math.Round(record.Change.Created * 1000))).UTC(),
		Sequence: record.Change.Sequence, Images: record.Change.View == "NEW_AND_OLD_IMAGES",
		Expired: record.Identity.Type == "Service" && record.Identity.Principal == "dynamodb.amazonaws.com",
	}
	if c.ID == "" || c.Table == "" || record.Change.Created <= 0 {
		return c, errors.New("lacks eventID, eventSourceARN or ApproximateCreationDateTime")
	}
	var err error
	if c.Old, err = image(record.Change.Old); err == nil {
		c.New, err = image(record.Change.New)
	}
	return c, err
}

// image returns an image's attributes as plain JSON, in the order of the record.
func image(raw json.RawMessage) ([]jsonscan.Member, error) {
	attributes, err := jsonscan.Members(compact(raw))
	if err != nil {
		return nil, err
	}
	for i := range attributes {
		if attributes[i].Value, err = plain(attributes[i].Value, 0); err != nil {
			return nil, err
		}
	}
	return attributes, nil
}

// TableOf returns the ARN of the table that a stream's ARN names, "" for any
// other string.
func TableOf(streamARN string) string {
	table, _, ok := strings.Cut(streamARN, "/stream/")
	if !ok || !validTableARN(table) {
		return ""
	}
	return table
}

// validTableARN reports whether a string is the ARN of a DynamoDB table.
func validTableARN(arn string) bool {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "dynamodb" || parts[3] == "" || parts[4] == "" {
		return false
	}
	name, ok := strings.CutPrefix(parts[5], "table/")
	return ok && name != "" && !strings.ContainsRune(name, '/')
}

// FromChange returns what a change becomes: at most one event, whose id derives
// from nothing that the mapping produces, so neither a repeated record nor a
// changed mapping makes a second one.
func (s Source) FromChange(c Change) Outcome {
	t := s.Table
	if c.Stamp.Before(s.Created.Truncate(time.Second)) { // stamps are whole seconds
		return skipped(ReasonEarly)
	}
	if !c.Images {
		return skipped(ReasonImages)
	}
	var out Outcome
	content := &webhook.Content{Entity: &t.Entity, Source: s.Name, SourceEvent: c.ID, Sequence: c.Sequence}
	name, current := t.Entity, c.New
	switch c.Kind {
	case "INSERT":
		name += ".created"
		content.FieldValues, content.Changes = t.listed(c.New)
	case "MODIFY":
		name += ".changed"
		if !t.compare(c, content) {
			return skipped(ReasonUnchanged)
		}
	case "REMOVE":
		current = c.Old
		name += ".deleted"
		if c.Expired {
			if !t.Expired {
				return skipped(ReasonExpired)
			}
			name = t.Entity + ".expired"
		}
		content.Values, _ = t.listed(c.Old)
		content.Changes, content.FieldValues = []string{}, json.RawMessage(`{}`)
	default:
		return skipped(ReasonUnreadable)
	}
	event := webhook.Event{
		Tenant: s.Tenant, ID: webhook.DeriveEventID(c.Stamp, "table", s.Name, c.Stream, c.ID), Name: name, Content: content, At: c.Stamp, Hops: 1,
	}
	for _, field := range t.Fields {
		if find(current, field) == nil {
			out.Missing = append(out.Missing, field)
		}
	}
	if t.TenantAttribute != "" {
		text, _ := lookUpOne(current, t.TenantAttribute, &out)
		if event.Tenant = webhook.Tenant(text); !slices.Contains(t.Tenants, event.Tenant) {
			return Outcome{Skip: ReasonTenant, Missing: out.Missing}
		}
	}
	var parts []string
	for _, attribute := range t.Key {
		if text, ok := lookUpOne(current, attribute, &out); ok {
			parts = append(parts, text)
		}
	}
	if len(parts) == len(t.Key) && len(parts) > 0 {
		event.PrimaryKey, event.Key = keyOf(parts)
	}
	if t.ChangedBy != "" {
		if text, ok := lookUpOne(current, t.ChangedBy, &out); ok {
			event.ChangedBy, _ = canonicalInt32(text)
		}
	}
	out.Event = event
	return out
}

// listed returns the object of those attributes of an image that may leave, and
// their names in events.
func (t *Table) listed(image []jsonscan.Member) (json.RawMessage, []string) {
	values, names := []byte{'{'}, []string{}
	for _, m := range image {
		if slices.Contains(t.Fields, m.Name) {
			values = appendMember(values, t.named(m.Name), m.Value)
			names = append(names, t.named(m.Name))
		}
	}
	return append(values, '}'), names
}

// compare sets the members of a change to exactly the listed attributes that
// differ, and reports whether there are any. A removed attribute is in Changes
// and not in FieldValues.
func (t *Table) compare(c Change, content *webhook.Content) bool {
	values, previous := []byte{'{'}, []byte{'{'}
	for _, field := range t.Fields {
		before, after := find(c.Old, field), find(c.New, field)
		if (before == nil) == (after == nil) && bytes.Equal(before, after) {
			continue
		}
		name := t.named(field)
		content.Changes = append(content.Changes, name)
		if after != nil {
			values = appendMember(values, name, after)
		}
		if before != nil && slices.Contains(t.Previous, field) {
			previous = appendMember(previous, name, before)
		}
	}
	content.FieldValues = append(values, '}')
	if len(t.Previous) > 0 {
		content.Previous = append(previous, '}')
	}
	return len(content.Changes) > 0
}

// named returns an attribute's name in events.
func (t *Table) named(attribute string) string {
	if name, renamed := t.Rename[attribute]; renamed {
		return name
	}
	return attribute
}

// find returns an attribute's value, nil if the image lacks it.
func find(image []jsonscan.Member, name string) json.RawMessage {
	if i := slices.IndexFunc(image, func(m jsonscan.Member) bool { return m.Name == name }); i >= 0 {
		return image[i].Value
	}
	return nil
}

// lookUpOne returns the string or number of an attribute. Anything else is
// Missing.
func lookUpOne(image []jsonscan.Member, attribute string, out *Outcome) (string, bool) {
	if text, ok := scalar(find(image, attribute)); ok {
		return text, true
	}
	out.Missing = append(out.Missing, attribute)
	return "", false
}

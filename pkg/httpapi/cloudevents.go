package httpapi

import (
	"slices"
	"strconv"

	"github.com/posthaste-dev/posthaste/pkg/cloudevent"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// This file reads the three modes of CloudEvents over HTTP.

const (
	// extensionOurs is the extension that says that data holds members of the API.
	extensionOurs = "posthaste"
	// extensionSequence is the extension of the specification's own that orders the
	// events of a source.
	extensionSequence = "sequence"
)

// attributes are what CloudEvents has for members of an event.
var attributes = []struct{ member, attribute string }{
	{"Event", "type"},
	{"Key", "subject"},
	{"Timestamp", "time"},
	{"Source", "source"},
	{"Id", "id"},
	{"Sequence", extensionSequence},
	{"FieldValues", "data"},
}

// memberOf returns the member that an attribute is read into. Other attributes get a
// name that no member has.
func memberOf(attribute string) string {
	for _, a := range attributes {
		if a.attribute == attribute {
			return a.member
		}
	}
	return "attribute " + attribute
}

// sameAttribute returns an attribute as the JSON format has it.
func sameAttribute(attribute string) string { return attribute }

// headerOf returns where the binary mode has an attribute: a header, or the body.
func headerOf(attribute string) string {
	switch attribute {
	case "data":
		return "the body"
	case "Content-Type":
		return attribute
	}
	return "ce-" + attribute
}

// structuredEvent reads one CloudEvent in the JSON format.
func structuredEvent(c *call) (submissions, error) {
	text, err := jsonBody(c)
	if err != nil {
		return submissions{}, err
	}
	if text == nil || text[0] != byte(wire.KindObject) {
		return submissions{}, webhook.Invalid("the body must be one CloudEvent; an array of them has the Content-Type application/cloudevents-batch+json")
	}
	s := submissions{single: true, display: sameAttribute}
	s.add(cloudevent.ParseJSON(text))
	return s, nil
}

// eventBatch reads an array of CloudEvents in the JSON format, which may be empty.
func eventBatch(c *call) (submissions, error) {
	text, err := jsonBody(c)
	if err != nil {
		return submissions{}, err
	}
	if text == nil || text[0] != byte(wire.KindArray) {
		return submissions{}, webhook.Invalid("the body must be an array of CloudEvents; one of them has the Content-Type application/cloudevents+json")
	}
	items, err := batchItems(wire.Raw(text))
	if err != nil {
		return submissions{}, err
	}
	s := submissions{display: sameAttribute}
	for i := range items {
		s.add(cloudevent.ParseJSON(items[i].JSON()))
	}
	return s, nil
}

// binaryEvent reads one CloudEvent from headers and a body that is its data.
func binaryEvent(c *call, headers map[string][]string, contentType string) (submissions, error) {
	data, err := relabelled(c)
	if err != nil {
		return submissions{}, err
	}
	s := submissions{single: true, display: headerOf}
	if data != nil && cloudevent.JSON(contentType) {
		if err := jsonscan.CheckValue(data); err != nil {
			return submissions{}, webhook.Invalid("the body %v", err)
		}
	}
	s.add(cloudevent.ParseHeaders(headers, contentType, data))
	return s, nil
}

// add adds a CloudEvent and its faults.
func (s *submissions) add(e cloudevent.Event, faults []cloudevent.Fault) {
	added := webhook.Submission{Name: e.Type, Source: e.Source, ID: e.ID, At: e.Time, Sequence: e.Extensions[extensionSequence]}
	for _, f := range faults {
		if f.Unsupported {
			s.unsupported++
			e.Data = nil // that it is not JSON is said
		}
		added.Faults.AddText(memberOf(f.Attribute), "%s %s", s.display(f.Attribute), f.Rule)
	}
	if n, err := strconv.ParseInt(e.Subject, 10, 32); err == nil && strconv.FormatInt(n, 10) == e.Subject {
		added.PrimaryKey = int32(n)
	} else {
		added.Key = e.Subject
	}
	ours, stated := e.Extensions[extensionOurs]
	switch {
	case stated && ours != "event":
		added.Faults.AddText(memberOf(extensionOurs), "%s must be event", s.display(extensionOurs))
	case e.Data == nil:
	case stated:
		s.addMembers(&added, wire.Raw(e.Data))
	case e.Data[0] == byte(wire.KindObject):
		added.FieldValues = e.Data
	default:
		added.FieldValues = slices.Concat([]byte(`{"data":`), e.Data, []byte("}"))
	}
	s.list = append(s.list, added)
}

// addMembers reads the data of a CloudEvent that holds members of the API. A member
// that an attribute states too must have the same value.
func (s *submissions) addMembers(added *webhook.Submission, data wire.Tree) {
	if data.Kind() != wire.KindObject {
		added.Faults.AddText("FieldValues", "%s must be an object", s.display("data"))
		return
	}
	path := "data."
	if s.display("data") != "data" {
		path = "" // the body is the object
	}
	attributes := *added
	readEventMembers(added, data, path, contentMembers)
	for _, m := range []struct {
		name, attribute string
		stated, differs bool
	}{
		{"PrimaryKey", "subject", attributes.PrimaryKey != 0, attributes.PrimaryKey != added.PrimaryKey},
		{"Key", "subject", attributes.Key != "", attributes.Key != added.Key},
		{"Sequence", extensionSequence, attributes.Sequence != "", attributes.Sequence != added.Sequence},
	} {
		if m.stated && m.differs {
			added.Faults.AddText(m.name, "%s%s differs from %s", path, m.name, s.display(m.attribute))
		}
	}
}

package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/cloudevent"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// submissions are the events of one call of POST /api/v1/Events.
type submissions struct {
	list []webhook.Submission
	// single reports that the call is one event and not a batch, so that faults
	// have no index.
	single bool
	// display returns what the call has for an attribute of CloudEvents, such as a
	// header. nil: it has the API's own members.
	display func(attribute string) string
	// unsupported counts the faults that say that data is not JSON.
	unsupported int
}

// acceptedEvents is the response to submitted events: their ids, in their order.
type acceptedEvents struct {
	EventIDs []webhook.EventID `json:"EventIds"`
}

func (acceptedEvents) xmlName() string { return "AcceptedEvents" }

// submitEvents accepts events in the API's own JSON or as CloudEvents. It stores all
// of them or refuses all of them.
func (a *api) submitEvents(c *call) (reply, error) {
	s, err := readEvents(c)
	if err != nil {
		return reply{}, err
	}
	if len(s.list) == 0 { // a batch of CloudEvents may be empty
		return reply{status: http.StatusAccepted, body: acceptedEvents{[]webhook.EventID{}}}, nil
	}
	if s.single {
		c.event = s.list[0].Name
	}
	hops, err := hopsOf(c.Header)
	if err != nil {
		s.list[0].Faults.Add(headerHops, hopsRule)
	}
	for i := range s.list {
		s.list[i].Hops = hops
	}
	ids, err := a.Publisher.PublishAll(c.Context(), c.who, c.Header.Get(headerIdempotencyKey), s.list)
	if err != nil {
		return reply{}, s.explain(err)
	}
	if s.single {
		c.eventID = ids[0]
	} else {
		c.events = len(ids)
	}
	return reply{status: http.StatusAccepted, body: acceptedEvents{ids}}, nil
}

// readEvents reads the events of a call. The Content-Type says how CloudEvents are
// sent; the headers of attributes do if it is that of data.
func readEvents(c *call) (submissions, error) {
	contentType := c.Header.Get("Content-Type")
	mediaType, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	headers := cloudevent.Attributes(c.Header)
	switch mediaType = strings.TrimSpace(mediaType); {
	case mediaType == "application/cloudevents+json":
		return structuredEvent(c)
	case mediaType == "application/cloudevents-batch+json":
		return eventBatch(c)
	case strings.HasPrefix(mediaType, "application/cloudevents"):
		return submissions{}, wire.Unsupported("The Content-Type %s is not supported; send CloudEvents as JSON", wire.Shorten(mediaType))
	case headers != nil:
		return binaryEvent(c, headers, contentType)
	}
	return ownEvents(c)
}

// jsonBody reads a body that is one JSON value, whatever type of JSON its label
// says. nil: there is no body.
func jsonBody(c *call) ([]byte, error) {
	text, err := relabelled(c)
	if err != nil || text == nil {
		return nil, err
	}
	if err := jsonscan.CheckValue(text); err != nil {
		return nil, webhook.Invalid("the body %v", err)
	}
	return text, nil
}

// relabelled reads a body as it would be read under the label application/json,
// with the parameters of its own.
func relabelled(c *call) ([]byte, error) {
	r := *c.Request
	r.Header = c.Header.Clone()
	_, params, _ := strings.Cut(c.Header.Get("Content-Type"), ";")
	r.Header.Set("Content-Type", "application/json;"+params)
	text, _, err := wire.ReadText(&r)
	return text, err
}

// ownEvents reads an event or an array of events in the API's own JSON.
func ownEvents(c *call) (submissions, error) {
	text, label, err := wire.ReadText(c.Request)
	switch {
	case err != nil:
		return submissions{}, err
	case text != nil && !label.IsJSON():
		return submissions{}, wire.Unsupported("Events are read as JSON only; send Content-Type: application/json, or CloudEvents")
	case text == nil || string(text) == "null":
		return submissions{}, webhook.Invalid("the body must be an event or an array of events")
	}
	if err := jsonscan.CheckValue(text); err != nil {
		return submissions{}, webhook.Invalid("the body %v", err)
	}
	body := wire.Raw(text)
	if body.Kind() != wire.KindArray {
		if body.Kind() != wire.KindObject {
			return submissions{}, webhook.Invalid("the body must be an event or an array of events")
		}
		return submissions{list: []webhook.Submission{ownEvent(body)}, single: true}, nil
	}
	items, err := batchItems(body)
	if err != nil {
		return submissions{}, err
	}
	if len(items) == 0 {
		return submissions{}, webhook.Invalid("at least one event is required")
	}
	var s submissions
	for _, item := range items {
		s.list = append(s.list, ownEvent(item))
	}
	return s, nil
}

// batchItems returns the items of an array of events.
func batchItems(body wire.Tree) ([]wire.Tree, error) {
	items, more := body.Items(webhook.MaxSubmissions)
	if more {
		return nil, webhook.Invalid("the body must have at most %d events", webhook.MaxSubmissions)
	}
	var f webhook.Faults
	for i := range items {
		if items[i].Kind() != wire.KindObject {
			f.AddText("", "[%d] must be an object", i)
		}
	}
	return items, f.Err()
}

// eventMember is a member of an event in the API's own JSON.
type eventMember struct {
	name string
	read func(s *webhook.Submission, v value)
}

// contentMembers are those that CloudEvents has no attributes for, and
// attributeMembers are the others.
var (
	contentMembers = []eventMember{
		{"PrimaryKey", func(s *webhook.Submission, v value) { s.PrimaryKey = v.number() }},
		{"Key", func(s *webhook.Submission, v value) { s.Key = v.text() }},
		{"Entity", func(s *webhook.Submission, v value) {
			if s.Entity = nil; !v.isNull() {
				entity := v.text()
				s.Entity = &entity
			}
		}},
		{"Changes", func(s *webhook.Submission, v value) { s.Changes = v.texts() }},
		{"FieldValues", func(s *webhook.Submission, v value) { s.FieldValues = v.object() }},
		{"Values", func(s *webhook.Submission, v value) { s.Values = v.object() }},
		{"Previous", func(s *webhook.Submission, v value) { s.Previous = v.object() }},
		{"ChangedByAssociateId", func(s *webhook.Submission, v value) {
			if s.ChangedBy = nil; !v.isNull() {
				by := v.number()
				s.ChangedBy = &by
			}
		}},
		{"Sequence", func(s *webhook.Submission, v value) { s.Sequence = v.text() }},
	}
	attributeMembers = []eventMember{
		{"Event", func(s *webhook.Submission, v value) {
			before := len(s.Faults)
			if s.Name = v.text(); s.Name == "" && len(s.Faults) == before {
				v.fault("must not be empty")
			}
		}},
		{"Timestamp", func(s *webhook.Submission, v value) { s.At = v.moment() }},
		{"Source", func(s *webhook.Submission, v value) { s.Source = v.text() }},
		{"Id", func(s *webhook.Submission, v value) { s.ID = v.text() }},
	}
	eventMembers = slices.Concat(attributeMembers[:1], contentMembers, attributeMembers[1:])
)

// ownEvent reads an event in the API's own JSON.
func ownEvent(object wire.Tree) webhook.Submission {
	var s webhook.Submission
	readEventMembers(&s, object, "", eventMembers)
	if _, isCloudEvent := object.Named("specversion"); isCloudEvent {
		s.Faults = webhook.Faults{{Member: "Event", Text: "specversion: a CloudEvent must have the Content-Type application/cloudevents+json, an array of them application/cloudevents-batch+json"}}
	} else if _, stated := object.Named("Event"); !stated {
		s.Faults.Add("Event", "is required")
	}
	return s
}

// readEventMembers reads members of an event from an object. Their names are
// case-insensitive; if one is repeated the last value counts. Unknown names are a
// fault: one may be misspelled, and what it holds would be lost. path precedes
// names in faults.
func readEventMembers(s *webhook.Submission, object wire.Tree, path string, known []eventMember) {
	found := make([]wire.Tree, len(known))
	var unknown unknownMembers
	for _, m := range object.Members() {
		if at := slices.IndexFunc(known, func(k eventMember) bool { return strings.EqualFold(k.name, m.Name) }); at >= 0 {
			found[at] = m.Value
		} else {
			unknown.add(m.Name)
		}
	}
	for i, tree := range found {
		if !tree.IsZero() {
			v := memberValue(known[i].name, tree, &s.Faults)
			v.path = path + known[i].name
			known[i].read(s, v)
		}
	}
	if len(unknown) > 0 {
		s.Faults.AddText("", "%s; the known ones are %s", unknown.text(path), memberNames(known))
	}
}

func memberNames(members []eventMember) string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return strings.Join(names, ", ")
}

// moment reads a time with a zone, as in RFC 3339. Only null is the zero time.
func (v value) moment() time.Time {
	before := len(*v.faults)
	text := v.text()
	if v.isNull() || len(*v.faults) > before {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if err != nil || at.IsZero() {
		v.fault("must be a time such as 2030-01-31T12:00:00Z")
	}
	return at
}

// explain returns an error of PublishAll in the terms of the call: faults name what
// the call has, and a refusal says which events it is about.
func (s submissions) explain(err error) error {
	var invalid *webhook.ValidationError
	switch {
	case errors.As(err, &invalid):
		return s.explainFaults(invalid.Faults)
	case errors.Is(err, webhook.ErrTooLarge):
		return s.explainEach(err, webhook.ErrTooLarge, func(webhook.Submission) string {
			return "Changes, FieldValues, Values and Previous must be at most 256 KiB together in compact form"
		})
	case errors.Is(err, webhook.ErrIdempotencyKeyReused):
		return s.explainEach(err, webhook.ErrIdempotencyKeyReused, func(e webhook.Submission) string {
			if e.ID == "" {
				return "The Idempotency-Key was already used with different content"
			}
			return s.name("Source") + " and " + s.name("Id") + " were already used with different content"
		})
	}
	return err
}

// name returns what the call has for a member of the API.
func (s submissions) name(member string) string {
	if s.display != nil {
		for _, a := range attributes {
			if a.member == member {
				return s.display(a.attribute)
			}
		}
	}
	return member
}

// explainFaults returns the error for faults: 415 if all of them say that data is
// not JSON. Those that the reader found are in the call's terms already.
func (s submissions) explainFaults(faults webhook.Faults) error {
	var explained webhook.Faults
	for _, f := range faults {
		text := f.Text
		if index, member, ok := strings.Cut(f.Member, "]."); ok {
			rest, domains := strings.CutPrefix(text, f.Member)
			if i, err := strconv.Atoi(index[1:]); err == nil && domains && !s.list[i].Faults.About(member) {
				text = index + "]." + s.name(member) + rest
			}
			if s.single || member == headerHops {
				text = strings.TrimPrefix(text, index+"].")
			}
		}
		if s.single {
			text = strings.TrimPrefix(text, "[0]: ")
		}
		explained.AddText(f.Member, "%s", text)
	}
	err := explained.Err()
	if len(faults) == s.unsupported {
		return wire.Unsupported("%s", err.Error())
	}
	return err
}

// explainEach returns an error of this kind with a text for each event that it is
// about.
func (s submissions) explainEach(err, kind error, text func(webhook.Submission) string) error {
	var texts []string
	for _, e := range submissionErrors(err) {
		switch {
		case !errors.Is(e, kind):
		case s.single:
			texts = append(texts, text(s.list[e.Index]))
		default:
			texts = append(texts, fmt.Sprintf("[%d]: %s", e.Index, text(s.list[e.Index])))
		}
	}
	return explain(err, "%s", strings.Join(texts, "; "))
}

// submissionErrors returns the errors about single events that an error joins.
func submissionErrors(err error) []*webhook.SubmissionError {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var found []*webhook.SubmissionError
	for _, each := range joined.Unwrap() {
		var e *webhook.SubmissionError
		if errors.As(each, &e) {
			found = append(found, e)
		}
	}
	return found
}

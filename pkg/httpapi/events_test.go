package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const eventsPath = "/api/v1/Events"

// accepted submits events and returns their ids.
func (s *server) accepted(body string, headers ...string) []webhook.EventID {
	s.t.Helper()
	got := s.call("POST", eventsPath, body, headers...)
	var response struct{ EventIds []webhook.EventID }
	if err := json.Unmarshal(got.Body.Bytes(), &response); got.Code != 202 || err != nil {
		s.t.Fatalf("%v %s: got %d %s", headers, body, got.Code, got.Body)
	}
	return response.EventIds
}

// stated returns an event without what is the same for all of a test.
func stated(e webhook.Event) webhook.Event {
	e.Tenant, e.ID, e.ExpiresAt = "", "", time.Time{}
	return e
}

func TestEvents_OwnJSON(t *testing.T) {
	t.Parallel()
	order, sale, ping := "order", "sale", "ping"
	for name, test := range map[string]struct {
		body string
		want []webhook.Event
	}{
		"the least": {`{"Event":"ping"}`, []webhook.Event{{Name: "ping", ChangedBy: 1, At: now, Hops: 1, Content: &webhook.Content{Entity: &ping}}}},
		"everything": {
			`{"Event":"order.deleted","PrimaryKey":7,"Key":"A-7","Entity":"sale","Changes":["b","a"],"FieldValues":{"a": 1.50},"Values":{ },"Previous":{"a":null},
				"ChangedByAssociateId":0,"Timestamp":"2026-11-24T08:00:00.1234567+01:00","Source":"shop","Id":"1","Sequence":"9"}`,
			[]webhook.Event{{
				Name: "order.deleted", PrimaryKey: 7, Key: "A-7", At: now.Add(-time.Hour + 123456700), Hops: 1, Content: &webhook.Content{
					Entity: &sale, Changes: []string{"b", "a"}, FieldValues: json.RawMessage(`{"a":1.50}`), Values: json.RawMessage(`{}`),
					Previous: json.RawMessage(`{"a":null}`), Source: "shop", SourceEvent: "1", Sequence: "9",
				},
			}},
		},
		"an array, names in any case, nulls, the last of two": {
			`[{"event":"x","EVENT":"order.a","fieldvalues":{"b":1,"a":2},"Changes":null,"Entity":null,"Timestamp":null,"ChangedByAssociateId":null,"PrimaryKey":null,"Key":null},
				{"Event":"order.b","Changes":[],"Entity":""}]`,
			[]webhook.Event{
				{Name: "order.a", ChangedBy: 1, At: now, Hops: 1, Content: &webhook.Content{Entity: &order, Changes: []string{"b", "a"}, FieldValues: json.RawMessage(`{"b":1,"a":2}`)}},
				{Name: "order.b", ChangedBy: 1, At: now, Hops: 1, Content: &webhook.Content{Entity: new(string), Changes: []string{}}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			ids := s.accepted(test.body)
			if len(ids) != len(test.want) {
				t.Fatalf("got %v", ids)
			}
			for i, id := range ids {
				e, err := s.db.Events().Get(t.Context(), "Default", id)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want[i], stated(e)); diff != "" {
					t.Errorf("event %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestEvents_Refused(t *testing.T) {
	t.Parallel()
	const (
		structured = "Content-Type: application/cloudevents+json"
		batch      = "Content-Type: application/cloudevents-batch+json"
		whole      = `"specversion":"1.0","id":"1","source":"/s","type":"a.b"`
		known      = "the known ones are Event, PrimaryKey, Key, Entity, Changes, FieldValues, Values, Previous, ChangedByAssociateId, Sequence, Timestamp, Source, Id"
	)
	binary := []string{"Ce-Specversion: 1.0", "ce-id: 1", "ce-source: /s", "ce-type: a.b", "Content-Type: application/json"}
	large := `{"a":"` + strings.Repeat("x", 256<<10) + `"}`
	for name, test := range map[string]struct {
		headers []string
		body    string
		status  int
		text    string // the whole message, or its beginning if it ends in …
	}{
		"no body":      {nil, ``, 400, "the body must be an event or an array of events"},
		"null":         {nil, `null`, 400, "the body must be an event or an array of events"},
		"a string":     {nil, `"a"`, 400, "the body must be an event or an array of events"},
		"no events":    {nil, `[]`, 400, "at least one event is required"},
		"101 events":   {nil, "[" + strings.Repeat(`{"Event":"a"},`, 100) + `{"Event":"a"}]`, 400, "the body must have at most 100 events"},
		"other items":  {nil, `[{"Event":"a"},1,[],null]`, 400, "[1] must be an object; [2] must be an object; [3] must be an object"},
		"no name":      {nil, `{}`, 400, "Event is required"},
		"a null name":  {nil, `{"Event":null}`, 400, "Event must not be empty"},
		"an odd name":  {nil, `{"Event":"a b"}`, 400, `Event "a b" must be 1 to 200 characters of A-Z a-z 0-9 _ . -`},
		"a reserved":   {nil, `{"Event":"webhook7.errors"}`, 400, `Event "webhook7.errors" is reserved`},
		"unknown ones": {nil, `{"Foo":1,"Context":"c"}`, 400, `unknown members "Foo", "Context"; ` + known + `; Event is required`},
		"a CloudEvent": {nil, `{` + whole + `}`, 400, "specversion: a CloudEvent must have the Content-Type application/cloudevents+json, an array of them application/cloudevents-batch+json"},
		"every fault of every event": {
			nil, `[{"Event":"a"},{"Event":5,"PrimaryKey":1.5,"Key":7,"Entity":[],"Changes":[1],"FieldValues":[],"Values":"","Previous":1,"ChangedByAssociateId":"x","Timestamp":"now","Source":1,"Id":2,"Sequence":3},
				{"Event":"","Foo":1},{"Event":"a","Timestamp":"2026-11-24T09:00:00Z"},{"Event":"a","Timestamp":"2026-10-01T00:00:00Z","Source":"/in/crm","Key":"` + strings.Repeat("k", 257) + `"}]`, 400,
			"[1].Event must be a string; [1].PrimaryKey must be a 32-bit integer; [1].Key must be a string; [1].Entity must be a string; [1].Changes[0] must be a string; [1].FieldValues must be an object; " +
				"[1].Values must be an object; [1].Previous must be an object; [1].ChangedByAssociateId must be a 32-bit integer; [1].Sequence must be a string; [1].Timestamp must be a time such as 2030-01-31T12:00:00Z; " +
				"[1].Source must be a string; [1].Id must be a string; [2].Event must not be empty; [2]: unknown member \"Foo\"; " + known + "; [3].Timestamp must be at most 5 minutes in the future; " +
				"[4].Key must be at most 256 characters; [4].Source must not begin with /in/; [4].Timestamp must be at most 29 days in the past",
		},
		"hops":                 {[]string{"X-Posthaste-Hops: x"}, `[{"Event":"a"}]`, 400, "X-Posthaste-Hops must be an integer from 0 to 65535"},
		"a loop":               {[]string{"X-Posthaste-Hops: 3"}, `[{"Event":"a"}]`, 508, "The signal passed through too many webhooks: it is in a loop"},
		"a long key":           {[]string{"Idempotency-Key: " + strings.Repeat("k", 256)}, `{"Event":"a"}`, 400, "Idempotency-Key must be at most 255 characters"},
		"XML":                  {[]string{"Content-Type: application/xml"}, `<a/>`, 415, "Events are read as JSON only; send Content-Type: application/json, or CloudEvents"},
		"a form":               {[]string{"Content-Type: application/x-www-form-urlencoded"}, `Event=a`, 415, "Events are read as JSON only; …"},
		"text":                 {[]string{"Content-Type: text/plain"}, `{"Event":"a"}`, 415, "…"},
		"gzip":                 {[]string{"Content-Encoding: gzip"}, `{"Event":"a"}`, 415, "…"},
		"an unknown charset":   {[]string{"Content-Type: application/json; charset=koi8-r"}, `{"Event":"a"}`, 415, "…"},
		"invalid UTF-8":        {nil, "{\"Event\":\"a\",\"FieldValues\":{\"a\":\"\xff\"}}", 400, "the body must be valid UTF-8"},
		"a surrogate":          {nil, `[{"Event":"a","FieldValues":{"a\ud800":1}}]`, 400, "the body has an unpaired surrogate …"},
		"deep":                 {nil, `{"Event":"a","FieldValues":{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}}`, 400, "the body is nested deeper than 64"},
		"two values":           {nil, `{"Event":"a"}{"Event":"a"}`, 400, "the body is not valid JSON: …"},
		"a large event":        {nil, `[{"Event":"a"},{"Event":"a","FieldValues":` + large + `}]`, 413, "[1]: Changes, FieldValues, Values and Previous must be at most 256 KiB together in compact form"},
		"a large single event": {nil, `{"Event":"a","Previous":` + large + `}`, 413, "Changes, FieldValues, Values and Previous must be at most 256 KiB together in compact form"},
		"a large body":         {nil, `{"Event":"a"}` + strings.Repeat(" ", 1<<20), 413, "…"},
		"faults before size":   {nil, `[{"Event":""},{"Event":"a","FieldValues":` + large + `}]`, 400, "[0].Event must not be empty"},
		"two contents": {
			nil, `[{"Event":"a","Source":"s","Id":"1"},{"Event":"b","Source":"s","Id":"1"},{"Event":"c","Source":"s","Id":"1"}]`, 422,
			"[1]: Source and Id were already used with different content; [2]: Source and Id were already used with different content",
		},

		"structured, no body":     {[]string{structured}, ``, 400, "the body must be one CloudEvent; an array of them has the Content-Type application/cloudevents-batch+json"},
		"structured, an array":    {[]string{structured}, `[{` + whole + `}]`, 400, "the body must be one CloudEvent; …"},
		"structured, a surrogate": {[]string{structured}, `{` + whole + `,"subject":"\udc00"}`, 400, "the body has an unpaired surrogate …"},
		"structured, avro":        {[]string{"Content-Type: application/cloudevents+avro"}, `x`, 415, "The Content-Type application/cloudevents+avro is not supported; send CloudEvents as JSON"},
		"structured, protobuf":    {[]string{"Content-Type: application/cloudevents-batch+protobuf"}, `x`, 415, "…"},
		"structured, of our own":  {[]string{structured}, `{"Event":"a"}`, 400, "Event is not an attribute name of CloudEvents: a-z and 0-9; specversion is required; id is required; source is required; type is required"},
		"structured, all faults": {
			[]string{structured},
			`{"specversion":"0.3","id":"1\n","source":"/in/x","type":"a b","time":"2026-11-24T09:00:00Z","subject":"` + strings.Repeat("s", 257) + `","sequence":"\t","data":1}`, 400,
			`specversion must be 1.0; type "a b" must be 1 to 200 characters of A-Z a-z 0-9 _ . -; subject must be at most 256 characters; id must be valid UTF-8 without control characters; ` +
				"sequence must be valid UTF-8 without control characters; source must not begin with /in/; time must be at most 5 minutes in the future",
		},
		"structured, base64":      {[]string{structured}, `{` + whole + `,"data_base64":"e30="}`, 415, "data_base64 is not supported: data must be JSON"},
		"structured, other data":  {[]string{structured}, `{` + whole + `,"datacontenttype":"text/xml","data":"<a/>"}`, 415, "datacontenttype must be application/json: data of other types is not supported"},
		"structured, both faults": {[]string{structured}, `{` + whole + `,"time":"x","data_base64":"e30="}`, 400, "time must be a time of RFC 3339, such as 2030-01-31T12:00:00Z; data_base64 is not supported: data must be JSON"},
		"structured, large":       {[]string{structured}, `{` + whole + `,"data":` + large + `}`, 413, "…"},
		"structured, not ours":    {[]string{structured}, `{` + whole + `,"posthaste":"signal"}`, 400, "posthaste must be event"},
		"structured, our members": {[]string{structured}, `{` + whole + `,"posthaste":"event","data":[]}`, 400, "data must be an object"},
		"structured, our members, faults": {
			[]string{structured},
			`{` + whole + `,"posthaste":"event","subject":"7","sequence":"1","data":{"PrimaryKey":8,"Sequence":"2","Changes":"a","Event":"x"}}`, 400,
			`data.Changes must be an array of strings; unknown member "data.Event"; the known ones are PrimaryKey, Key, Entity, Changes, FieldValues, Values, Previous, ChangedByAssociateId, Sequence; ` +
				`data.PrimaryKey differs from subject; data.Sequence differs from sequence`,
		},
		"structured, our members, other key": {[]string{structured}, `{` + whole + `,"posthaste":"event","subject":"A-7","data":{"Key":"A-8"}}`, 400, "data.Key differs from subject"},

		"batch, an object": {[]string{batch}, `{` + whole + `}`, 400, "the body must be an array of CloudEvents; one of them has the Content-Type application/cloudevents+json"},
		"batch, items":     {[]string{batch}, `[{` + whole + `},7]`, 400, "[1] must be an object"},
		"batch, faults": {
			[]string{batch},
			`[{` + whole + `},{},{` + whole + `,"time":"2026-11-25T09:00:00Z"}]`, 400,
			"[1].specversion is required; [1].id is required; [1].source is required; [1].type is required; [2].time must be at most 5 minutes in the future",
		},
		"batch, other data": {
			[]string{batch},
			`[{` + whole + `,"data_base64":""},{` + whole + `,"datacontenttype":"text/plain","data":""}]`, 415,
			"[0].data_base64 is not supported: data must be JSON; [1].datacontenttype must be application/json: data of other types is not supported",
		},
		"batch, two contents": {[]string{batch}, `[{` + whole + `},{` + whole + `,"data":1}]`, 422, "[1]: source and id were already used with different content"},
		"batch, large":        {[]string{batch}, `[{` + whole + `},{` + whole + `,"data":` + large + `}]`, 413, "[1]: …"},

		"binary, no version":    {binary[1:], `{}`, 400, "ce-specversion is required"},
		"binary, another":       {append(slices.Clone(binary), "ce-specversion: 0.3"), `{}`, 400, "ce-specversion must be 1.0"},
		"binary, one attribute": {[]string{"ce-subject: 7"}, ``, 400, "ce-specversion is required; ce-id is required; ce-source is required; ce-type is required"},
		"binary, faults": {
			append(slices.Clone(binary), "ce-type: a%20b", "ce-time: 2026-11-24T09:00:00Z", "ce-subject: 100%", "ce-id: %0a"), `{}`, 400,
			`ce-subject must have % only before two hexadecimal digits; write % as %25; ce-type "a b" must be 1 to 200 characters of A-Z a-z 0-9 _ . -; ce-id must be valid UTF-8 without control characters; ce-time must be at most 5 minutes in the future`,
		},
		"binary, two types":         {append(slices.Clone(binary), "ce-datacontenttype: application/json"), `{}`, 400, "ce-datacontenttype must not be a header: Content-Type is the type of the data"},
		"binary, XML":               {append(slices.Clone(binary), "Content-Type: text/xml"), `<a/>`, 415, "Content-Type must be application/json: data of other types is not supported"},
		"binary, no type":           {append(slices.Clone(binary), "Content-Type: "), `{}`, 415, "Content-Type must be application/json: data of other types is not supported"},
		"binary, curl's":            {append(slices.Clone(binary), "Content-Type: application/x-www-form-urlencoded"), `{}`, 415, "Content-Type must be application/json: data of other types is not supported"},
		"binary, invalid":           {binary, `{`, 400, "the body is not valid JSON: unexpected end of JSON input"},
		"binary, a surrogate":       {binary, `"\udc00"`, 400, "the body has an unpaired surrogate …"},
		"binary, deep":              {binary, strings.Repeat("[", 65) + strings.Repeat("]", 65), 400, "the body is nested deeper than 64"},
		"binary, deep in an object": {binary, strings.Repeat("[", 64) + strings.Repeat("]", 64), 400, "the body is nested deeper than 64"},
		"binary, UTF-16":            {append(slices.Clone(binary), "Content-Type: application/json; charset=utf-16"), "{", 400, "the body is not valid UTF-16"},
		"binary, our members":       {append(slices.Clone(binary), "ce-posthaste: event"), `{"FieldValues":1}`, 400, "FieldValues must be an object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			got := s.call("POST", eventsPath, test.body, test.headers...)
			var response struct{ ErrorMessage string }
			_ = json.Unmarshal(got.Body.Bytes(), &response)
			start, open := strings.CutSuffix(test.text, "…")
			if got.Code != test.status || response.ErrorMessage != test.text && (!open || !strings.HasPrefix(response.ErrorMessage, start)) {
				t.Errorf("got  %d %s\nwant %d %s", got.Code, response.ErrorMessage, test.status, test.text)
			}
			if n := len(s.events()); n != 0 {
				t.Errorf("%d events are stored, want none", n)
			}
		})
	}
}

func TestEvents_TheDeepestAllowed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	deepest := `{"Event":"a","FieldValues":{"a":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}}`
	s.accepted(deepest)
}

func TestEvents_Hops(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.accepted(`[{"Event":"a"},{"Event":"b"}]`, "X-Posthaste-Hops: 2")
	for _, e := range s.events() {
		if e.Hops != 3 {
			t.Errorf("%s: got %d hops, want 3", e.Name, e.Hops)
		}
	}
}

// The log line of a call has the event, or how many there are in a batch.
func TestEvents_RequestLine(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, test := range []struct {
		body  string
		event string
		count float64
	}{
		{`{"Event":"order.placed"}`, "order.placed", 0}, {`[{"Event":"a"},{"Event":"b"}]`, "", 2}, {`{"Event":"order placed"}`, "order placed", 0}, {`[{"Event":""}]`, "", 0},
	} {
		s.log.Reset()
		accepted := s.call("POST", eventsPath, test.body).Code == 202
		line := requestLine(t, s.log.String())
		event, _ := line["event"].(string)
		count, _ := line["count"].(float64)
		if _, id := line["event_id"]; event != test.event || count != test.count || id != (accepted && test.event != "") {
			t.Errorf("%s: got %v", test.body, line)
		}
	}
}

func TestEvents_IdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const body, key = `[{"Event":"a"},{"Event":"a"},{"Event":"a","Source":"s","Id":"1"}]`, "Idempotency-Key: k"
	first := s.accepted(body, key)
	s.clock.Advance(time.Hour)
	if again := s.accepted(strings.ReplaceAll(body, ":", " : "), key); !slices.Equal(first, again) || len(s.events()) != 3 {
		t.Errorf("got %v, then %v, and %d events", first, again, len(s.events()))
	}
	got := s.call("POST", eventsPath, `[{"Event":"a"},{"Event":"b"}]`, key)
	if got.Code != 422 || !strings.Contains(got.Body.String(), `"[1]: The Idempotency-Key was already used with different content"`) {
		t.Errorf("other content: got %d %s", got.Code, got.Body)
	}
}

// inEveryMode returns one event in every mode that a call can have. contentType holds
// all headers.
func inEveryMode() map[string]request {
	const headers = "Ce-Specversion: 1.0\nCe-Id: 7%20%C3%A5\nCe-Source: /shop\nCe-Type: order.placed\nCe-Subject: A%2F7\nCe-Time: 2026-11-24T07:00:00Z\nContent-Type: application/json"
	const structured = `{ "specversion":"1.0", "id":"7 å", "source":"/shop", "type":"order.placed", "subject":"A/7", "time":"2026-11-24T08:00:00.000+01:00", "traceparent":"00-x", "data": {"total": 12.50} }`
	return map[string]request{
		"structured": {contentType: "Content-Type: application/cloudevents+json; charset=UTF-8", body: structured},
		"batch":      {contentType: "Content-Type: Application/CloudEvents-Batch+JSON", body: `[` + structured + `]`},
		"binary":     {contentType: headers, body: `{"total":12.50}`},
		"own JSON":   {contentType: "Content-Type: application/json", body: `{"Event":"order.placed","Source":"/shop","Id":"7 å","Key":"A/7","Timestamp":"2026-11-24T07:00:00Z","FieldValues":{"total":12.50}}`},
		"our members": {
			contentType: "Content-Type: application/cloudevents+json",
			body:        `{"specversion":"1.0","id":"7 å","source":"/shop","type":"order.placed","time":"2026-11-24T07:00:00Z","posthaste":"event","data":{"Key":"A/7","FieldValues":{"total":12.50}}}`,
		},
	}
}

func TestEvents_OneInEveryMode(t *testing.T) {
	t.Parallel()
	order := "order"
	want := webhook.Event{
		Name: "order.placed", Key: "A/7", ChangedBy: 1, At: now.Add(-time.Hour), Hops: 1,
		Content: &webhook.Content{Entity: &order, Changes: []string{"total"}, FieldValues: json.RawMessage(`{"total":12.50}`), Source: "/shop", SourceEvent: "7 å"},
	}
	modes := inEveryMode()
	for first, r := range modes {
		s := newServer(t)
		id := s.accepted(r.body, strings.Split(r.contentType, "\n")...)[0]
		for again, r := range modes {
			if ids := s.accepted(r.body, strings.Split(r.contentType, "\n")...); len(ids) != 1 || ids[0] != id {
				t.Errorf("%s after %s: got %v, want %s", again, first, ids, id)
			}
		}
		stored := s.events()
		if len(stored) != 1 {
			t.Fatalf("%s: %d events are stored, want 1", first, len(stored))
		}
		if diff := cmp.Diff(want, stated(stored[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", first, diff)
		}
		other := s.call("POST", eventsPath, strings.Replace(modes["batch"].body, "12.50", "12.5", 1), modes["batch"].contentType)
		if other.Code != 422 || !strings.Contains(other.Body.String(), "[0]: source and id were already used with different content") {
			t.Errorf("other content: got %d %s", other.Code, other.Body)
		}
	}
}

// Equal batches at once are one batch of events.
func TestEvents_EqualBatchesAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := list(20, "[", ",", "]", func(i int) string { return fmt.Sprintf(`{"Event":"a.b","Source":"s","Id":"%d","PrimaryKey":%[1]d}`, i) })
	responses := make([][]webhook.EventID, 8)
	var wg sync.WaitGroup
	for i := range responses {
		wg.Go(func() { responses[i] = s.accepted(body) })
	}
	wg.Wait()
	for _, ids := range responses {
		if !slices.Equal(ids, responses[0]) {
			t.Errorf("got %v and %v", ids, responses[0])
		}
	}
	if n := len(s.events()); n != 20 {
		t.Errorf("%d events are stored, want 20", n)
	}
}

// crashing is an event store that fails after some puts.
type crashing struct {
	webhook.Events
	left atomic.Int32
}

func (c *crashing) Put(ctx context.Context, e webhook.Event) error {
	if c.left.Add(-1) < 0 {
		return fmt.Errorf("put: %w", webhook.ErrUnavailable)
	}
	return c.Events.Put(ctx, e)
}

// A batch that was stored in part is completed by repeating it, under the ids of the
// first call.
func TestEvents_ARepeatCompletesABatch(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{"by Source and Id": nil, "by Idempotency-Key": {"Idempotency-Key: k"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &crashing{}
			s := newServer(t, func(c *httpapi.Config) {
				store.Events = c.Publisher.Events
				c.Publisher.Events = store
			})
			body := list(30, "[", ",", "]", func(i int) string {
				if headers == nil {
					return fmt.Sprintf(`{"Event":"a.b","Source":"s","Id":"%d"}`, i)
				}
				return fmt.Sprintf(`{"Event":"a.b","PrimaryKey":%d}`, i)
			})
			store.left.Store(7)
			if got := s.call("POST", eventsPath, body, headers...); got.Code != 503 || got.Header().Get("Retry-After") == "" {
				t.Fatalf("got %d %s", got.Code, got.Body)
			}
			before := s.events()
			if len(before) != 7 {
				t.Fatalf("%d events are stored, want 7", len(before))
			}
			s.clock.Advance(time.Minute)
			store.left.Store(1000)
			ids := s.accepted(body, headers...)
			after := s.events()
			if len(ids) != 30 || len(after) != 30 {
				t.Errorf("got %d ids and %d events, want 30", len(ids), len(after))
			}
			for _, e := range before {
				if !slices.ContainsFunc(after, func(a webhook.Event) bool { return cmp.Equal(a, e) }) || !slices.Contains(ids, e.ID) {
					t.Errorf("event %s has another id or changed", e.ID)
				}
			}
		})
	}
}

// A store that fails while keys are claimed has stored no event.
func TestEvents_ClaimsComeFirst(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Publisher.Events = forgetful{c.Publisher.Events} })
	if got := s.call("POST", eventsPath, `[{"Event":"a"},{"Event":"b","Source":"s","Id":"1"}]`); got.Code != 503 {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if n := len(s.events()); n != 0 {
		t.Errorf("%d events are stored, want none", n)
	}
}

// forgetful is an event store whose claims fail.
type forgetful struct{ webhook.Events }

func (forgetful) Remember(context.Context, webhook.Tenant, string, webhook.IdempotencyClaim, time.Time) (webhook.IdempotencyClaim, error) {
	return webhook.IdempotencyClaim{}, errors.Join(webhook.ErrUnavailable)
}

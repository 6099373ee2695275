package source_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	tableARN  = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
	streamARN = tableARN + "/stream/2026-11-01T00:00:00.000"
)

// change returns a record of a stream as Lambda passes it. An empty image is
// absent.
func change(kind, old, image string) string {
	record := fmt.Sprintf(`{"eventID":"c4ca4238","eventName":%q,"eventSource":"aws:dynamodb","eventSourceARN":%q,`+
		`"dynamodb":{"ApproximateCreationDateTime":1795507140,"SequenceNumber":"111","StreamViewType":"NEW_AND_OLD_IMAGES","Keys":{"id":{"S":"A-7"}}`, kind, streamARN)
	if old != "" {
		record += `,"OldImage":` + old
	}
	if image != "" {
		record += `,"NewImage":` + image
	}
	return record + `}}`
}

func parsedChange(t *testing.T, raw string) source.Change {
	t.Helper()
	c, err := source.ParseChange([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func orders() source.Source {
	return source.Source{
		Name: "orders", Kind: source.KindTable, Tenant: "Default", Created: now.Add(-time.Hour),
		Table: &source.Table{
			Table: tableARN, Entity: "order", Fields: []string{"status", "total", "lines"}, Rename: map[string]string{"total": "amount"},
			Key: []string{"id"}, Previous: []string{"status", "total"},
		},
	}
}

const (
	before = `{"id":{"S":"A-7"},"status":{"S":"new"},"total":{"N":"1.50"},"card":{"S":"4111"},"owner":{"S":"Acme"},"by":{"N":"3"}}`
	after  = `{"id":{"S":"A-7"},"status":{"S":"paid"},"lines":{"L":[{"N":"1"}]},"card":{"S":"4222"},"owner":{"S":"Acme"},"by":{"N":"4"}}`
)

func TestFromChange(t *testing.T) {
	t.Parallel()
	at := time.Unix(1795507140, 0).UTC()
	event := func(name string, content webhook.Content) webhook.Event {
		entity := "order"
		content.Entity, content.Source, content.SourceEvent, content.Sequence = &entity, "orders", "c4ca4238", "111"
		return webhook.Event{
			Tenant: "Default", ID: webhook.DeriveEventID(at, "table", "orders", streamARN, "c4ca4238"), Name: name, Key: "A-7", At: at, Hops: 1, Content: &content,
		}
	}
	inserted := webhook.Content{Changes: []string{"status", "amount"}, FieldValues: json.RawMessage(`{"status":"new","amount":1.50}`)}
	changed := webhook.Content{
		Changes: []string{"status", "amount", "lines"}, FieldValues: json.RawMessage(`{"status":"paid","lines":[1]}`),
		Previous: json.RawMessage(`{"status":"new","amount":1.50}`),
	}
	deleted := webhook.Content{Changes: []string{}, FieldValues: json.RawMessage(`{}`), Values: json.RawMessage(`{"status":"new","amount":1.50}`)}
	const ttl = `"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"eventName"`
	for name, c := range map[string]struct {
		change func(*source.Source)
		raw    string
		want   source.Outcome
	}{
		"an insert": {nil, change("INSERT", "", before), source.Outcome{Event: event("order.created", inserted), Missing: []string{"lines"}}},
		"a change, with what was removed and added": {
			nil, change("MODIFY", before, after), source.Outcome{Event: event("order.changed", changed), Missing: []string{"total"}},
		},
		"a removal": {nil, change("REMOVE", before, ""), source.Outcome{Event: event("order.deleted", deleted), Missing: []string{"lines"}}},
		"a change of an unlisted attribute alone": {
			nil, change("MODIFY", before, strings.Replace(before, "4111", "4222", 1)), source.Outcome{Skip: source.ReasonUnchanged},
		},
		"an expiry": {nil, strings.Replace(change("REMOVE", before, ""), `"eventName"`, ttl, 1), source.Outcome{Skip: source.ReasonExpired}},
		"an expiry, wanted": {
			func(s *source.Source) { s.Table.Expired = true }, strings.Replace(change("REMOVE", before, ""), `"eventName"`, ttl, 1),
			source.Outcome{Event: event("order.expired", deleted), Missing: []string{"lines"}},
		},
		"stamped before the source": {func(s *source.Source) { s.Created = at.Add(time.Second) }, change("INSERT", "", before), source.Outcome{Skip: source.ReasonEarly}},
		"stamped in the second of the source": {
			func(s *source.Source) { s.Created = at.Add(999 * time.Millisecond) }, change("INSERT", "", before),
			source.Outcome{Event: event("order.created", inserted), Missing: []string{"lines"}},
		},
		"a stream of new images": {nil, strings.Replace(change("INSERT", "", before), "NEW_AND_OLD_IMAGES", "NEW_IMAGE", 1), source.Outcome{Skip: source.ReasonImages}},
		"the tenant of an attribute": {
			func(s *source.Source) {
				s.Tenant, s.Table.TenantAttribute, s.Table.Tenants = "", "owner", []webhook.Tenant{"Other", "Acme"}
			}, change("INSERT", "", before),
			source.Outcome{Event: func() webhook.Event { e := event("order.created", inserted); e.Tenant = "Acme"; return e }(), Missing: []string{"lines"}},
		},
		"a tenant that is not listed": {
			func(s *source.Source) {
				s.Tenant, s.Table.TenantAttribute, s.Table.Tenants = "", "owner", []webhook.Tenant{"acme"}
			},
			change("INSERT", "", before),
			source.Outcome{Skip: source.ReasonTenant, Missing: []string{"lines"}},
		},
		"a key of two attributes, and who changed it": {
			func(s *source.Source) { s.Table.Key, s.Table.ChangedBy = []string{"id", "by"}, "by" }, change("INSERT", "", before),
			source.Outcome{
				Event:   func() webhook.Event { e := event("order.created", inserted); e.Key, e.ChangedBy = "A-7#3", 3; return e }(),
				Missing: []string{"lines"},
			},
		},
		"an integer key": {
			func(s *source.Source) { s.Table.Key = []string{"by"} }, change("INSERT", "", before),
			source.Outcome{
				Event:   func() webhook.Event { e := event("order.created", inserted); e.Key, e.PrimaryKey = "", 3; return e }(),
				Missing: []string{"lines"},
			},
		},
		"an incomplete key is left out": {
			func(s *source.Source) { s.Table.Key = []string{"id", "nr"} }, change("INSERT", "", before),
			source.Outcome{
				Event: func() webhook.Event { e := event("order.created", inserted); e.Key = ""; return e }(), Missing: []string{"lines", "nr"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := orders()
			if c.change != nil {
				c.change(&s)
			}
			got := s.FromChange(parsedChange(t, c.raw))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if text, err := json.Marshal(got); err != nil || strings.Contains(string(text), "4111") {
				t.Error("an unlisted attribute left the table")
			}
		})
	}
}

func TestFromChange_LongKeys(t *testing.T) {
	t.Parallel()
	key := func(id string) string {
		return orders().FromChange(parsedChange(t, change("INSERT", "", `{"id":{"S":"`+id+`"}}`))).Event.Key
	}
	long := strings.Repeat("å", 256)
	if got := key(long); got != long {
		t.Errorf("256 characters became %d", len([]rune(got)))
	}
	one, other := key(long+"a"), key(long+"b")
	if len([]rune(one)) != 233 || !strings.HasPrefix(one, strings.Repeat("å", 200)+"~") || one == other {
		t.Errorf("got %q and %q", one, other)
	}
}

// Every type of DynamoDB becomes JSON without loss.
func TestParseChange_Types(t *testing.T) {
	t.Parallel()
	for attribute, want := range map[string]string{
		`{"S":"<å>\u2028\""}`:                            `"<å>\u2028\""`,
		`{"N":"12345678901234567890123456789012345678"}`: `12345678901234567890123456789012345678`,
		`{"N":"1.50"}`:                                   `1.50`,
		`{"N":"-1E-130"}`:                                `-1E-130`,
		`{"B":"AAE="}`:                                   `"AAE="`,
		`{"BOOL":false}`:                                 `false`,
		`{"NULL":true}`:                                  `null`,
		`{"SS":["b","a"]}`:                               `["a","b"]`,
		`{"NS":["2","10"]}`:                              `[10,2]`,
		`{"BS":["Ag==","AQ=="]}`:                         `["AQ==","Ag=="]`,
		`{"L":[]}`:                                       `[]`,
		`{"L":[{"S":"b"},{"N":"1"},{"L":[]}]}`:           `["b",1,[]]`,
		`{"M":{}}`:                                       `{}`,
		`{"M":{"b":{"NULL":true},"a":{"M":{"<":{"BOOL":true}}}}}`: `{"a":{"<":true},"b":null}`,
	} {
		c, err := source.ParseChange([]byte(change("INSERT", "", `{"x":`+attribute+`}`)))
		if err != nil || len(c.New) != 1 || string(c.New[0].Value) != want {
			t.Errorf("%s: got %s, %v; want %s", attribute, c.New, err, want)
		}
	}
	deep := strings.Repeat(`{"L":[`, 32) + `{"S":"x"}` + strings.Repeat(`]}`, 32)
	if _, err := source.ParseChange([]byte(change("INSERT", "", `{"x":`+deep+`}`))); err != nil {
		t.Errorf("32 levels: %v", err)
	}
	for _, attribute := range []string{
		`1`, `{}`, `{"S":"a","N":"1"}`, `{"N":1}`, `{"N":"one"}`, `{"N":"\"1\""}`, `{"N":"true"}`, `{"BOOL":1}`, `{"SS":{}}`, `{"M":[]}`, `{"X":"a"}`, `{"S":1}`, `{"NS":["a"]}`,
		strings.Repeat(`{"L":[`, 100) + strings.Repeat(`]}`, 100),
	} {
		if c, err := source.ParseChange([]byte(change("INSERT", "", `{"x":`+attribute+`}`))); err == nil {
			t.Errorf("%s: got %s", attribute, c.New)
		}
	}
}

// A record that comes again, in whatever company and under whatever mapping, has
// the same id, and no two records have one.
func TestFromChange_OneEventPerRecord(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	ids := map[string]webhook.EventID{}
	owners := map[webhook.EventID]string{}
	for range 1000 {
		id := fmt.Sprint("record ", random.IntN(50))
		c := parsedChange(t, strings.Replace(change("MODIFY", before, after), "c4ca4238", id, 1))
		s := orders()
		s.Table.Entity = fmt.Sprint("entity", random.IntN(5))
		s.Table.Fields = s.Table.Fields[:1+random.IntN(3)]
		s.Revision = random.Int64N(9)
		got := s.FromChange(c).Event.ID
		if known, again := ids[id]; again && known != got {
			t.Fatalf("%s has the ids %s and %s", id, known, got)
		}
		if owner, taken := owners[got]; taken && owner != id {
			t.Fatalf("%s and %s have the id %s", owner, id, got)
		}
		ids[id], owners[got] = got, id
	}
	other := orders()
	other.Name = "orders-2"
	c := parsedChange(t, change("MODIFY", before, after))
	if other.FromChange(c).Event.ID == orders().FromChange(c).Event.ID {
		t.Error("two sources make one event of a record, want one each")
	}
}

func TestTableOf(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string]string{
		streamARN: tableARN, tableARN: "", "": "", "arn:aws:sqs:eu-west-1:1:q/stream/x": "", "arn:aws:dynamodb:eu-west-1:1:table//stream/x": "",
		"arn:aws-cn:dynamodb:cn-north-1:1:table/t/stream/x": "arn:aws-cn:dynamodb:cn-north-1:1:table/t",
	} {
		if got := source.TableOf(stream); got != want {
			t.Errorf("%s: got %q, want %q", stream, got, want)
		}
	}
}

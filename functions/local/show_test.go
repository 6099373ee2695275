package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown is one record as show writes it.
type shown struct {
	Record int
	Source string
	Event  *struct {
		Tenant, Event, Key, Entity    string
		PrimaryKey                    int32
		Changes                       []string
		FieldValues, Values, Previous json.RawMessage
	}
	Id   *string //nolint:revive // the wire's spelling
	Once bool
	Skip string
	Text string
}

// showFile shows an event file under a file of sources, "" for the one next to it.
func showFile(t *testing.T, event, sources string) (all []shown) {
	t.Helper()
	t.Setenv("DATA_DIR", t.TempDir())
	var out, logs bytes.Buffer
	if err := invoke(t.Context(), invocation{event: event, sources: sources}, &out, &logs); err != nil {
		t.Fatal(err, logs.String())
	}
	for d := json.NewDecoder(&out); d.More(); {
		var s shown
		if err := d.Decode(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if files, err := os.ReadDir(os.Getenv("DATA_DIR")); err != nil || len(files) > 0 {
		t.Errorf("the data of the local run has %v (%v)", files, err)
	}
	return all
}

func line(s shown) string {
	text := fmt.Sprintf("%d %s ", s.Record, s.Source)
	if s.Event == nil {
		return text + "skip " + s.Skip
	}
	id := "null"
	if s.Id != nil {
		id = *s.Id
	}
	compact := func(raw json.RawMessage) string {
		var b bytes.Buffer
		_ = json.Compact(&b, raw)
		return b.String()
	}
	return strings.TrimSpace(text + fmt.Sprintf("%s %s %s %d%s %v %s %s %s once %v", s.Event.Tenant, s.Event.Event, id[:min(8, len(id))], s.Event.PrimaryKey, s.Event.Key,
		s.Event.Changes, compact(s.Event.FieldValues), compact(s.Event.Values), compact(s.Event.Previous), s.Once))
}

func TestInvoke_ShowsWhatRecordsBecome(t *testing.T) {
	events := filepath.Join("..", "..", "events", "ingest")
	write := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	builtIn := write("built-in.json", `{"Sources":[{"Name":"bus","Kind":"bus","Tenant":"Cust9","Bus":{},"Revision":0,"Counts":{"Taken":7}}]}`)
	none := write("none.json", `{"Sources":[]}`)
	two := write("two.json", `{"Sources":[{"Name":"a","Kind":"bus","Tenant":"Cust1","Bus":{"Fields":["total","absent"]}},
		{"Name":"b","Kind":"bus","Tenant":"Cust2","Created":"2030-01-01T00:00:00Z","Bus":{"Event":"b.b","Fields":["customer"]}},
		{"Name":"c","Kind":"bus","Tenant":"Cust2","Bus":{"Sources":["another"]}}]}`)
	tenants := write("tenants.json", `{"Sources":[{"Name":"t","Kind":"table",
		"Table":{"Table":"arn:aws:dynamodb:eu-north-1:123456789012:table/orders","Entity":"o","Fields":["status"],"TenantAttribute":"status","Tenants":["paid"],"Expired":true}}]}`)
	tests := []struct {
		name, event, sources string
		want                 []string
	}{
		{"a bus, by the file next to the event", "order-placed.json", "", []string{
			`1 orders Cust12345 order.placed 019ca945 7 [order total] {"order":{"id":7,"number":"A-7"},"total":1.50}   once false`,
			`2  skip unreadable`,
		}},
		{"a table", "orders-table.json", "", []string{
			`1 orders-table Cust12345 order.created 019ca945 0A-7 [status amount] {"status":"new","amount":1.50}   once false`,
			`2 orders-table Cust12345 order.changed 019ca945 0A-7 [status] {"status":"paid"}  {"status":"new"} once false`,
			`3 orders-table Cust12345 order.deleted 019ca945 0A-7 [] {} {"status":"paid","amount":1.50}  once false`,
		}},
		{"the built-in source, if the file lists it", "order-placed.json", builtIn, []string{
			`1 bus Cust9 order.placed 019ca945 0 [order total customer] {"order":{"id":7,"number":"A-7"},"total":1.50,"customer":"Blåbær AS"}   once false`,
			`2  skip unreadable`,
		}},
		{"no source", "orders-table.json", none, []string{`1  skip no_source`, `2  skip no_source`, `3  skip no_source`}},
		{"each source that matches", "order-placed.json", two, []string{
			`1 a Cust1 order.placed 019ca945 0 [total] {"total":1.50}   once false`,
			`1 b Cust2 b.b 019ca945 0 [customer] {"customer":"Blåbær AS"}   once false`,
			`2  skip unreadable`,
		}},
		{"a tenant by attribute", "orders-table.json", tenants, []string{
			`1 t skip tenant`,
			`2 t paid o.changed 019ca945 0 [status] {"status":"paid"}   once false`,
			`3 t paid o.deleted 019ca945 0 [] {} {"status":"paid"}  once false`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range showFile(t, filepath.Join(events, tt.event), tt.sources) {
				got = append(got, line(s))
				if (s.Skip == "") != (s.Text == "") {
					t.Errorf("record %d: skip %q, text %q", s.Record, s.Skip, s.Text)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An event whose own time is too old gets its id when it is stored, by a marker.
func TestInvoke_ShowsNoIDThatIsMadeOnStoring(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "events", "ingest", "order-placed.json"))
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "ingest", "old.json")
	if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, bytes.ReplaceAll(text, []byte("2026-03-01T12"), []byte("2026-02-20T12")), 0o600); err != nil {
		t.Fatal(err)
	}
	got := showFile(t, old, filepath.Join("..", "..", "events", "ingest", "sources.json"))
	if len(got) != 2 || got[0].Event == nil || got[0].Id != nil || !got[0].Once {
		t.Errorf("got %+v, want an event without an id", got)
	}
}

// With STORE the records are taken by the sources of the local run, and their
// events stored.
func TestInvoke_StoresARecordsEventIfAsked(t *testing.T) {
	dir := t.TempDir()
	if answer, err := invoked(t, dir, "ingest/order-placed.json"); err != nil || answer != `{"batchItemFailures":[]}`+"\n" {
		t.Fatalf("got %s (%v)", answer, err)
	}
	s := start(t, dir, nil)
	status, _, answer := s.call("GET", "/api/v1/Events", "")
	if status != 200 || !strings.Contains(string(answer), "order.placed") {
		t.Errorf("afterwards: got %d %s", status, answer)
	}
}

func TestParseInvocation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want invocation
		ok   bool
	}{
		{[]string{"f"}, invocation{event: "f"}, true},
		{[]string{"-sources", "s", "f"}, invocation{event: "f", sources: "s"}, true},
		{[]string{"-store=1", "f"}, invocation{event: "f", store: true}, true},
		{[]string{"-store=0", "f"}, invocation{event: "f"}, true},
		{[]string{"-store=maybe", "f"}, invocation{}, false},
		{[]string{}, invocation{}, false},
		{[]string{"f", "g"}, invocation{}, false},
	} {
		got, err := parseInvocation(tt.args)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: got %+v, %v", tt.args, got, err)
		}
	}
}

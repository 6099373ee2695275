package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const (
	relayCRM = `{"Name":"crm","Kind":"relay","Tenant":"Default","Relay":{"Protocol":"superoffice","Context":"Cust12345","Secret":"first"}}`
	busShop  = `{"Name":"shop","Kind":"bus","Tenant":"Default","Bus":{"Sources":["shop"],"DetailTypes":["Order Placed"],"Key":"order.id"},"ExpectWithinMinutes":90}`
	ordersOf = `{"Name":"orders","Kind":"table","Tenant":"Default","Table":{"Table":"arn:aws:dynamodb:eu-west-1:123456789012:table/Orders","Entity":"order",` +
		`"Fields":["status","amount"],"Rename":{"amount":"total"},"Key":["id"],"Previous":["status"]}}`
)

// secretsOf returns the stored secrets of a source.
func (s *server) secretsOf(name string) webhook.SecretDocument {
	s.t.Helper()
	stored, err := s.db.Sources().Get(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	doc, err := s.db.Secrets().Read(s.t.Context(), stored.Relay.Secret)
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

func TestSources_ADocumentCanBeReadAndSentBack(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, body := range []string{relayCRM, busShop, ordersOf} {
		made := s.admin("POST", "/admin/v1/Sources", body, 201)
		path := "/admin/v1/Sources/" + made["Name"].(string)
		got := s.call("GET", path, "", asAdmin)
		if got.Header().Get("ETag") != `"1"` || strings.Contains(got.Body.String(), "first") {
			t.Errorf("got ETag %s, %s", got.Header().Get("ETag"), got.Body)
		}
		s.clock.Advance(time.Hour)
		again := s.admin("PUT", path, got.Body.String(), 200)
		for _, changing := range []string{"Revision", "Updated"} {
			if again[changing] == made[changing] {
				t.Errorf("%s is still %v", changing, made[changing])
			}
			again[changing] = made[changing]
		}
		if diff := cmp.Diff(made, again); diff != "" {
			t.Errorf("sent back (-before +after):\n%s", diff)
		}
	}
	listed := s.admin("GET", "/admin/v1/Sources", "", 200)["Sources"].([]any)
	names := []string{}
	for _, each := range listed {
		names = append(names, each.(map[string]any)["Name"].(string))
	}
	if want := []string{"crm", "orders", "shop"}; !slices.Equal(names, want) {
		t.Errorf("listed %v, want %v", names, want)
	}
	if doc := s.secretsOf("crm"); doc.Current.Reveal() != "first" || !doc.Previous.IsZero() {
		t.Error("sending the mask back changed the secret")
	}
}

func TestSources_Revisions(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Sources", busShop, 201)
	s.admin("POST", "/admin/v1/Sources", busShop, 409)
	const path = "/admin/v1/Sources/shop"
	stating := func(revision int) string {
		return strings.Replace(busShop, `{"Name"`, fmt.Sprintf(`{"Revision":%d,"Name"`, revision), 1)
	}
	for _, c := range []struct {
		method, body, ifMatch string
		want                  int
	}{
		{"PUT", busShop, "", 200},
		{"PUT", stating(1), "", 409},
		{"PUT", stating(2), "", 200},
		{"PUT", stating(0), "", 200},
		{"PUT", stating(4), `"3"`, 412},
		{"PUT", stating(3), `"4"`, 200},
		{"PUT", busShop, `"x"`, 400},
		{"PUT", busShop, `W/"5"`, 400},
		{"PUT", busShop, `"5`, 400},
		{"PUT", busShop, `*`, 200},
		{"DELETE", "", `"5"`, 412},
		{"DELETE", "", `6`, 204},
		{"DELETE", "", ``, 404},
		{"PUT", busShop, ``, 404},
		{"GET", "", ``, 404},
	} {
		if got := s.call(c.method, path, c.body, asAdmin, "If-Match: "+c.ifMatch); got.Code != c.want {
			t.Errorf("%s, If-Match %s, %.20s: got %d %s, want %d", c.method, c.ifMatch, c.body, got.Code, got.Body, c.want)
		}
	}
}

func TestSources_AFaultNamesItsMember(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Sources", relayCRM, 201)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Other"}`, 201)
	with := func(body, old, replacement string) string {
		changed := strings.Replace(body, old, replacement, 1)
		if changed == body {
			t.Fatalf("%q is not in %s", old, body)
		}
		return changed
	}
	second := with(relayCRM, `"crm"`, `"crm2"`)
	for name, c := range map[string]struct{ method, path, body, want string }{
		"an unknown member":            {"POST", "", with(busShop, `"Key"`, `"Keys"`), `unknown member \"Bus.Keys\"; the known ones are Sources,`},
		"an unknown member at the top": {"POST", "", with(busShop, `"Bus"`, `"Buss"`), `unknown member \"Buss\"`},
		"the wrong type":               {"POST", "", with(busShop, `["shop"]`, `"shop"`), "Bus.Sources must be an array"},
		"a rule of the domain":         {"POST", "", with(busShop, `["shop"]`, `["posthaste.x"]`), "Bus.Sources must not begin with posthaste."},
		"a rename that is not text":    {"POST", "", with(ordersOf, `"total"`, `1`), "Table.Rename.amount must be a string"},
		"an own table":                 {"POST", "", with(ordersOf, `table/Orders`, `table/posthaste-events`), "Table.Table must not be one of this service's own tables"},
		"a tenant that does not exist": {"POST", "", with(busShop, `"Default"`, `"Absent"`), `Tenant \"Absent\" does not exist`},
		"no secret":                    {"POST", "", with(second, `,"Secret":"first"`, ``), "Relay.Secret is required"},
		"an empty secret":              {"POST", "", with(second, `"first"`, `""`), "Relay.Secret must not be empty"},
		"the mask of nothing":          {"POST", "", with(second, `"first"`, `"********"`), "a new source has none"},
		"bad base64":                   {"POST", "", with(second, `"first"`, `"whsec_?"`), "Relay.Secret must be standard base64"},
		"a long overlap":               {"POST", "", with(second, `"first"`, `"first","SecretOverlapSeconds":604801`), "Relay.SecretOverlapSeconds must be from 0 to 604800"},
		"a context of another tenant":  {"POST", "", with(second, `"Default"`, `"Other"`), `Relay.Context \"Cust12345\" is that of the source \"crm\" of another tenant`},
		"another name":                 {"PUT", "/crm", with(relayCRM, `"crm"`, `"x"`), `Name must stay \"crm\"`},
		"another kind":                 {"PUT", "/crm", busShopAs("crm"), "Kind must stay relay"},
		"another tenant":               {"PUT", "/crm", with(relayCRM, `"Default"`, `"Other"`), `Tenant must stay \"Default\"`},
		"an empty secret on PUT":       {"PUT", "/crm", with(relayCRM, `"first"`, `""`), "Relay.Secret must not be empty"},
		"a large source":               {"POST", "", with(busShop, `"Key"`, `"Fields":["`+strings.Join(longNames(), `","`)+`"],"Key"`), "bytes, more than 32768: list fewer names"},
		"no body":                      {"PUT", "/crm", "", "the body must be a JSON object"},
		"the built-in name":            {"POST", "", with(busShop, `"shop"`, `"bus"`), "is the built-in source"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.call(c.method, "/admin/v1/Sources"+c.path, c.body, asAdmin)
			if got.Code != 400 || !strings.Contains(got.Body.String(), c.want) {
				t.Errorf("got %d %s, want 400 and %q", got.Code, got.Body, c.want)
			}
		})
	}
	if got := s.call("POST", "/admin/v1/Sources", "<a/>", asAdmin, "Content-Type: application/xml"); got.Code != 415 {
		t.Errorf("XML: got %d %s", got.Code, got.Body)
	}
	s.admin("POST", "/admin/v1/Sources", second, 201) // the same tenant may have two for a context
	if stored := s.secretsOf("crm"); stored.Current.Reveal() != "first" {
		t.Error("a refused change changed the secret")
	}
	intents, err := s.db.Webhooks().Intents(t.Context(), s.clock.Now().Add(time.Hour), 100)
	if err != nil || len(intents) > 0 {
		t.Errorf("%d intents are left, %v", len(intents), err)
	}
}

func longNames() (names []string) {
	for i := range 200 {
		names = append(names, fmt.Sprintf("%0250d", i))
	}
	return names
}

func busShopAs(name string) string { return strings.Replace(busShop, `"shop"`, `"`+name+`"`, 1) }

func TestSources_ASecretIsRotatedWithAnOverlap(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Sources", relayCRM, 201)
	const path = "/admin/v1/Sources/crm"
	rotate := func(secret, more string) {
		t.Helper()
		s.admin("PUT", path, strings.Replace(relayCRM, `"first"`, fmt.Sprintf("%q%s", secret, more), 1), 200)
	}
	want := func(current, previous string, until time.Duration) {
		t.Helper()
		doc := s.secretsOf("crm")
		_, verifies := doc.InOrder(webhook.SignerCurrent, s.clock.Now())
		if doc.Current.Reveal() != current || verifies.Reveal() != previous || previous != "" && !doc.PreviousUntil.Equal(s.clock.Now().Add(until)) {
			t.Errorf("got %s, previous %q until %v", doc.Current.Reveal(), verifies.Reveal(), doc.PreviousUntil)
		}
	}
	rotate("first", "")
	want("first", "", 0)
	rotate("second", "")
	want("second", "first", 24*time.Hour)
	s.clock.Advance(time.Hour)
	rotate("********", `,"SecretOverlapSeconds":60`)
	want("second", "first", 23*time.Hour)
	s.admin("DELETE", path+"/PreviousSecret", "", 204)
	want("second", "", 0)
	s.admin("DELETE", path+"/PreviousSecret", "", 204)
	rotate("third", `,"SecretOverlapSeconds":60`)
	want("third", "second", time.Minute)
	rotate("fourth", `,"SecretOverlapSeconds":0`)
	want("fourth", "", 0)
	got := s.log.String()
	for _, secret := range []string{"first", "second", "third", "fourth"} {
		if strings.Contains(got, `"`+secret+`"`) {
			t.Errorf("the log has the secret %s", secret)
		}
	}
	for range 20 {
		rotate(fmt.Sprint("secret ", s.clock.Now().Unix()), "")
		s.clock.Advance(24 * time.Hour)
	}
	for i := 0; ; i++ {
		body := strings.Replace(relayCRM, "first", fmt.Sprint("today ", i), 1)
		if got := s.call("PUT", path, body, asAdmin); got.Code == 429 && i == 20 {
			break
		} else if got.Code != 200 {
			t.Fatalf("rotation %d of a day: got %d %s", i+1, got.Code, got.Body)
		}
	}
	s.admin("POST", "/admin/v1/Sources", busShop, 201)
	s.admin("DELETE", "/admin/v1/Sources/shop/PreviousSecret", "", 400)
	s.admin("DELETE", "/admin/v1/Sources/none/PreviousSecret", "", 404)
}

func TestSources_AreAuditedByNamesOfMembers(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Sources", relayCRM, 201)
	s.admin("PUT", "/admin/v1/Sources/crm", strings.NewReplacer("first", "hush", "Cust12345", "Cust9", `"Relay"`, `"ExpectWithinMinutes":5,"Relay"`).Replace(relayCRM), 200)
	s.admin("DELETE", "/admin/v1/Sources/crm/PreviousSecret", "", 204)
	s.admin("DELETE", "/admin/v1/Sources/crm/PreviousSecret", "", 204)
	s.admin("DELETE", "/admin/v1/Sources/crm", "", 204)
	var lines []string
	for line := range strings.Lines(s.log.String()) {
		var entry struct {
			Msg, Action, Tenant, User string
			Name                      string `json:"source_name"`
			Changed                   string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == "audit" {
			lines = append(lines, strings.TrimSpace(fmt.Sprintln(entry.Action, entry.Name, entry.Tenant, entry.User, entry.Changed)))
		}
	}
	want := []string{
		"create source crm Default admin",
		"change source crm Default admin ExpectWithinMinutes,Relay.Context,Relay.Secret",
		"change source crm Default admin Relay.Secret",
		"delete source crm Default admin",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSources_ShowTheirCounts(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Sources", ordersOf, 201)
	err := s.db.Sources().Count(t.Context(), "orders", source.Counts{
		Taken: 3, Made: 1, Refused: 4, Truncated: 1, Skipped: map[source.Reason]int64{source.ReasonUnchanged: 2}, Missing: map[string]int64{"amount": 1},
		LastTaken: now, LastFault: "store", LastFaultAt: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Taken": 3.0, "Made": 1.0, "Refused": 4.0, "Truncated": 1.0, "Skipped": map[string]any{"unchanged": 2.0}, "Missing": map[string]any{"amount": 1.0},
		"LastTaken": "2026-11-24T08:00:00Z", "LastFault": "store", "LastFaultAt": "2026-11-24T08:00:00Z",
	}
	if diff := cmp.Diff(want, s.admin("GET", "/admin/v1/Sources/orders", "", 200)["Counts"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSources_TestShowsWhatARecordBecomes(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, body := range []string{
		relayCRM, busShop, ordersOf,
		`{"Name":"std","Kind":"relay","Tenant":"Default","Relay":{"Protocol":"standard","Secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}`,
		`{"Name":"shared","Kind":"table","Table":{"Table":"arn:aws:dynamodb:eu-west-1:123456789012:table/Orders","Entity":"order","Fields":["status"],"TenantAttribute":"owner","Tenants":["Gone"]}}`,
	} {
		s.admin("POST", "/admin/v1/Sources", body, 201)
	}
	placed := `{"Record":{"id":"b1","source":"shop","detail-type":"Order Placed","time":"2026-11-24T07:59:00Z","detail":{"order":{"id":7},"sum":1.50}}}`
	record := func(change string) string {
		return fmt.Sprintf(`{"Record":{"eventID":"e1","eventName":"MODIFY","eventSourceARN":"arn:aws:dynamodb:eu-west-1:123456789012:table/Orders/stream/x","dynamodb":{
			"ApproximateCreationDateTime":%d,"SequenceNumber":"17","StreamViewType":"NEW_AND_OLD_IMAGES",
			"OldImage":{"id":{"N":"7"},"owner":{"S":"Gone"},"status":{"S":"new"},"card":{"S":"4711"}},"NewImage":{"id":{"N":"7"},"owner":{"S":"Gone"},"status":{"S":%q},"card":{"S":"4712"}}}}}`, now.Unix(), change)
	}
	relayed := `{"Record":{"EventId":"88f91933-edce-4c1a-8ded-ade8e2f72434","Timestamp":"2026-11-24T07:24:33Z","Event":"contact.changed","PrimaryKey":5,"ContextIdentifier":"Cust12345"}%s}`
	for name, c := range map[string]struct {
		source, body, want string
		status             int
	}{
		"a bus event":                   {"shop", placed, `"Event":"order.placed","PrimaryKey":7,"Entity":"order","Changes":["order","sum"],"FieldValues":{"order":{"id":7},"sum":1.50}`, 200},
		"a bus event of another source": {"shop", strings.Replace(placed, `"shop"`, `"stock"`, 1), `{"Skip":"no_source","Text":"No source matches the record.","Missing":[]}`, 200},
		"our own":                       {"shop", strings.Replace(placed, `"shop"`, `"posthaste.webhooks"`, 1), `"Skip":"own_event"`, 200},
		"not a bus event":               {"shop", `{"Record":{"id":"x"}}`, "Record lacks id, source or detail-type", 400},
		"a table change":                {"orders", record("paid"), `"Changes":["status"],"FieldValues":{"status":"paid"},"Previous":{"status":"new"},`, 200},
		"what is missing":               {"orders", record("paid"), `"Once":false,"Missing":["amount"]}`, 200},
		"no change":                     {"orders", record("new"), `"Skip":"unchanged"`, 200},
		"another table":                 {"orders", strings.Replace(record("paid"), "table/Orders", "table/Stock", 1), `"Skip":"no_source"`, 200},
		"an own table":                  {"orders", strings.Replace(record("paid"), "table/Orders", "table/posthaste-events", 1), `"Skip":"own_table"`, 200},
		"an absent tenant":              {"shared", record("paid"), `"Skip":"tenant"`, 200},
		"a delivery":                    {"crm", fmt.Sprintf(relayed, ""), `"Event":"contact.changed","PrimaryKey":5,`, 200},
		"its id":                        {"crm", fmt.Sprintf(relayed, ""), `"SourceEvent":"88f91933-edce-4c1a-8ded-ade8e2f72434"},"Id":null,"Once":true,`, 200},
		"its hops":                      {"crm", fmt.Sprintf(relayed, `,"Headers":{"x-posthaste-hops":"3"}`), `"Skip":"loop"`, 200},
		"bad hops":                      {"crm", fmt.Sprintf(relayed, `,"Headers":{"x-posthaste-hops":"many"}`), "Headers.x-posthaste-hops must be an integer", 400},
		"a ping":                        {"crm", `{"Record":{"EventId":"1","Event":"test","ContextIdentifier":"Cust12345"}}`, `"Skip":"ping"`, 200},
		"Standard Webhooks":             {"std", `{"Record":{"type":"a.b","data":{"x":1}}}`, `"SourceEvent":"msg_test"`, 200},
		"its own headers":               {"std", `{"Record":{"type":"a.b"},"Headers":{"Webhook-Id":"m1","webhook-timestamp":"1000000000"}}`, `"Skip":"too_old"`, 200},
		"no record":                     {"crm", `{}`, "Record is required", 400},
		"no object":                     {"crm", `{"Record":[1]}`, "Record must be an object", 400},
		"an unknown member":             {"crm", `{"Record":{},"Body":""}`, "unknown member", 400},
		"no such source":                {"none", placed, "The source does not exist", 404},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.call("POST", "/admin/v1/Sources/"+c.source+"/Test", c.body, asAdmin)
			if got.Code != c.status || !strings.Contains(got.Body.String(), c.want) {
				t.Errorf("got %d %s, want %d and %s", got.Code, got.Body, c.status, c.want)
			}
			if strings.Contains(got.Body.String(), "471") {
				t.Error("an unlisted field is shown")
			}
		})
	}
	for _, name := range []string{"shop", "orders", "crm"} {
		if n, err := s.db.Sources().Counts(t.Context(), name); err != nil || n.Taken+n.Made != 0 {
			t.Errorf("%s: got %+v, %v; want nothing counted", name, n, err)
		}
	}
	if events, err := s.db.Events().List(t.Context(), "Default", "", webhook.FirstEventID(now.AddDate(1, 0, 0)), 10); err != nil || len(events) > 0 {
		t.Errorf("%d events were stored, %v", len(events), err)
	}
}

func TestSources_TheBuiltInSourceIsShownAndCannotBeChanged(t *testing.T) {
	t.Parallel()
	s := newGuarded(t, func(c *httpapi.Config) { c.Sources.BusTenant = "Default" })
	for method, want := range map[string]int{"GET": 200, "PUT": 400, "DELETE": 400} {
		s.admin(method, "/admin/v1/Sources/bus", strings.Replace(busShop, `"shop"`, `"bus"`, 1), want)
	}
	all := s.admin("GET", "/admin/v1/Sources", "", 200)["Sources"].([]any)
	if len(all) != 1 || all[0].(map[string]any)["Name"] != "bus" || all[0].(map[string]any)["Revision"] != 0.0 {
		t.Errorf("got %v", all)
	}
	placed := `{"Record":{"id":"b1","source":"x","detail-type":"A B","time":"2026-11-24T07:59:00Z","detail":{}}}`
	if out := s.admin("POST", "/admin/v1/Sources/bus/Test", placed, 200); out["Event"].(map[string]any)["Event"] != "a.b" {
		t.Errorf("got %v", out)
	}
	without := newGuarded(t)
	without.admin("GET", "/admin/v1/Sources/bus", "", 404)
}

package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// publisher issues a credential that may name tenants and returns its header.
func (s *server) publisher(owner string, tenants ...string) string {
	s.t.Helper()
	names, err := json.Marshal(tenants)
	if err != nil {
		s.t.Fatal(err)
	}
	made := s.admin("POST", "/admin/v1/Tenants/"+owner+"/Credentials",
		fmt.Sprintf(`{"Kind":"bearer","User":"publisher","AssociateId":9,"Scopes":["events"],"Tenants":%s}`, names), 201)
	if got, err := json.Marshal(made["Tenants"]); err != nil || string(got) != string(names) {
		s.t.Errorf("created with Tenants %s (%v), want %s", got, err, names)
	}
	return "Authorization: Bearer " + made["Secret"].(string)
}

// eventsOf returns the primary keys of a tenant's events, and checks who caused
// them.
func (s *server) eventsOf(tenant webhook.Tenant) (keys []int32) {
	s.t.Helper()
	stored, err := s.db.Events().List(s.t.Context(), tenant, webhook.FirstEventID(now.AddDate(0, 0, -1)), webhook.FirstEventID(now.AddDate(1, 0, 0)), 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range stored {
		if keys = append(keys, e.PrimaryKey); e.ChangedBy != 9 {
			s.t.Errorf("event %d of %s was caused by %d", e.PrimaryKey, tenant, e.ChangedBy)
		}
	}
	slices.Sort(keys)
	return keys
}

// signalAt signals an event in a tenant's address; "" names none.
func (s *server) signalAt(tenant string, key int, headers ...string) (status int) {
	s.t.Helper()
	if tenant != "" {
		tenant = "/" + tenant
	}
	answer := s.call("POST", fmt.Sprintf("%s/api/v1/Webhook/contact.changed/%d", tenant, key), `{"a":1}`, headers...)
	if answer.Code == 421 && !strings.Contains(answer.Body.String(), "SoWrongTenantException") {
		s.t.Errorf("got %s", answer.Body)
	}
	return answer.Code
}

// A publisher submits events for the tenants of its addresses. The same Source and Id
// in two tenants are two events.
func TestPublisher_SubmitsEvents(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, name := range []string{"Cust1", "Cust2", "Cust3"} {
		s.admin("POST", "/admin/v1/Tenants", `{"Name":"`+name+`"}`, 201)
	}
	publisher := s.publisher("Default", "Cust1", "Cust2")
	const event = `{"specversion":"1.0","id":"1","source":"s","type":"a.b","subject":"7"}`
	ids := map[string]bool{}
	for tenant, status := range map[string]int{"/Cust1": 202, "/Cust2": 202, "/Cust3": 421, "/Missing": 421, "": 421} {
		for range 2 {
			got := s.call("POST", tenant+"/api/v1/Events", event, publisher, "Content-Type: application/cloudevents+json")
			if got.Code != status {
				t.Errorf("%s: got %d %s, want %d", tenant, got.Code, got.Body, status)
			}
			if got.Code == 202 {
				ids[got.Body.String()] = true
			}
		}
	}
	for tenant, want := range map[webhook.Tenant][]int32{"Cust1": {7}, "Cust2": {7}, "Cust3": nil, "Default": nil} {
		if got := s.eventsOf(tenant); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", tenant, got, want)
		}
	}
	if len(ids) != 2 {
		t.Errorf("got the ids %v, want two", ids)
	}
}

// Three tenants, and publishers whose calls alternate between them: each event
// arrives where its address says and nowhere else.
func TestPublisher_EventsGoWhereTheAddressSays(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, name := range []string{"Cust1", "Cust2", "Cust12"} {
		s.admin("POST", "/admin/v1/Tenants", `{"Name":"`+name+`"}`, 201)
	}
	two, all, own := s.publisher("Default", "Cust1", "Cust2"), s.publisher("Cust12", "*"), s.publisher("Cust1", "Cust2")
	for i, test := range []struct {
		header, tenant string
		want           int
	}{
		{two, "Cust1", 204},
		{all, "Cust12", 204},
		{two, "Cust2", 204},
		{two, "Cust1", 204}, // the same credential again, after another tenant
		{two, "Cust12", 421},
		{two, "Default", 421}, // it is owned there, but does not list it
		{two, "cust1", 421},   // names are case-sensitive
		{two, "Cust3", 421},
		{two, "", 421},
		{two, "/", 404},
		{all, "Default", 204}, // exists without a record
		{all, "Cust1", 204},
		{all, "Cust3", 421},
		{all, "*", 404},
		{all, "", 421},
		{own, "Cust1", 421},
		{own, "Cust2", 204},
		{basicAuth("tje0:Tje0"), "Cust1", 421},
	} {
		if got := s.signalAt(test.tenant, i, test.header); got != test.want {
			t.Errorf("call %d, in %q: got %d, want %d", i, test.tenant, got, test.want)
		}
	}
	for tenant, want := range map[webhook.Tenant][]int32{"Cust1": {0, 3, 11}, "Cust2": {2, 16}, "Cust12": {1}, "Default": {10}} {
		if diff := cmp.Diff(want, s.eventsOf(tenant)); diff != "" {
			t.Errorf("events of %s (-want +got):\n%s", tenant, diff)
		}
	}
	// One idempotency key is a different one in each tenant.
	for _, tenant := range []string{"Cust1", "Cust2"} {
		for range 2 {
			if got := s.signalAt(tenant, 100, two, "Idempotency-Key: k"); got != 204 {
				t.Errorf("got %d", got)
			}
		}
		if got := s.eventsOf(webhook.Tenant(tenant)); got[len(got)-1] != 100 || got[len(got)-2] == 100 {
			t.Errorf("%s has %v", tenant, got)
		}
	}
}

func TestPublisher_MayOnlySignal(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	header := s.publisher("Default", "*")
	for _, call := range []string{
		"GET /api/v1/Webhook", "POST /api/v1/Webhook", "GET /api/v1/Webhook/1", "POST /api/v1/Agents/Webhook/GetAllWebhooks", "POST /api/v1/Webhook/Test", "POST /api/v1/Session",
	} {
		method, path, _ := strings.Cut(call, " ")
		for address, want := range map[string]int{"": 421, "/Cust1": 403, "/Default": 403, "/Cust9": 421} {
			if got := s.call(method, address+path, "{}", header); got.Code != want {
				t.Errorf("%s in %q: got %d %s, want %d", call, address, got.Code, got.Body, want)
			}
		}
	}
	if got := s.call("GET", "/admin/v1/Tenants", "", header).Code; got != 403 {
		t.Errorf("administration: got %d", got)
	}
	if got := s.call("POST", "/Cust1/api/v1/Agents/Webhook/SignalEvent", `{"EventName":"a.b","PrimaryKey":1}`, header).Code; got != 204 {
		t.Errorf("the agent's signal: got %d", got)
	}
	if got := s.call("POST", "/api/v1/Agents/Webhook/SignalEvent", `{"EventName":"a.b","PrimaryKey":1}`, header).Code; got != 421 {
		t.Errorf("the agent's signal without a tenant: got %d", got)
	}
	live, err := s.db.Credentials().List(t.Context(), "Default", "session-", 10)
	if err != nil || len(live) > 0 {
		t.Errorf("it has %d sessions (%v)", len(live), err)
	}
}

// An app token narrows a publisher only within the tenant that the call names.
func TestPublisher_AppTokenMustBeOfTheNamedTenant(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, name := range []string{"Cust1", "Cust2"} {
		s.admin("POST", "/admin/v1/Tenants", `{"Name":"`+name+`"}`, 201)
	}
	header := s.publisher("Default", "*")
	owners, _ := s.issue("Default", "app", "", "crm")
	of1, _ := s.issue("Cust1", "app", "", "crm")
	for app, want := range map[string][2]int{of1: {204, 403}, owners: {403, 403}, "SO-AppToken: unknown": {403, 403}} {
		if got := [2]int{s.signalAt("Cust1", 1, header, app), s.signalAt("Cust2", 1, header, app)}; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestPublisher_OutlivesTheTenantsItLists(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	for _, name := range []string{"Cust1", "Cust2"} {
		s.admin("POST", "/admin/v1/Tenants", `{"Name":"`+name+`"}`, 201)
	}
	headers := []string{s.publisher("Default", "Cust1", "Cust2"), s.publisher("Default", "*")}
	signals := func(step string, want1, want2 int) {
		t.Helper()
		for _, header := range headers {
			if got := [2]int{s.signalAt("Cust1", 1, header), s.signalAt("Cust2", 1, header)}; got != [2]int{want1, want2} {
				t.Errorf("%s: got %v", step, got)
			}
		}
	}
	signals("before", 204, 204)
	job := s.admin("DELETE", "/admin/v1/Tenants/Cust1", "", 202)["JobId"]
	signals("while it is being deleted", 421, 204)
	before := len(s.eventsOf("Cust1"))
	if err := s.db.Tenants().Forget(t.Context(), "Cust1"); err != nil { // as job does at its end
		t.Fatal(job, err)
	}
	signals("once it is deleted", 421, 204)
	if got := len(s.eventsOf("Cust1")); got != before {
		t.Errorf("a deleted tenant got %d events", got-before)
	}
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	signals("once one of the same name exists", 204, 204)
	s.admin("DELETE", "/admin/v1/Tenants/Default", "", 202)
	signals("once its owner is deleted", 401, 401)
}

func TestPublisher_LogNamesTheTenantOfTheAddress(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	s.admin("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201)
	header := s.publisher("Default", "Cust1")
	s.log.Reset()
	s.signalAt("Cust1", 1, header)
	s.signalAt("Cust2", 1, header)
	var got []string
	for line := range strings.Lines(s.log.String()) {
		var fields struct {
			Tenant, User string
			Status       int
		}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(fields.Status, " ", fields.Tenant, " ", fields.User))
	}
	if diff := cmp.Diff([]string{"204 Cust1 publisher", "421 Default publisher"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAdmin_RefusesBadListsOfTenants(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	names := func(n, length int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("%q", fmt.Sprintf("%0*d", length, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for name, test := range map[string]struct{ scopes, kind, tenants, want string }{
		"another scope":      {`["webhooks"]`, "bearer", `["Cust1"]`, "Tenants requires the scope events alone"},
		"both scopes":        {`["events","webhooks"]`, "bearer", `["*"]`, "Tenants requires the scope events alone"},
		"an app token":       {`["events"]`, "app", `["Cust1"]`, "Tenants is not for kind app"},
		"an empty list":      {`["events"]`, "bearer", `[]`, "Tenants is empty"},
		"a string":           {`["events"]`, "bearer", `"*"`, "Tenants must be an array"},
		"a bad name":         {`["events"]`, "bearer", `["a/b"]`, `Tenants: "a/b" must be a tenant's name`},
		"an empty name":      {`["events"]`, "bearer", `[""]`, `Tenants: "" must be a tenant's name`},
		"a pattern":          {`["events"]`, "bearer", `["Cust*"]`, `Tenants: "Cust*" must be a tenant's name`},
		"a duplicate":        {`["events"]`, "bearer", `["Cust1","Cust2","Cust1"]`, `Tenants: duplicate tenant "Cust1"`},
		"all and one":        {`["events"]`, "bearer", `["Cust1","*"]`, `Tenants: "*" must be the only entry`},
		"too many names":     {`["events"]`, "bearer", names(1001, 4), "Tenants has more than 1000 names"},
		"names over a limit": {`["events"]`, "bearer", names(600, 64), "Tenants has more than 32768 bytes of names"},
		"far, far too many":  {`["events"]`, "bearer", names(2001, 4), "Tenants has more than 2000 items"},
	} {
		body := fmt.Sprintf(`{"Kind":%q,"User":"anna","App":"crm","Scopes":%s,"Tenants":%s}`, test.kind, test.scopes, test.tenants)
		if answer := s.call("POST", "/admin/v1/Tenants/Default/Credentials", body, asAdmin); answer.Code != 400 {
			t.Errorf("%s: got %d %.200s", name, answer.Code, answer.Body)
		} else if text := s.faultText(answer.Body.Bytes()); !strings.Contains(text, test.want) || len(text) > 500 {
			t.Errorf("%s: got %.600s, want %s", name, text, test.want)
		}
	}
	for _, tenants := range []string{`null`, `["Not-yet_there"]`, names(1000, 32)} {
		s.admin("POST", "/admin/v1/Tenants/Default/Credentials", `{"Kind":"bearer","User":"anna","Scopes":["events"],"Tenants":`+tenants+`}`, 201)
	}
}

func (s *server) faultText(body []byte) string {
	s.t.Helper()
	var fault struct{ ErrorMessage string }
	if err := json.Unmarshal(body, &fault); err != nil {
		s.t.Error(err)
	}
	return fault.ErrorMessage
}

// The longest lists of tenants fill a page before 1,000 credentials do: a page
// always fits into a response.
func TestAdmin_ListOfPublishersIsPaged(t *testing.T) {
	t.Parallel()
	s := newGuarded(t)
	tenants := make([]string, 1000)
	for i := range tenants {
		tenants[i] = fmt.Sprintf("%032d", i)
	}
	const publishers = 70
	for range publishers {
		s.publisher("Default", tenants...)
		s.clock.Advance(time.Second)
	}
	seen := map[string]bool{}
	pages := 0
	for cursor := ""; ; pages++ {
		page := s.admin("GET", "/admin/v1/Tenants/Default/Credentials?cursor="+cursor, "", 200)
		for _, each := range page["Credentials"].([]any) {
			seen[each.(map[string]any)["Id"].(string)] = true
		}
		if page["Cursor"] == nil {
			break
		}
		cursor = page["Cursor"].(string)
	}
	if len(seen) != publishers || pages != 2 {
		t.Errorf("got %d credentials and %d further pages", len(seen), pages)
	}
}

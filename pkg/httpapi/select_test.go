package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// object decodes a response that is a JSON object.
func object(t *testing.T, body string) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return members
}

// names returns the names of a JSON object's members in order.
func names(t *testing.T, body string) []string {
	t.Helper()
	members, err := jsonscan.Members(json.RawMessage(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = m.Name
	}
	return list
}

// nothing holds the empty values of a webhook's members on the wire. Members that
// are not listed are null.
var nothing = map[string]any{
	"State": "Unknown", "Registered": "0001-01-01T00:00:00", "Updated": "0001-01-01T00:00:00",
	"NotifyVia": "None", "NotifyWhen": "None", "TotalCalls": 0.0, "TotalErrors": 0.0, "ConsecutiveErrors": 0.0,
}

// Decision 0.12.
func TestSelect(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	whole := s.call("GET", "/api/v1/Webhook/1", "").Body.String()
	all := object(t, whole)
	for query, want := range map[string][]string{
		"name":                        {"Name"},
		"NAME, targeturl ,,":          {"Name", "TargetUrl"},
		"name,department,category/id": {"Name"}, // as on SuperOffice's page
		"nothing":                     {},
		"registeredassociate":         {"RegisteredAssociate"},
		"/State/":                     {"State"},
		"webhookid,_links":            {},
		"headers/x-b,events/0":        {"Headers", "Events"}, // dictionaries and lists are selected whole
		strings.Repeat("x,", 499) + "name,secret": {"Name"}, // at most 500 names are read
	} {
		got := s.call("GET", "/api/v1/Webhook/1?$SELECT="+strings.ReplaceAll(query, " ", "%20"), "").Body.String()
		if diff := cmp.Diff(names(t, whole), names(t, got)); diff != "" {
			t.Errorf("$select=%.40s: keys (-want +got):\n%s", query, diff)
		}
		expected := map[string]any{"WebhookId": all["WebhookId"], "_Links": all["_Links"]}
		for name := range all {
			if _, always := expected[name]; !always {
				expected[name] = nothing[name]
			}
		}
		for _, name := range want {
			expected[name] = all[name]
		}
		if diff := cmp.Diff(expected, object(t, got)); diff != "" {
			t.Errorf("$select=%.40s (-want +got):\n%s", query, diff)
		}
	}
	for _, empty := range []string{"", ",", "%20/,"} {
		if got := s.call("GET", "/api/v1/Webhook/1?$select="+empty, "").Body.String(); got != whole {
			t.Errorf("$select=%s does not select everything: %s", empty, got)
		}
	}
}

// Decision 0.12: nested members.
func TestSelect_Nested(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	got := s.call("GET", "/api/v1/Webhook/1?$select=registeredAssociate/FullName,registeredAssociate/tableRight/mask,updatedAssociate/name,UpdatedAssociate", "").Body.String()
	for _, want := range []string{
		`"RegisteredAssociate":{"AssociateId":0,"Name":null,"PersonId":0,"Rank":0,"Tooltip":null,"Type":"Unknown","GroupIdx":0,"FullName":"tje0","FormalName":null,"Deleted":false,"EjUserId":0,"UserName":null,"TableRight":{"Mask":"FULL","Reason":""},"FieldProperties":null}`,
		`"UpdatedAssociate":{"AssociateId":1,"Name":"tje0"`, // as a whole, which is selected too
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	got = s.call("GET", "/api/v1/Webhook/1?$select=registeredAssociate/tableRight/reason", "").Body.String()
	if want := `"UserName":null,"TableRight":{"Mask":"","Reason":""},"FieldProperties":null}`; !strings.Contains(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if again := s.call("GET", "/api/v1/Webhook/1", "").Body.String(); !strings.Contains(again, `"FullName":"tje0","FormalName":null,"Deleted":false,"EjUserId":0,"UserName":"tje0","TableRight":{"Mask":"FULL","Reason":""},"FieldProperties":{}`) {
		t.Errorf("a selection changed another response: %s", again)
	}
}

// Decision 0.12: all operations with $select, also in XML.
func TestSelect_Operations(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const root, agentRoot = "/api/v1/Webhook", "/api/v1/Agents/Webhook/"
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", root + "?$select=name", minimal, `{"WebhookId":1,"Name":"n","Events":null,"TargetUrl":null,"Secret":null,"State":"Unknown"`},
		{"PUT", root + "/1?$select=state", minimal, `{"WebhookId":1,"Name":null,"Events":null,"TargetUrl":null,"Secret":null,"State":"Active"`},
		{"PATCH", root + "/1?$select=state", `{"Name":"m"}`, `{"WebhookId":1,"Name":null,"Events":null,"TargetUrl":null,"Secret":null,"State":"Active"`},
		{"GET", root + "/1?$select=name", ``, `{"WebhookId":1,"Name":"m","Events":null`},
		{"POST", agentRoot + "GetWebhook?webhookId=1&$select=name", `null`, `{"WebhookId":1,"Name":"m","Events":null`},
		{"POST", agentRoot + "GetAllWebhooks?$select=name", `{}`, `[{"WebhookId":1,"Name":"m","Events":null`},
		{"POST", agentRoot + "TestWebhook?$select=success", `{"Webhook":` + minimal + `}`, `{"Success":true,"Message":null,"TableRight":null,"FieldProperties":null}`},
		{"POST", agentRoot + "GetLastError?$select=name", `{"WebhookId":1}`, `null`},
		{"POST", agentRoot + "SignalEvent?$select=name", `{"EventName":"a.b","PrimaryKey":1}`, ``},
	} {
		got := s.call(test.method, test.path, test.body)
		if got.Code >= 300 || !strings.HasPrefix(got.Body.String(), test.want) {
			t.Errorf("%s %s: got %d %s, want %s", test.method, test.path, got.Code, got.Body, test.want)
		}
	}
	got := s.call("GET", root+"/1?$select=name", "", "Accept: application/xml").Body.String()
	if !strings.Contains(got, `<Name>m</Name><Events xsi:nil="true"/>`) || !strings.Contains(got, `<_Links>`) {
		t.Errorf("XML: %s", got)
	}
}

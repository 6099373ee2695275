package httpapi_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// Half of a surrogate pair is not a character: readers replace it, so that a name
// differs between Changes and FieldValues, or refuse the body that it is in.
func TestUnpairedSurrogates_AreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Auth = scoped("webhooks", "events", "admin") })
	s.call("POST", root, minimal)
	before := s.call("GET", root+"/1", "").Body.String()
	const rest = `"Events":["a"],"TargetUrl":"https://example.com/"}`
	for _, test := range []struct{ method, path, contentType, body string }{
		{"POST", root + "/a.b/1", "", `{"key\ud800":1}`},
		{"POST", root + "/a.b/1", "", `{"note":"cut off \ud83d"}`},
		{"POST", root + "/a.b/1", "", `{"list":[{"a":"\udc00\ud800"}]}`},
		{"POST", root, "", `{"Name":"\ud800",` + rest},
		{"POST", root, "", `{"Secret":"s\udfff",` + rest},
		{"POST", root, "", `{"Properties":{"a":{"\ud800":1}},` + rest},
		{"POST", root, "", `{"Headers":{"X-A":"\ud800"},` + rest},
		{"PUT", root + "/1", "", `{"Description":"\ud800",` + rest},
		{"PATCH", root + "/1", "", `{"Name":"\ud800"}`},
		{"PATCH", root + "/1", "", `{"Properties":{"k\ud800":1}}`},
		{"PATCH", root + "/1", "", `[{"op":"replace","path":"/Name","value":"\ud800"}]`},
		{"PATCH", root + "/1", "", `[{"op":"add","path":"/Properties/\ud800","value":1}]`},
		{"POST", root + "/Test", "", `{"Name":"\ud800",` + rest},
		{"PUT", root + "/1/Options", "", `{"Policy":"\ud800"}`},
		{"POST", agent + "SaveWebhook", "", `{"Name":"\ud800",` + rest},
		{"POST", agent + "SignalEvent", "", `{"EventName":"a","Data":{"\ud800":1}}`},
		{"POST", agent + "GetAllWebhooks", "", `{"NameFilter":"\ud800"}`},
		{"POST", "/admin/v1/Tenants", "", `{"Name":"\ud800"}`},
		{"POST", "/admin/v1/Tenants/Default/Credentials", "", `{"Kind":"basic","User":"\ud800"}`},
		{"POST", root, "text/xml", "<w><Name>&#xD800;</Name></w>"},
		{"POST", root + "/a.b/1", "text/xml", "<d><a>&amp;&#1;&#57343;</a></d>"},
		{"POST", root + "/a.b/1", "text/xml", "<d><!-- &#xD800; --><a>&#xdc00;</a></d>"},
	} {
		got := s.call(test.method, test.path, test.body, "Content-Type: "+test.contentType)
		if got.Code != 400 || !strings.Contains(got.Body.String(), "unpaired surrogate") {
			t.Errorf("%s %s %s: got %d %s", test.method, test.path, test.body, got.Code, got.Body)
		}
	}
	if after := s.call("GET", root+"/1", "").Body.String(); after != before || len(s.webhooks()) != 1 || len(s.events()) != 0 {
		t.Errorf("%d webhooks and %d events are stored, webhook 1 is %s", len(s.webhooks()), len(s.events()), after)
	}
	for contentType, body := range map[string]string{
		"":         `{"pair":"\ud83d\ude00","escaped":"\\ud800"}`,
		"text/xml": "<d><!--&#xD800;--><a><![CDATA[&#xD800;]]>&#x1F600;&#xFFFD;</a></d>",
	} {
		if got := s.call("POST", root+"/a.b/1", body, "Content-Type: "+contentType); got.Code != 204 {
			t.Errorf("%s: got %d %s", body, got.Code, got.Body)
		}
	}
}

// Decision 0.24: a property comes after the body's own members, so one that differs
// from them only in case would take their place for readers that ignore case.
func TestProperties_MayNotShadowTheBody(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	with := func(properties string) string {
		return `{"Events":["a"],"TargetUrl":"https://example.com/","Properties":` + properties + `}`
	}
	const fault = "differs only in case from "
	for _, name := range []string{"eventid", "EVENTID", "eventId", "timestamp", "fieldvalues", "changeſ", "Webhookname", "values"} {
		got := s.call("POST", root, with(`{"ok":1,"`+name+`":1}`))
		if got.Code != 400 || !strings.Contains(got.Body.String(), fault) || !strings.Contains(got.Body.String(), name) {
			t.Errorf("%s: got %d %s", name, got.Code, got.Body)
		}
	}
	if got := s.call("POST", root, with(`{"EventId":1,"Event":2,"Type":3,"data":4}`)); got.Code != 200 {
		t.Fatalf("exact names: got %d %s", got.Code, got.Body)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"PATCH", root + "/1", `{"Properties":{"fieldvalues":1}}`, 400},
		{"PATCH", root + "/1", `[{"op":"add","path":"/Properties","value":{"Eventid":1}}]`, 400},
		{"PUT", root + "/1", with(`{"entity":1}`), 400},
		{"POST", agent + "SaveWebhook", with(`{"entity":1}`), 400},
		{"POST", root + "/Test", with(`{"entity":1}`), 400},
		{"PATCH", root + "/1/Options", `{"Format":"standard"}`, 400}, // Type
		{"PATCH", root + "/1/Options", `{"Format":"cloudevents"}`, 200},
		{"PUT", root + "/1", with(`{"eventid":1}`), 200}, // the body has no Properties
		{"PATCH", root + "/1/Options", `{"Format":"superoffice"}`, 400},
		{"PATCH", root + "/1/Options", `{"Format":"standard"}`, 200},
		{"PUT", root + "/1", with(`{"eventid":1,"timestamp":2,"type":3}`), 200},
		{"PUT", root + "/1", with(`{"Timestamp":1}`), 400},
	} {
		got := s.call(test.method, test.path, test.body)
		if got.Code != test.status || test.status == 400 && !strings.Contains(got.Body.String(), fault) {
			t.Errorf("%s %s %s: got %d %s, want %d", test.method, test.path, test.body, got.Code, got.Body, test.status)
		}
	}
}

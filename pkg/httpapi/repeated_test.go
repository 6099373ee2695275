package httpapi_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// A name that is repeated in a form or XML is collected where the member is a list,
// and otherwise refused by its name: the last value never replaces the others.
func TestRepeatedNames(t *testing.T) {
	t.Parallel()
	const (
		form, xml = "application/x-www-form-urlencoded", "application/xml"
		target    = "&TargetUrl=https://example.com/"
		element   = "<TargetUrl>https://example.com/</TargetUrl>"
		twice     = " is in the body more than once"
	)
	for _, test := range []struct {
		contentType, path, body string
		status                  int
		text                    string
	}{
		{form, root, "Events=a&Events=b&Events[]=c&ErrorEmails=x@y&ErrorEmails[1]=z@y" + target, 200, `"Events":["a","b","c"]`},
		{xml, root, "<w><Events><string>a</string></Events><Events><string>b</string></Events>" + element + "</w>", 200, `"Events":["a","b"]`},
		{form, root, "Name=a&Name=b&Events=a" + target, 400, "Name" + twice},
		{form, root, "name=a&NAME=b&Events=a" + target, 400, "Name" + twice},
		{form, root, "Secret=a&Secret=b&State=1&State=2&Events=a" + target + target, 400, "TargetUrl" + twice + "; Secret" + twice + "; State" + twice},
		{form, root, "Headers[X-A]=1&Headers[X-A]=2&Events=a" + target, 400, `Headers: \"X-A\"` + twice},
		{form, root, "Properties[k]=1&Properties[k]=2&Events=a" + target, 400, `Properties: \"k\"` + twice},
		{form, root, "ErrorAssociates[0][Id]=1&ErrorAssociates[0][Id]=2&Events=a" + target, 400, "ErrorAssociates[0].Id" + twice},
		{form, root, "Registered=1&Registered=2&_Links=1&_Links=2&Events=a" + target, 200, ""}, // the server's: skipped unread
		{xml, root, "<w><Name>a</Name><Name>b</Name><Events><string>a</string></Events>" + element + "</w>", 400, "Name" + twice},
		{xml, root, "<w><Headers><X-A>1</X-A></Headers><Headers><X-B>1</X-B></Headers><Events><string>a</string></Events>" + element + "</w>", 400, "Headers" + twice},
		{xml, root, "<w><Properties><k>1</k><k>2</k></Properties><Events><string>a</string></Events>" + element + "</w>", 400, `Properties: \"k\"` + twice},
		{xml, root, "<w><RegisteredAssociate><x><y/><y/></x><x/></RegisteredAssociate><Events><string>a</string></Events>" + element + "</w>", 200, ""},
		{form, root + "/1/Options", "TimeoutSeconds=5&TimeoutSeconds=6", 400, "TimeoutSeconds" + twice},
		{form, agent + "SignalEvent", "EventName=a&EventName=b", 400, "EventName" + twice},
		{form, agent + "SignalEvent", "EventName=a&PrimaryKey=1&PrimaryKey=2", 400, "PrimaryKey" + twice},
		{form, agent + "SignalEvent", "EventName=a&Data[tags]=1&Data[tags]=2", 204, ""},
		{form, "/admin/v1/Tenants", "Name=a&Name=b", 400, "Name" + twice},
		{form, "/admin/v1/Tenants/Default/Credentials", "Kind=bearer&User=u&Scopes=webhooks&Scopes=events", 201, `"Scopes":["webhooks","events"]`},
		{form, "/admin/v1/Tenants/Default/Credentials", "Kind=bearer&User=u&Scopes[]=webhooks&ExpiresAt=1&ExpiresAt=2", 400, "ExpiresAt" + twice},
		{"", root, `{"Name":"a","Name":"b","Events":["a"],"TargetUrl":"https://example.com/"}`, 200, `"Name":"b"`}, // JSON: the last one wins
	} {
		s := newServer(t, func(c *httpapi.Config) { c.Auth = scoped("webhooks", "events", "admin") })
		s.call("POST", root, minimal)
		method := "POST"
		if strings.HasSuffix(test.path, "Options") {
			method = "PUT"
		}
		got := s.call(method, test.path, test.body, "Content-Type: "+test.contentType)
		if got.Code != test.status || !strings.Contains(got.Body.String(), test.text) {
			t.Errorf("%s %s: got %d %s, want %d with %q", test.path, test.body, got.Code, got.Body, test.status, test.text)
		}
		if strings.Count(got.Body.String(), twice) > 2*strings.Count(test.text, twice) { // ErrorMessage and Message
			t.Errorf("%s: a fault is repeated: %s", test.body, got.Body)
		}
		if strings.Contains(test.body, "Data[tags]") && string(s.events()[0].Data) != `{"tags":["1","2"]}` {
			t.Errorf("the event's data is %s", s.events()[0].Data)
		}
	}
}

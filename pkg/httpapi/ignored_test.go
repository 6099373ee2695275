package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// A name that nothing reads is listed in a header and in the log; one that is
// nearly a known name is refused.
func TestIgnoredNames(t *testing.T) {
	t.Parallel()
	const (
		form, xml = "application/x-www-form-urlencoded", "text/xml"
		rest      = `"Events":["a"],"TargetUrl":"https://example.com/"`
		formRest  = "&Events=a&TargetUrl=https://example.com/"
		xmlRest   = "<Events><string>a</string></Events><TargetUrl>https://example.com/</TargetUrl>"
	)
	for _, test := range []struct {
		method, path, contentType, body string
		status                          int
		ignored                         string // the header; of a 400 the text
	}{
		{"POST", root, "", `{"Colour":1,"foo bar":2,"æ,\r\n":3,"":4,"Colour":5,` + rest + `}`, 200, `Colour, foo%20bar, %C3%A6%2C%0D%0A, ""`},
		{"POST", root, "", `{"tableRight":{"mask":15},"FieldProperties":{},"_Links":{},"registeredassociate":null,"ExtraFields":1,"LastError":2,` + rest + `}`, 200, ""},
		{"POST", root, "", `{"Secrt":"abc",` + rest + `}`, 400, `unknown member "Secrt": did you mean Secret?`},
		{"POST", root, "", `{"secerT":"abc",` + rest + `}`, 400, `unknown member "secerT": did you mean Secret?`},
		{"POST", root, "", `{"ErrorEmail":"a@b",` + rest + `}`, 400, `unknown member "ErrorEmail": did you mean ErrorsEmail or ErrorEmails?`},
		{"POST", root, "", `{"Event":["a"],"TargetUrl":"https://example.com/"}`, 400, `"unknown member \"Event\": did you mean Events?"`}, // and not that Events is required
		{"POST", root, "", `{"Nam":"x","Typ":"y",` + rest + `}`, 200, "Nam, Typ"},                                                         // three letters
		{"POST", root, "", `{"Headers":{"Secrt":"x"},"Properties":{"Naem":1},` + rest + `}`, 200, ""},                                     // names of the client's own
		{"POST", root, "", `{"ErrorAssociates":[{"Id":1,"Foo":2,"TableRight":{}},{"Id":2,"foo":3,"Foo":4,"ChildItems":[{"Bar":5}]}],` + rest + `}`, 200, "ErrorAssociates.Foo, ErrorAssociates.foo, ErrorAssociates.Bar"},
		{"POST", root, "", `{"ErrorAssociates":[{"Id":1,"Naem":"x"}],` + rest + `}`, 400, `unknown member "ErrorAssociates.Naem": did you mean Name?`},
		{"POST", root, form, "Colour=1&Colour[x]=2" + formRest, 200, "Colour"},
		{"POST", root, form, "Secrets=1" + formRest, 400, `unknown member "Secrets": did you mean Secret?`},
		{"POST", root, xml, "<w><Colour/><Colour><Secrt/></Colour>" + xmlRest + "</w>", 200, "Colour"},
		{"POST", root, xml, "<w><Secert>x</Secert>" + xmlRest + "</w>", 400, `unknown member "Secert": did you mean Secret?`},
		{"PUT", root + "/1", "", `{"Colour":1,` + rest + `}`, 200, "Colour"},
		{"PUT", root + "/1", "", `{"Targeturls":1,` + rest + `}`, 400, "did you mean TargetUrl?"},
		{"PATCH", root + "/1", "", `{"Colour":["a"],"TotalCalls":5,"Name":"m"}`, 200, "Colour"},
		{"PATCH", root + "/1", "", `{"Event":["a"]}`, 400, `unknown member "Event": did you mean Events?`},
		{"PATCH", root + "/1", "", `{"ErrorAssociates":[{"Foo":1}]}`, 200, "ErrorAssociates.Foo"},
		{"PATCH", root + "/1", "", `[{"op":"add","path":"/Name","value":"m","foo":1,"from":""},{"op":"add","path":"/Name","value":"n","foo":1}]`, 200, "Changes.foo"},
		{"PATCH", root + "/1", "", `[{"op":"add","path":"/Name","valeu":"m"}]`, 400, `unknown member "Changes.valeu": did you mean value?`},
		{"PATCH", root + "/1", "", `[{"op":"add","path":"/ErrorAssociates/-","value":{"Foo":1}}]`, 200, "ErrorAssociates.Foo"},
		{"POST", root + "/Test", "", `{"Colour":1,` + rest + `}`, 200, "Colour"},
		{"POST", root + "/Test", "", `{"Secre":1,` + rest + `}`, 400, "did you mean Secret?"},
		{"GET", root + "?top=2&$filter=x&_=1", "", "", 200, "top, $filter, _"},
		{"GET", root + "?$tpo=2", "", "", 400, `unknown query parameter "$tpo": did you mean $top?`},
		{"GET", root + "?skip=2", "", "", 400, `unknown query parameter "skip": did you mean $skip?`},
		{"GET", root + "?namefilters=x", "", "", 400, "did you mean nameFilter?"},
		{"GET", root + "/1?$selct=Name", "", "", 400, "did you mean $select?"},
		{"GET", root + "/1/LastError?$top=1", "", "", 200, "$top"},
		{"DELETE", root + "/1?force=true", "", "", 204, "force"},
		{"POST", root + "/a.b/1?wait=1", "", `{"Secrt":1}`, 204, "wait"},
		{"POST", root + "?x=1", "", `{"y":1,` + rest + `}`, 200, "x, y"},
		{"POST", root + "?x=1", "", `{"y":1}`, 400, `unknown member "y" was ignored`},
		{"POST", agent + "SaveWebhook", "", `{"Colour":1,` + rest + `}`, 200, "Colour"},
		{"POST", agent + "SaveWebhook", "", `{"Webhook":{"Colour":1,` + rest + `},"Name":"outside"}`, 200, "Colour, Name"},
		{"POST", agent + "SaveWebhook", "", `{"Webhok":{` + rest + `}}`, 400, `unknown member \"Webhok\": did you mean Webhook?`},
		{"POST", agent + "TestWebhook", "", `{"Webhook":{"Scret":1,` + rest + `}}`, 400, `did you mean Secret?`},
		{"POST", agent + "GetAllWebhooks", "", `{"Colour":1}`, 200, "Colour"},
		{"POST", agent + "GetAllWebhooks", "", `{"NameFiltr":"x"}`, 400, "did you mean NameFilter?"},
		{"POST", agent + "GetAllWebhooks?$slip=1", "", ``, 400, "did you mean $skip?"},
		{"POST", agent + "SignalEvent?$select=x", "", `{"EventName":"a","Data":{"Secrt":1},"Colour":1}`, 204, "Colour"},
		{"POST", agent + "SignalEvent", "", `{"EventName":"a","PrimryKey":7}`, 400, "did you mean PrimaryKey?"},
		{"POST", agent + "GetLastError", "", `{"WebhookId":1,"Colour":1}`, 200, "Colour"},
		{"PUT", root + "/1/Options", "", `{"Polcy":"durable"}`, 400, "Polcy"},
		{"POST", "/admin/v1/Tenants?x=1", "", `{"Name":"a"}`, 201, "x"},
		{"POST", "/admin/v1/Tenants", "", `{"Naem":"a"}`, 400, "Naem"},
		{"GET", "/admin/v1/Tenants?cursr=a", "", "", 400, "did you mean cursor?"},
	} {
		s := newServer(t, func(c *httpapi.Config) { c.Auth = scoped("webhooks", "events", "admin") })
		s.call("POST", root, minimal)
		s.log.Reset()
		got := s.call(test.method, test.path, test.body, "Content-Type: "+test.contentType)
		header := strings.Join(got.Header().Values("X-Posthaste-Ignored"), "|")
		if got.Code != test.status || got.Code < 300 && header != test.ignored || got.Code >= 300 && !strings.Contains(strings.ReplaceAll(got.Body.String(), `\"`, `"`), strings.ReplaceAll(test.ignored, `\"`, `"`)) {
			t.Errorf("%s %s %s: got %d %q %s, want %d %q", test.method, test.path, test.body, got.Code, header, got.Body, test.status, test.ignored)
		}
		line := requestLine(t, s.log.String())
		if logged, _ := line["ignored"].(string); logged != header && test.contentType != form {
			t.Errorf("%s %s: the log has %q, the header %q", test.method, test.path, logged, header)
		}
	}
}

// requestLine returns the log line of a request.
func requestLine(t *testing.T, log string) (line map[string]any) {
	t.Helper()
	for text := range strings.Lines(log) {
		line = nil
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if line["msg"] == "request" {
			return line
		}
	}
	t.Fatalf("no request in %s", log)
	return nil
}

func TestIgnoredNames_AreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	names := list(2000, "", ",", "", func(i int) string { return fmt.Sprintf(`"unheard of %d":%d`, i, i) })
	got := s.call("POST", root, `{`+names+`,"`+strings.Repeat("é", 10_000)+`":1,"Events":["a"],"TargetUrl":"https://example.com/"}`)
	header := got.Header().Get("X-Posthaste-Ignored")
	if got.Code != 200 || len(header) > 1024 || len(header) < 900 || !strings.HasPrefix(header, "unheard%20of%200, unheard%20of%201, ") || !strings.HasSuffix(header, ", ...") {
		t.Errorf("got %d, %d bytes: %s", got.Code, len(header), header)
	}
	got = s.call("POST", root, `{"`+strings.Repeat("é", 10_000)+`":1,"b":2,"Events":["a"],"TargetUrl":"https://example.com/"}`)
	if header := got.Header().Get("X-Posthaste-Ignored"); header != strings.Repeat("%C3%A9", 16)+"%C3..., b" {
		t.Errorf("a long name: got %s", header)
	}
}

// Members of SuperOffice's own responses are sent back by its clients.
func TestIgnoredNames_LeaveOutWhatWasShown(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", root, patchable)
	for _, accept := range []string{"application/json", "text/xml"} {
		shown := s.call("GET", root+"/1", "", "Accept: "+accept).Body.String()
		for _, call := range []struct{ method, path string }{{"PUT", root + "/1"}, {"POST", root}, {"POST", root + "/Test"}, {"POST", agent + "SaveWebhook"}} {
			if call.method == "POST" && call.path != agent+"SaveWebhook" { // masks belong to what is stored
				shown = strings.ReplaceAll(shown, "********", "x")
			}
			got := s.call(call.method, call.path, shown, "Content-Type: "+accept)
			if header := got.Header()[http.CanonicalHeaderKey("X-Posthaste-Ignored")]; got.Code != 200 || header != nil {
				t.Errorf("%s %s as %s: got %d, ignored %v, %s", call.method, call.path, accept, got.Code, header, got.Body)
			}
		}
	}
}

// edits lists what one insertion, deletion, substitution or transposition makes of a
// name, with letters of a small alphabet.
func edits(name string) (all []string) {
	const letters = "abc"
	for i := range len(name) + 1 {
		for _, c := range letters {
			all = append(all, name[:i]+string(c)+name[i:])
			if i < len(name) {
				all = append(all, name[:i]+string(c)+name[i+1:])
			}
		}
		if i < len(name) {
			all = append(all, name[:i]+name[i+1:])
		}
		if i+1 < len(name) {
			all = append(all, name[:i]+string(name[i+1])+string(name[i])+name[i+2:])
		}
	}
	return all
}

func TestOneEdit_AgreesWithTheListOfAllEdits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringMatching(`[abc]{0,6}`).Draw(t, "a"), rapid.StringMatching(`[abc]{0,6}`).Draw(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b = rapid.SampledFrom(edits(a)).Draw(t, "edit")
		}
		want := false
		for _, edit := range edits(a) {
			want = want || edit == b && a != b
		}
		if diff := cmp.Diff([]bool{want, want}, []bool{httpapi.OneEdit(a, b), httpapi.OneEdit(b, a)}); diff != "" {
			t.Errorf("%q and %q (-want +got):\n%s", a, b, diff)
		}
	})
}

// An ampersand that is not escaped splits a secret, and its end reads as a name. The
// caller sees the name; the log must not.
func TestIgnoredNames_OfAFormAreNotLogged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.call("POST", "/api/v1/Webhook", "Name=n&Events=a.b&TargetUrl=https://example.com/&Secret=begin&hunter2", "Content-Type: application/x-www-form-urlencoded")
	if got.Code != 200 || got.Header().Get("X-Posthaste-Ignored") != "hunter2" {
		t.Errorf("got %d, ignored %q", got.Code, got.Header().Get("X-Posthaste-Ignored"))
	}
	if text := s.log.String(); strings.Contains(text, "hunter2") {
		t.Errorf("the log shows a part of the secret:\n%s", text)
	}
}

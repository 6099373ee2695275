package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// SuperOffice's documents leave points open, which were decided one by one. The
// decisions are listed in testdata/decisions.txt. The tests here, and those in
// other files that name a decision, verify them.

// TestDecisions fails if a decision is not named by any test.
func TestDecisions(t *testing.T) {
	t.Parallel()
	named, mention := map[int][]string{}, regexp.MustCompile(`(?i)decision 0\.([0-9]+)`)
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, path)
		for _, m := range mention.FindAllStringSubmatch(string(source), -1) {
			n, _ := strconv.Atoi(m[1])
			named[n] = append(named[n], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(read(t, "testdata/decisions.txt")), "\n")
	for i, line := range lines {
		n, text, _ := strings.Cut(line, " ")
		if n != strconv.Itoa(i+1) {
			t.Fatalf("line %d of the list is %q", i+1, line)
		}
		files := named[i+1]
		slices.Sort(files)
		if len(files) == 0 {
			t.Errorf("decision 0."+"%d has no test: %s", i+1, text)
		}
		t.Logf("0.%d, %d times: %s: %s", i+1, len(files), text, strings.Join(slices.Compact(files), " "))
	}
	for n := range named {
		if n < 1 || n > len(lines) {
			t.Errorf("a test names decision %d, and the list has %d", n, len(lines))
		}
	}
}

// body changes members of the minimal webhook. nil removes a member.
func body(t *testing.T, changes map[string]any) string {
	t.Helper()
	members := map[string]any{"Name": "n", "Events": []string{"contact.changed"}, "TargetUrl": "https://example.com/"}
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shown makes a call and decodes the webhook in the response.
func (s *server) shown(status int, method, path, body string, headers ...string) map[string]any {
	s.t.Helper()
	answer := s.call(method, path, body, headers...)
	if answer.Code != status {
		s.t.Fatalf("%s %s: got %d %s, want %d", method, path, answer.Code, answer.Body, status)
	}
	var members map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &members); err != nil {
		s.t.Fatal(err)
	}
	return members
}

// Decision 0.1, for REST.
func TestDecision01_PostAlwaysCreates(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.shown(200, "POST", "/api/v1/Webhook", body(t, map[string]any{"Name": "first"}))
	for _, id := range []any{0, 1, 794, nil} {
		s.shown(200, "POST", "/api/v1/Webhook", body(t, map[string]any{"WebhookId": id}))
	}
	var ids []int32
	for _, w := range s.webhooks() {
		ids = append(ids, w.ID)
	}
	if diff := cmp.Diff([]int32{1, 2, 3, 4, 5}, ids); diff != "" || s.webhooks()[0].Name != "first" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// Decision 0.2.
func TestDecision02_Put(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	full := map[string]any{
		"Secret": "s", "State": "Stopped", "Type": "aliquam", "Headers": map[string]string{"X-B": "b"}, "Properties": map[string]int{"a": 1},
		"Description": "d", "ErrorsEmail": "a@example.com", "ErrorEmails": []string{"b@example.com"}, "NotifyVia": "Email", "NotifyWhen": "Disabling",
	}
	s.shown(200, "POST", "/api/v1/Webhook", body(t, full))
	const options = `{"Policy":"superoffice","TimeoutSeconds":5,"SecretOverlapSeconds":7,"Format":"data","Include":["Previous"],"Filter":{"Key":["x"]},"OnlyFields":["a"],"IgnoreFields":["b"],"SkipOwn":[3],"Fields":["c"],"Template":{"k":"{{Key}}"}}`
	s.call("PUT", "/api/v1/Webhook/1/Options", options)
	got := s.shown(200, "PUT", "/api/v1/Webhook/1", body(t, map[string]any{"WebhookId": 1, "Name": nil}))
	for name, want := range map[string]any{
		"WebhookId": 1.0, "Name": nil, "Secret": "********", "State": "Stopped", "Type": "webhook", "Headers": nil, "Properties": nil,
		"Description": nil, "ErrorsEmail": nil, "ErrorEmails": []any{}, "NotifyVia": "None", "NotifyWhen": "None",
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := s.call("GET", "/api/v1/Webhook/1/Options", "").Body.String(); got != options {
		t.Errorf("the options changed: %s", got)
	}
	for name, test := range map[string]struct {
		path   string
		id     int
		status int
	}{
		"id 0":                 {"1", 0, 200},
		"another id":           {"1", 2, 400},
		"an unknown id":        {"9", 0, 404},
		"an unknown id, twice": {"9", 9, 404},
	} {
		if got := s.call("PUT", "/api/v1/Webhook/"+test.path, body(t, map[string]any{"WebhookId": test.id})); got.Code != test.status {
			t.Errorf("%s: got %d %s, want %d", name, got.Code, got.Body, test.status)
		}
	}
	if got := s.call("DELETE", "/api/v1/Webhook/9", ""); got.Code != 404 {
		t.Errorf("DELETE of an unknown id: got %d", got.Code)
	}
	if got := s.call("POST", agent+"DeleteWebhook?webhookId=9", ""); got.Code != 204 {
		t.Errorf("DeleteWebhook of an unknown id: got %d", got.Code)
	}
}

// Decision 0.4.
func TestDecision04_State(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		created, saved any
		want           [2]string
	}{
		"none given":                      {nil, nil, [2]string{"Active", "Active"}},
		"Unknown":                         {"Unknown", "Unknown", [2]string{"Active", "Active"}},
		"a rename does not re-activate":   {"TooManyErrors", nil, [2]string{"TooManyErrors", "TooManyErrors"}},
		"nor does Unknown":                {"stopped", 0, [2]string{"Stopped", "Stopped"}},
		"by number":                       {2, 1, [2]string{"Stopped", "Active"}},
		"a disabled webhook is posted on": {"TooManyErrors", "TooManyErrors", [2]string{"TooManyErrors", "TooManyErrors"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			created := s.shown(200, "POST", "/api/v1/Webhook", body(t, map[string]any{"State": test.created}))
			saved := s.shown(200, "PUT", "/api/v1/Webhook/1", body(t, map[string]any{"State": test.saved}))
			if got := [2]string{created["State"].(string), saved["State"].(string)}; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// Decision 0.5.
func TestDecision05_Type(t *testing.T) {
	t.Parallel()
	open := newServer(t)
	strict := newServer(t, func(c *httpapi.Config) { c.Registry.Rules.RefuseUnknownTypes = true })
	for name, test := range map[string]struct {
		given   any
		shown   string // "": refused
		refused bool   // if unknown types are refused
	}{
		"none":           {nil, "webhook", false},
		"empty":          {"", "webhook", false},
		"webhook":        {"webhook", "webhook", false},
		"in mixed case":  {"WebHook", "WebHook", false},
		"unknown":        {"aliquam", "aliquam", true},
		"crmscript":      {"CRMScript", "", true},
		"101 characters": {strings.Repeat("a", 101), "", true},
	} {
		for where, s := range map[string]*server{"open": open, "strict": strict} {
			got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"Type": test.given}))
			if refused := test.shown == "" || s == strict && test.refused; refused != (got.Code == 400) {
				t.Errorf("%s, %s: got %d %s", name, where, got.Code, got.Body)
			} else if want := fmt.Sprintf(`"Type":%q`, test.shown); !refused && !strings.Contains(got.Body.String(), want) {
				t.Errorf("%s, %s: got %s, want %s", name, where, got.Body, want)
			}
		}
	}
}

// namesOfNine returns n names of nine characters, and one more.
func namesOfNine(n int, last string) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("event%04d", i))
	}
	return append(names, last)
}

// Decision 0.6. What a pattern matches is tested with the matcher.
func TestDecision06_Events(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, events := range map[string][]string{
		"dots are not required":    {"non", "et"},
		"every character":          {"aZ09_.-", "list.category.created", "webhook12.errors", "test"},
		"200 characters":           {strings.Repeat("a", 200)},
		"patterns":                 {"*", "contact.*", "y_table.*", "order.line.*", "a.b.c.d.e.f.*"},
		"4000 characters with all": namesOfNine(399, "aaaaaaaaaa"),
	} {
		got := s.shown(200, "POST", "/api/v1/Webhook", body(t, map[string]any{"Events": events}))
		var printed []string
		for _, e := range got["Events"].([]any) {
			printed = append(printed, e.(string))
		}
		if diff := cmp.Diff(events, printed); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, events := range map[string][]string{
		"none":                     {},
		"empty":                    {""},
		"a comma":                  {"a,b"},
		"a space":                  {"a b"},
		"a letter ø":               {"ø.created"},
		"201 characters":           {strings.Repeat("a", 201)},
		"a star in the middle":     {"contact.*.x"},
		"a star after seven":       {"a.b.c.d.e.f.g.*"},
		"two stars":                {"**"},
		"4001 characters with all": strings.Split(strings.Repeat("aaaaaaaaa,", 399)+"aaaaaaaaaaa", ","),
	} {
		if got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"Events": events})); got.Code != 400 || !strings.Contains(got.Body.String(), "Events") {
			t.Errorf("%s: got %d %s", name, got.Code, got.Body)
		}
	}
	for _, twice := range [][]string{{"Contact.Changed", "contact.changed", "CONTACT.CHANGED"}, {"a", "a"}, {"x.*", "b", "X.*"}} {
		got := s.shown(200, "POST", "/api/v1/Webhook", body(t, map[string]any{"Events": twice}))
		if want := fmt.Sprint(twice[:len(got["Events"].([]any))]); fmt.Sprint(got["Events"]) != want || len(got["Events"].([]any)) == len(twice) {
			t.Errorf("%v is stored as %v", twice, got["Events"])
		}
	}
	if got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"Events": []string{"a.b.c.d.e.f.g.*"}})); !strings.Contains(got.Body.String(), "a prefix of at most 6 segments") {
		t.Errorf("a prefix that is too long: got %s", got.Body)
	}
	twice := webhook.Webhook{Events: []string{"Contact.Changed", "contact.changed"}}
	if diff := cmp.Diff([]string{"contact.changed"}, twice.PointerKeys()); diff != "" {
		t.Errorf("one subscription (-want +got):\n%s", diff)
	}
}

// Decision 0.7: which targets can be saved. The target check and the addresses that
// may be called are tested with the registry and the sender.
func TestDecision07_Targets(t *testing.T) {
	t.Parallel()
	deployed := newServer(t, func(c *httpapi.Config) {
		c.Registry.Rules = webhook.Rules{CheckHost: guard(t).CheckHost}
	})
	dev := newServer(t, func(c *httpapi.Config) {
		c.Registry.Rules = webhook.Rules{AllowHTTP: true, CheckHost: guard(t).CheckHost}
	})
	for target, allowed := range map[string]string{ // "": refused by both
		"https://example.com":                              "both",
		"https://example.com:443/a?b=c":                    "both",
		"https://example.com:1024/":                        "both",
		"https://example.com:65535/":                       "both",
		"https://93.184.216.34/":                           "both",
		"http://example.com/":                              "dev",
		"http://example.com:80/":                           "dev",
		"http://example.com:8080/":                         "dev",
		"https://example.com:80/":                          "",
		"https://example.com:22/":                          "",
		"https://example.com:1023/":                        "",
		"https://example.com:65536/":                       "",
		"https://user@example.com/":                        "",
		"https://user:password@example.com":                "",
		"https://example.com/#a":                           "",
		"https://example.com/#":                            "",
		"https://exa<mple.com/":                            "",
		"https://exa mple.com/":                            "",
		"https://example.com\\@example.org/":               "",
		"ftp://example.com/":                               "",
		"javascript:alert(1)":                              "",
		"//example.com/":                                   "",
		"/in":                                              "",
		"example.com":                                      "",
		"https://":                                         "",
		"https:example.com":                                "",
		" ":                                                "",
		"https://127.0.0.1/":                               "",
		"https://[::1]/":                                   "",
		"https://[::ffff:10.0.0.1]/":                       "",
		"https://10.1.2.3/":                                "",
		"https://169.254.169.254/":                         "",
		"https://2130706433/":                              "",
		"https://0x7f.1/":                                  "",
		"https://localhost/":                               "",
		"https://example.test/":                            "", // the host of the call
		"https://hooks.example.com/":                       "", // the host of PublicURL
		"https://example.com/" + strings.Repeat("a", 3980): "both",
		"https://example.com/" + strings.Repeat("a", 3981): "",
	} {
		for name, s := range map[string]*server{"both": deployed, "dev": dev} {
			got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"TargetUrl": target}))
			if ok := allowed == "both" || allowed == name; ok != (got.Code == 200) || !ok && !strings.Contains(got.Body.String(), "TargetUrl") {
				t.Errorf("%.60s, %s: got %d %s", target, name, got.Code, got.Body)
			}
		}
	}
}

// Decision 0.7: the target check, as a caller sees it.
func TestDecision07_TargetCheck(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.shown(200, "POST", "/api/v1/Webhook", minimal)
	s.shown(200, "PUT", "/api/v1/Webhook/1/Options", `{"TimeoutSeconds":100}`)
	s.answer = webhook.Result{Error: failure.Redirect, StatusCode: 302, Location: "example.org/new", Response: "HTTP 302 Found"}
	target := strings.Replace(minimal, "example.com", "example.net", 1)
	for _, call := range [][2]string{{"POST", "/api/v1/Webhook"}, {"PUT", "/api/v1/Webhook/1"}, {"POST", agent + "SaveWebhook"}} {
		got := s.call(call[0], call[1], target)
		if text := got.Body.String(); got.Code != 400 || !strings.Contains(text, "TargetUrl responded to the test event with 302, a redirect to example.org/new") {
			t.Errorf("%s %s: got %d %s", call[0], call[1], got.Code, text)
		}
	}
	if stored := s.webhooks(); len(stored) != 1 || stored[0].TargetURL != "https://example.com/" || stored[0].Revision != 2 {
		t.Errorf("stored %+v", stored)
	}
	if last := s.pings[len(s.pings)-1]; last.Timeout != 8*time.Second || !last.Test {
		t.Errorf("the ping has the timeout %v", last.Timeout)
	}
	kept := strings.NewReplacer("open sesame", "********", "k1", "********").Replace(minimal)
	pings := len(s.pings)
	for _, body := range []string{
		strings.Replace(kept, `"n"`, `"a dead target can be renamed"`, 1),
		strings.Replace(kept, "{", `{"State":"Stopped",`, 1),
		strings.Replace(target, "{", `{"State":"Stopped",`, 1),
	} {
		s.shown(200, "PUT", "/api/v1/Webhook/1", body)
	}
	if len(s.pings) != pings {
		t.Errorf("%d needless pings", len(s.pings)-pings)
	}
	off := newServer(t, func(c *httpapi.Config) { c.Registry.SkipTargetCheck = true })
	if off.shown(200, "POST", "/api/v1/Webhook", minimal); len(off.pings) != 0 {
		t.Error("a target was pinged although the check is off")
	}
}

// Decision 0.8.
func TestDecision08_Headers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	create := func(headers any) (int, string) {
		got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"Headers": headers}))
		return got.Code, got.Body.String()
	}
	for _, name := range []string{
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Connection",
		"Idempotency-Key", "x-idempotency-key", "Content-Type", "User-Agent", "Accept-Encoding", "X-SuperOffice-Signature", "x-superoffice-anything",
		"X-Posthaste-Hops", "webhook-id", "Webhook-Signature", "webhook-timestamp", "X-Hook-Test", "", "a b", "a:b", "ø",
	} {
		if status, text := create(map[string]string{name: "v"}); status != 400 || !strings.Contains(text, "Headers") {
			t.Errorf("%q: got %d %s", name, status, text)
		}
	}
	for _, value := range []string{"a\r\nb", "a\nb", "a\rb", "a\x00b", "a\x7fb"} {
		if status, text := create(map[string]string{"X-A": value}); status != 400 || strings.Contains(text, "a\\r") {
			t.Errorf("%q: got %d %s", value, status, text)
		}
	}
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint("X-", i)] = "v"
	}
	if status, _ := create(many); status != 400 {
		t.Errorf("51 headers: got %d", status)
	}
	if status, _ := create(map[string]string{"X-A": strings.Repeat("v", 16<<10)}); status != 400 {
		t.Errorf("over 16 KiB: got %d", status)
	}
	if len(s.webhooks()) != 0 {
		t.Error("something was stored")
	}

	secret := map[string]string{}
	for i, name := range []string{"Authorization", "cookie", "Proxy-Authorization", "X-Api-Key", "x-auth-TOKEN", "My-Secret", "Password-2"} {
		secret[name] = fmt.Sprint("hidden", i)
	}
	secret["X-Plain"] = "visible"
	status, text := create(secret)
	if status != 200 || strings.Contains(text, "********") {
		t.Fatalf("create: got %d %s", status, text)
	}
	if stored := fmt.Sprintf("%+v", s.webhooks()); strings.Contains(stored, "hidden") {
		t.Errorf("the stored webhook holds a secret: %s", stored)
	}
	read := s.shown(200, "GET", "/api/v1/Webhook/1", "")["Headers"].(map[string]any)
	for name, value := range read {
		if want := map[bool]string{true: "visible", false: "********"}[name == "X-Plain"]; value != want {
			t.Errorf("%s is shown as %v", name, value)
		}
	}
	s.shown(200, "PUT", "/api/v1/Webhook/1", body(t, map[string]any{"Headers": read}))
	doc, err := s.db.Secrets().Read(t.Context(), s.webhooks()[0].Secret)
	if err != nil || len(doc.Headers) != len(secret)-1 || doc.Headers["Authorization"].Reveal() != "hidden0" {
		t.Errorf("the mask did not keep the stored value (%v)", err)
	}
}

// Decision 0.10.
func TestDecision10_Secret(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/Webhook/1"
	s := newServer(t)
	save := func(secret any) any {
		t.Helper()
		changes := map[string]any{"Secret": secret}
		if secret == "null" {
			return s.shown(200, "PUT", path, strings.Replace(body(t, nil), "{", `{"Secret":null,`, 1))["Secret"]
		}
		return s.shown(200, "PUT", path, body(t, changes))["Secret"]
	}
	for _, bad := range []any{"********", "whsec_not base64", "whsec_", strings.Repeat("x", 401), 5} {
		if got := s.call("POST", "/api/v1/Webhook", body(t, map[string]any{"Secret": bad})); got.Code != 400 || !strings.Contains(got.Body.String(), "Secret") {
			t.Errorf("create with %.20v: got %d %s", bad, got.Code, got.Body)
		}
	}
	if got := s.shown(200, "POST", "/api/v1/Webhook", body(t, map[string]any{"Secret": "ea"})); got["Secret"] != "ea" {
		t.Errorf("create: got %v", got["Secret"])
	}
	version := func() string { return s.webhooks()[0].Secret.Version }
	first := version()
	for _, step := range []struct {
		name        string
		sent, shown any
		same        bool // whether the version of the secret stays
	}{
		{"left out", nil, "********", true},
		{"null", "null", "********", true},
		{"the mask", "********", "********", true},
		{"the same in clear, shown in clear", "ea", "ea", true},
		{"another one", "whsec_c2VjcmV0", "whsec_c2VjcmV0", false},
	} {
		if got := save(step.sent); got != step.shown || (version() == first) != step.same {
			t.Errorf("%s: got %v, the same version: %v", step.name, got, version() == first)
		}
	}
	if got := s.shown(200, "GET", path, "")["Secret"]; got != "********" {
		t.Errorf("read: got %v", got)
	}
	if got := save(""); got != nil {
		t.Errorf("removed: got %v", got)
	}
	if got := s.shown(200, "GET", path, "")["Secret"]; got != nil {
		t.Errorf("read after that: got %v", got)
	}
	if got := s.call("PUT", path, body(t, map[string]any{"Secret": "********"})); got.Code != 400 {
		t.Errorf("the mask without a secret: got %d %s", got.Code, got.Body)
	}
	if got := s.call("PUT", path, body(t, map[string]any{"Headers": map[string]string{"X-Key": "********"}})); got.Code != 400 {
		t.Errorf("the mask without a header value: got %d %s", got.Code, got.Body)
	}
}

// Decision 0.11. The fallback of SuperOffice's signature, which has one value, is
// tested with the queue's consumer.
func TestDecision11_Rotation(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	set := func(secret string) (webhook.Secret, webhook.Secret) {
		t.Helper()
		s.shown(200, "PUT", "/api/v1/Webhook/1", body(t, map[string]any{"Secret": secret}))
		if secret == "" {
			return webhook.Secret{}, webhook.Secret{}
		}
		doc, err := s.db.Secrets().Read(t.Context(), s.webhooks()[0].Secret)
		if err != nil {
			t.Fatal(err)
		}
		return doc.InOrder(webhook.SignerCurrent, s.clock.Now())
	}
	s.shown(200, "POST", "/api/v1/Webhook", body(t, map[string]any{"Secret": "old"}))
	if current, previous := set("new"); current.Reveal() != "new" || previous.Reveal() != "old" {
		t.Error("there is no overlap")
	}
	s.clock.Advance(24 * time.Hour)
	s.shown(200, "PATCH", "/api/v1/Webhook/1/Options", `{"SecretOverlapSeconds":60}`)
	if _, previous := set("newer"); previous.Reveal() != "new" {
		t.Error("the overlap is not that of the latest secret")
	}
	s.clock.Advance(time.Minute)
	if doc, err := s.db.Secrets().Read(t.Context(), s.webhooks()[0].Secret); err != nil {
		t.Fatal(err)
	} else if _, previous := doc.InOrder(webhook.SignerCurrent, s.clock.Now()); !previous.IsZero() {
		t.Error("the option does not shorten the overlap")
	}
	set("newest")
	set("")
	if s.webhooks()[0].Secret.Name != "" {
		t.Error("the empty secret did not revoke both")
	}
}

// Decision 0.19. The other errors are in the table of
// TestErrorsKeepInternalTextInside.
func TestDecision19_Errors(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.UnauthorizedHint = "Try Basic tje0:Tje0" })
	s.shown(200, "POST", "/api/v1/Webhook", minimal)
	for name, test := range map[string]struct {
		method, path, body, header string
		status                     int
		errorType, text            string
	}{
		"bad input":   {"POST", "/api/v1/Webhook", "{}", "", 400, "ArgumentException", "Events must name at least one event; TargetUrl is required"},
		"no one":      {"GET", "/api/v1/Webhook", "", "Authorization: ", 401, "SoUnauthorizedException", "Try Basic tje0:Tje0"},
		"not there":   {"GET", "/api/v1/Webhook/9", "", "", 404, "SoNotFoundException", "Webhook id 9 not found"},
		"no method":   {"POST", "/api/v1/Webhook/1", "", "", 405, "NotSupportedException", "POST is not allowed here; use DELETE, GET, PATCH or PUT"},
		"no type":     {"POST", "/api/v1/Webhook", "x", "Content-Type: image/png", 415, "SoMediaTypeException", "image/png"},
		"a body of 2": {"POST", "/api/v1/Webhook", strings.Repeat(" ", 2<<20), "", 413, "SoPayloadTooLargeException", "1 MiB"},
		"elsewhere":   {"GET", "/Other/api/v1/Webhook/1", "", "", 421, "SoWrongTenantException", "not the credential's"},
		"too late":    {"DELETE", "/api/v1/Webhook/1", "", "If-Unmodified-Since: Mon, 23 Nov 2026 00:00:00 GMT", 412, "SoPreconditionFailedException", "changed"},
		"a loop":      {"POST", "/api/v1/Webhook/a.b/1", "", "X-Posthaste-Hops: 3", 508, "SoLoopException", "loop"},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if test.header != "" {
				headers = append(headers, test.header)
			}
			got := s.call(test.method, test.path, test.body, headers...)
			members, err := jsonscan.Members(got.Body.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			keys, values := []string{}, map[string]string{}
			for _, m := range members {
				keys = append(keys, m.Name)
				values[m.Name] = string(m.Value)
			}
			if diff := cmp.Diff([]string{"Error", "ErrorType", "ErrorMessage", "ErrorSource", "Message"}, keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if got.Code != test.status || values["Error"] != "true" || values["ErrorType"] != strconv.Quote(test.errorType) ||
				!strings.Contains(values["ErrorMessage"], test.text) || values["Message"] != values["ErrorMessage"] || values["ErrorSource"] != `"Posthaste"` {
				t.Errorf("got %d %s", got.Code, got.Body)
			}
			if (got.Header().Get("WWW-Authenticate") != "") != (test.status == 401) {
				t.Errorf("WWW-Authenticate is %q", got.Header().Get("WWW-Authenticate"))
			}
		})
	}
}

// Decision 0.20, in addition to TestRoutesAreForgiving.
func TestDecision20_Routes(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.PublicURL = "" })
	s.shown(200, "POST", "/api/v1/Webhook", minimal)
	for path, self := range map[string]string{
		"/api/v1/Webhook/1":         "http://example.test/api/v1/Webhook/1/",
		"/Default/api/v1/webhook/1": "http://example.test/Default/api/v1/Webhook/1/",
	} {
		got := s.shown(200, "GET", path, "")["_Links"].(map[string]any)
		if got["Self"] != self || got["Archive"] != strings.TrimSuffix(self, "1/") {
			t.Errorf("%s: links are %v", path, got)
		}
	}
	for _, path := range []string{"/default/api/v1/Webhook/1", "/Default/x/api/v1/Webhook/1", "/Default", "/Default/api/v1"} {
		if got := s.call("GET", path, ""); got.Code != 404 && got.Code != 421 {
			t.Errorf("%s: got %d", path, got.Code)
		}
	}
	if got := s.call("POST", "/api/v1/Webhook", minimal, "X-HTTP-Method-Override: GET"); got.Code != 200 || len(s.webhooks()) != 2 {
		t.Errorf("the override was honored: %d", got.Code)
	}
	for _, path := range []string{"/api/v1/Webhook", "/api/v1/Webhook/1", "/api/v1/Webhook/default", "/api/v1/Webhook/1/LastError", "/api/v1/Webhook/1/Options", agent + "GetWebhook"} {
		got := s.call("HEAD", path, "")
		if get := s.call("GET", path, ""); got.Code != 200 || got.Body.Len() != 0 || got.Header().Get("Content-Length") != strconv.Itoa(get.Body.Len()) {
			t.Errorf("HEAD %s: got %d, %d bytes of %s", path, got.Code, got.Body.Len(), got.Header().Get("Content-Length"))
		}
	}
	if got := s.call("DELETE", "/api/v1/Webhook/", ""); got.Code != 405 || got.Header().Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("got %d with Allow %q", got.Code, got.Header().Get("Allow"))
	}
}

// Decision 0.21: which signals are accepted. The bodies made of them are tested with
// the sender.
func TestDecision21_SignalEvent(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, test := range map[string]struct {
		path, body string
		status     int
	}{
		"no matching webhook":        {"un.matched/0", `{"a":1}`, 204},
		"without a body":             {"a.b/1", ``, 204},
		"the body null":              {"a.b/1", `null`, 204},
		"without a dot":              {"ping/1", `{}`, 204},
		"a negative key":             {"a.b/-2147483648", ``, 204},
		"a key over int32":           {"a.b/2147483648", ``, 400},
		"a key with letters":         {"a.b/x", ``, 400},
		"a key with a fraction":      {"a.b/1.5", ``, 400},
		"test from outside":          {"TEST/1", ``, 400},
		"a state event from outside": {"webhook1.errors/1", ``, 400},
		"any webhook's state event":  {"webhook.errors/1", ``, 400},
		"a similar name":             {"webhook.created/1", ``, 204},
		"a name with a space":        {"a%20b/1", ``, 400},
		"a pattern":                  {"contact.*/1", ``, 400},
		"data over 256 KiB":          {"a.b/1", `{"a":"` + strings.Repeat("x", 256<<10) + `"}`, 413},
		"data of 256 KiB":            {"a.b/1", `{"a": "` + strings.Repeat("x", 256<<10-8) + `"}`, 204},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.events())
			got := s.call("POST", "/api/v1/Webhook/"+test.path, test.body)
			accepted := 0
			if test.status == 204 {
				accepted = 1
			}
			//nolint:staticcheck // headers are sent in the documented spelling
			ids := got.Header()["X-SuperOffice-EventId"]
			if got.Code != test.status || len(s.events())-before != accepted || len(ids) != accepted || accepted == 1 && got.Body.Len() != 0 {
				t.Errorf("got %d %s, ids %v, %d events", got.Code, got.Body, ids, len(s.events())-before)
			}
		})
	}
}

// Decision 0.26.
func TestDecision26_NotOffered(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.shown(200, "POST", "/api/v1/Webhook", minimal)
	for _, path := range []string{
		"/api", "/api/v1", "/api/v1/Archive/Webhook", "/api/v1/Archive/dynamic/$metadata", "/api/v1/MDOList/webhookeventlist",
		"/api/v1/Webhook/1/Validate", "/Services88/Webhook.svc",
	} {
		if got := s.call("GET", path, ""); got.Code != 404 && got.Code != 405 {
			t.Errorf("%s: got %d %s", path, got.Code, got.Body)
		}
	}
	if got := s.call("GET", "/api/v1/Archive/dynamic?$select=contact.name", ""); got.Code != 400 { // of the archive, only webhook_usage
		t.Errorf("another table: got %d %s", got.Code, got.Body)
	}
	preflight := s.call(http.MethodOptions, "/api/v1/Webhook", "", "Origin: https://example.com", "Access-Control-Request-Method: GET")
	if preflight.Code != 405 || preflight.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("CORS: got %d %v", preflight.Code, preflight.Header())
	}
	echoed := map[string]any{
		"ErrorsEmail": "a@example.com", "ErrorEmails": []any{"b@example.com"}, "NotifyVia": "InApp", "NotifyWhen": "FirstFailure, Disabling",
	}
	got := s.shown(200, "PUT", "/api/v1/Webhook/1", body(t, echoed))
	for name, want := range echoed {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

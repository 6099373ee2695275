package httpapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestTestWebhook(t *testing.T) {
	t.Parallel()
	const rest = `"TableRight":{"Mask":"FULL","Reason":""},"FieldProperties":{}}`
	for name, test := range map[string]struct {
		body   string
		answer webhook.Result
		status int
		text   string
	}{
		"accepted":             {`{"TargetUrl":"https://example.com/"}`, webhook.Result{StatusCode: 200, Response: "HTTP 200 OK\n\n\"hi\""}, 200, `{"Success":true,"Message":"HTTP 200 OK\n\n\"hi\"",` + rest},
		"refused":              {`{"TargetUrl":"https://example.com/"}`, webhook.Result{Error: failure.Status, StatusCode: 500, Response: "HTTP 500 no"}, 200, `{"Success":false,"Message":"HTTP 500 no",` + rest},
		"no response":          {`{"TargetUrl":"https://example.com/"}`, webhook.Result{Error: failure.DNS}, 200, `{"Success":false,"Message":"dns: The host name could not be resolved: check its spelling and its DNS records.",` + rest},
		"an empty response":    {`{"TargetUrl":"https://example.com/"}`, webhook.Result{StatusCode: 204}, 200, `{"Success":true,"Message":null,` + rest},
		"no target":            {`{}`, webhook.Result{}, 400, `"ErrorMessage":"TargetUrl is required"`},
		"a wrong type as well": {`{"Name":5}`, webhook.Result{}, 400, `"ErrorMessage":"Name must be a string; TargetUrl is required"`},
		"no body":              {``, webhook.Result{}, 400, "the body must be a webhook"},
		"an ftp target":        {`{"TargetUrl":"ftp://example.com/"}`, webhook.Result{}, 400, "http or https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.answer = test.answer
			got := s.call("POST", "/api/v1/webhook/test", test.body)
			if got.Code != test.status || !strings.Contains(got.Body.String(), test.text) {
				t.Errorf("got %d %s, want %d with %s", got.Code, got.Body, test.status, test.text)
			}
			if len(s.webhooks()) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

// Decision 0.22: which counters re-activation resets and which it keeps.
func TestCountersAndLastErrorAreLive(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	if got := s.call("GET", "/api/v1/Webhook/1/LastError", ""); got.Code != 200 || got.Body.String() != "null" {
		t.Errorf("before any call: got %d %s", got.Code, got.Body)
	}
	observe := func(reports ...webhook.HealthReport) {
		t.Helper()
		_, err := s.db.Webhooks().UpdateHealth(t.Context(), "Default", 1, func(h webhook.Health) webhook.Health { return h.Observe(reports...) })
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	observe(
		webhook.HealthReport{Activation: 1, At: at(1)},
		webhook.HealthReport{Activation: 1, At: at(2), Error: failure.Status, LastError: "HTTP 500\n\n\"no\""},
		webhook.HealthReport{Activation: 1, At: at(3), Error: failure.Status, LastError: `say "no" <again>`},
	)
	const want = `"TotalCalls":3,"TotalErrors":2,"ConsecutiveErrors":2,"LastError":"say \"no\" <again>"`
	for _, path := range []string{"/api/v1/Webhook/1", "/api/v1/Webhook"} {
		if got := s.call("GET", path, "").Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if got := s.call("GET", "/API/v1/webhook/1/lasterror/", "").Body.String(); got != `"say \"no\" <again>"` {
		t.Errorf("last error: got %s", got)
	}
	// Re-activation resets ConsecutiveErrors and keeps the totals.
	for _, state := range []string{"Stopped", "Active"} {
		if got := s.call("PUT", "/api/v1/Webhook/1", strings.Replace(minimal, "{", `{"State":"`+state+`",`, 1)); got.Code != 200 {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
	}
	if got := s.call("GET", "/api/v1/Webhook/1", "").Body.String(); !strings.Contains(got, `"TotalCalls":3,"TotalErrors":2,"ConsecutiveErrors":0,`) {
		t.Errorf("after re-activation: %s", got)
	}
	if got := s.call("GET", "/api/v1/Webhook/9/LastError", ""); got.Code != 404 {
		t.Errorf("an unknown id: got %d %s", got.Code, got.Body)
	}
}

func TestOptionsUnmodifiedSince(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	for _, method := range []string{"PUT", "PATCH"} {
		for since, status := range map[string]int{"Tue, 24 Nov 2026 07:59:59 GMT": 412, "yesterday": 400, "Tue, 24 Nov 2026 08:00:00 GMT": 200} {
			got := s.call(method, "/api/v1/Webhook/1/Options", `{"Policy":"superoffice"}`, "If-Unmodified-Since: "+since)
			if got.Code != status {
				t.Errorf("%s since %s: got %d %s, want %d", method, since, got.Code, got.Body, status)
			}
		}
	}
}

// Decision 0.1: the Idempotency-Key of a create.
func TestCreateUnderAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const key = "Idempotency-Key: k"
	first := s.call("POST", "/api/v1/Webhook", minimal, key)
	if first.Code != 200 || !strings.Contains(first.Body.String(), `"Secret":"open sesame"`) {
		t.Fatalf("first: got %d %s", first.Code, first.Body)
	}
	// A different secret, which is not compared: the same create.
	again := s.call("POST", "/api/v1/Webhook", strings.Replace(minimal, "open sesame", "another secret", 1), key)
	read := s.call("GET", "/api/v1/Webhook/1", "")
	if diff := cmp.Diff(read.Body.String(), again.Body.String()); again.Code != 200 || diff != "" {
		t.Errorf("again: got %d, which differs from a read (-read +got):\n%s", again.Code, diff)
	}
	if got := s.call("POST", "/api/v1/Webhook", strings.Replace(minimal, `"n"`, `"m"`, 1), key); got.Code != 422 || !strings.Contains(got.Body.String(), "SoIdempotencyException") {
		t.Errorf("another webhook: got %d %s", got.Code, got.Body)
	}
	if got := s.call("POST", agent+"SaveWebhook", minimal, key); got.Code != 200 || !strings.Contains(got.Body.String(), `{"WebhookId":1,`) {
		t.Errorf("through the agent: got %d %s", got.Code, got.Body)
	}
	if got := s.call("POST", "/api/v1/Webhook", minimal, "Idempotency-Key: "+strings.Repeat("k", 256)); got.Code != 400 {
		t.Errorf("a long key: got %d %s", got.Code, got.Body)
	}
	if n := len(s.webhooks()); n != 1 {
		t.Errorf("%d webhooks, want one", n)
	}
}

func TestSignalUnderAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const key = "Idempotency-Key: k"
	first := s.call("POST", "/api/v1/Webhook/a.b/1", `{"x":1}`, key)
	again := s.call("POST", agent+"SignalEvent", `{"EventName":"a.b","PrimaryKey":1,"Data":{"x": 1}}`, key)
	if diff := cmp.Diff(first.Header(), again.Header()); first.Code != 204 || again.Code != 204 || diff != "" || len(s.events()) != 1 {
		t.Errorf("got %d, %d and %d events; headers (-first +again):\n%s", first.Code, again.Code, len(s.events()), diff)
	}
	if got := s.call("POST", "/api/v1/Webhook/a.b/2", `{"x":1}`, key); got.Code != 422 {
		t.Errorf("another event: got %d %s", got.Code, got.Body)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	const (
		path     = "/api/v1/Webhook/1/Options"
		defaults = `{"Policy":"durable","TimeoutSeconds":30,"SecretOverlapSeconds":86400,"Format":"superoffice","Include":[],"Filter":null,"OnlyFields":[],"IgnoreFields":[],"SkipOwn":[],"Fields":[],"Template":null}`
		set      = `{"Policy":"superoffice","TimeoutSeconds":100,"SecretOverlapSeconds":0,"Format":"data","Include":["Previous"],"Filter":{"Entity":["contact"]},"OnlyFields":["name"],"IgnoreFields":["updated"],"SkipOwn":[7],"Fields":["name"],"Template":{"n":"{{FieldValues.name}}"}}`
	)
	for name, test := range map[string]struct {
		method, body string
		status       int
		text         string
	}{
		"get":                            {"GET", ``, 200, set},
		"put of {} sets the defaults":    {"PUT", `{}`, 200, defaults},
		"put replaces":                   {"PUT", `{"timeoutSeconds":5}`, 200, `{"Policy":"durable","TimeoutSeconds":5,"SecretOverlapSeconds":86400,"Format":"superoffice","Include":[],"Filter":null,"OnlyFields":[],"IgnoreFields":[],"SkipOwn":[],"Fields":[],"Template":null}`},
		"put of the response to get":     {"PUT", set, 200, set},
		"patch changes named options":    {"PATCH", `{"Format":"Standard"}`, 200, `{"Policy":"superoffice","TimeoutSeconds":100,"SecretOverlapSeconds":0,"Format":"standard","Include":["Previous"],`},
		"patch of names in any case":     {"PATCH", `{"Include":["VALUES","changes","previous"]}`, 200, `"Format":"data","Include":["Values","Changes","Previous"],`},
		"patch of an empty list":         {"PATCH", `{"Include":[]}`, 200, `"Format":"data","Include":[],`},
		"patch of two spellings":         {"PATCH", `{"Include":["Values"],"include":["Changes"]}`, 200, `"Format":"data","Include":["Changes"],`},
		"patch of null sets the default": {"PATCH", `{"Policy":null,"TimeoutSeconds":null,"SecretOverlapSeconds":null,"Format":null,"Include":null,"Filter":null,"OnlyFields":null,"IgnoreFields":null,"SkipOwn":null,"Fields":null,"Template":null}`, 200, defaults},
		"patch of {}":                    {"PATCH", `{}`, 200, set},
		"no body":                        {"PUT", ``, 400, "the body must be an object with options"},
		"an unknown key":                 {"PATCH", `{"Rate":1}`, 400, "Rate is not an option"},
		"all faults at once":             {"PUT", `{"Policy":"never","TimeoutSeconds":101,"SecretOverlapSeconds":604801,"Format":"xml","Include":["Secret"],"Rate":1}`, 400, "Rate is not an option; the options are Policy, TimeoutSeconds, SecretOverlapSeconds, Format, Include, Filter, OnlyFields, IgnoreFields, SkipOwn, Fields and Template; Policy must be durable or superoffice; TimeoutSeconds must be from 1 to 100; SecretOverlapSeconds must be from 0 to 604800; Format must be one of superoffice, standard, cloudevents, data; Include[0] must be one of Previous, Changes, Values"},
		"a member to include twice":      {"PATCH", `{"Include":["Values","values"]}`, 400, `"Include must not list Values twice"`},
		"a string to include":            {"PATCH", `{"Include":"Values"}`, 400, `"Include must be an array of strings"`},
		"a number to include":            {"PATCH", `{"Include":[1]}`, 400, `Include[0] must be a string`},
		"null to include":                {"PATCH", `{"Include":[null]}`, 400, `"Include[0] must be a string"`},
		"a filter":                       {"PATCH", `{"Filter":{ "FieldValues" : {"n":[1.50]} }}`, 200, `"Filter":{"FieldValues":{"n":[1.50]}},"OnlyFields":["name"]`},
		"a filter in a string":           {"PATCH", `{"Filter":"{\"Key\": [\"x\"]}"}`, 200, `"Filter":{"Key":["x"]}`},
		"an empty string for a filter":   {"PATCH", `{"Filter":""}`, 200, `"Filter":null`},
		"a faulty filter":                {"PATCH", `{"Filter":{"FieldValues":{"amount":[{"numeric":[">"]}]}}}`, 400, `Filter.FieldValues.amount: numeric takes pairs of operator and number`},
		"a name twice in a filter":       {"PATCH", `{"Filter":{"Key":["x"],"Key":["y"]}}`, 400, `Filter: \"Key\" is there twice`},
		"a list for a filter":            {"PATCH", `{"Filter":["x"]}`, 400, `"Filter: must be a JSON object"`},
		"text for a filter":              {"PATCH", `{"Filter":"x"}`, 400, `"Filter is not valid JSON"`},
		"a JSON list for a filter":       {"PATCH", `{"Filter":"[]"}`, 400, `"Filter: must be a JSON object"`},
		"a filter that is a string":      {"PATCH", `{"Filter":"\"x\""}`, 400, `"Filter: must be a JSON object"`},
		"a template":                     {"PATCH", `{"Template":[ 1.50, "{{Event}} & <\u00e5>" ]}`, 200, `"Fields":["name"],"Template":[1.50,"{{Event}} & <\u00e5>"]}`},
		"a template in a string":         {"PATCH", `{"Template":"{\"text\": \"{{Event}}\"}"}`, 200, `"Template":{"text":"{{Event}}"}}`},
		"no template":                    {"PATCH", `{"Template":null}`, 200, `"Fields":["name"],"Template":null}`},
		"an empty string for a template": {"PATCH", `{"Template":" "}`, 200, `"Template":null}`},
		"a path that leads nowhere":      {"PATCH", `{"Template":{"text":"{{Evnt}}"}}`, 400, `"Template has \"{{Evnt}}\", which does not begin with a member of events: EventId, `},
		"a number for a template":        {"PATCH", `{"Template":5}`, 400, `"Template must be a JSON object or array"`},
		"text for a template":            {"PATCH", `{"Template":"{{Event}}"}`, 400, `"Template is not valid JSON"`},
		"a template of a CloudEvent":     {"PATCH", `{"Format":"cloudevents"}`, 400, `"Template must not be set together with the Format cloudevents, whose Content-Type promises a CloudEvent"`},
		"own events":                     {"PATCH", `{"SkipOwn":true}`, 200, `"SkipOwn":[1]`},
		"own and another's events":       {"PATCH", `{"SkipOwn":[true,9]}`, 200, `"SkipOwn":[1,9]`},
		"own events in a string":         {"PATCH", `{"SkipOwn":"true"}`, 200, `"SkipOwn":[1]`},
		"no own events":                  {"PATCH", `{"SkipOwn":false}`, 200, `"SkipOwn":[]`},
		"events of the system":           {"PATCH", `{"SkipOwn":[0]}`, 400, `"SkipOwn must list AssociateIds, which are greater than 0"`},
		"a name for an associate":        {"PATCH", `{"SkipOwn":["x"]}`, 400, `SkipOwn[0] must be a 32-bit integer`},
		"a field without a name":         {"PATCH", `{"OnlyFields":["a",""]}`, 400, `"OnlyFields[1] must be the name of a member, of at most 200 characters"`},
		"zero seconds":                   {"PATCH", `{"TimeoutSeconds":0}`, 400, `"TimeoutSeconds must be from 1 to 100"`},
		"a wrong type":                   {"PATCH", `{"TimeoutSeconds":"x"}`, 400, `"TimeoutSeconds must be a 32-bit integer"`},
		"an empty string":                {"PATCH", `{"Policy":""}`, 400, `"Policy must not be empty; null sets the default"`},
		"a fraction of a second":         {"PATCH", `{"TimeoutSeconds":1.5}`, 400, "32-bit integer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.call("POST", "/api/v1/Webhook", minimal)
			if got := s.call("GET", path, ""); got.Body.String() != defaults {
				t.Fatalf("at first: %s", got.Body)
			}
			if got := s.call("PUT", path, set); got.Body.String() != set {
				t.Fatalf("after a put: %s", got.Body)
			}
			before := s.webhooks()[0]
			got := s.call(test.method, path, test.body)
			if got.Code != test.status || !strings.Contains(got.Body.String(), test.text) {
				t.Errorf("got %d %s, want %d %s", got.Code, got.Body, test.status, test.text)
			}
			if after := s.webhooks()[0]; test.status != 200 && after.Revision != before.Revision {
				t.Error("something was stored")
			}
		})
	}
}

func TestOptionsInOtherFormats(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	const want = `<Policy>superoffice</Policy><TimeoutSeconds>5</TimeoutSeconds><SecretOverlapSeconds>86400</SecretOverlapSeconds><Format>data</Format><Include><string>Previous</string><string>Values</string></Include><Filter><StringObjectKeyValuePair><Key>Key</Key><Value xsi:type="ArrayOfanyType"><anyType xsi:type="xsd:string">x</anyType></Value></StringObjectKeyValuePair></Filter><OnlyFields><string>name</string></OnlyFields><IgnoreFields></IgnoreFields><SkipOwn><int>9</int></SkipOwn><Fields></Fields><Template><StringObjectKeyValuePair><Key>text</Key><Value xsi:type="xsd:string">{{Event}}</Value></StringObjectKeyValuePair></Template></Options>`
	for contentType, body := range map[string]string{
		"application/xml":                   `<Options><Policy>superoffice</Policy><TimeoutSeconds>5</TimeoutSeconds><Format>data</Format><Include><string>previous</string><string>Values</string></Include><Filter>{"Key":["x"]}</Filter><OnlyFields><string>name</string></OnlyFields><SkipOwn><int>9</int></SkipOwn><Template>{"text":"{{Event}}"}</Template></Options>`,
		"application/x-www-form-urlencoded": `Policy=superoffice&TimeoutSeconds=5&Format=data&Include=previous&Include=Values&Filter={"Key":["x"]}&OnlyFields=name&SkipOwn=9&Template={"text":"{{Event}}"}`,
	} {
		got := s.call("PUT", "/api/v1/Webhook/1/Options", body, "Content-Type: "+contentType, "Accept: application/xml")
		if got.Code != 200 || !strings.Contains(got.Body.String(), "<Options ") || !strings.HasSuffix(got.Body.String(), want) {
			t.Errorf("%s: got %d %s", contentType, got.Code, got.Body)
		}
	}
}

func TestEndOverlap(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.call("PUT", "/api/v1/Webhook/1", strings.Replace(minimal, "open sesame", "new", 1))
	for range 2 {
		if got := s.call("DELETE", "/api/v1/webhook/1/previoussecret", ""); got.Code != 204 {
			t.Errorf("got %d %s", got.Code, got.Body)
		}
	}
	doc, err := s.db.Secrets().Read(context.Background(), s.webhooks()[0].Secret)
	if err != nil || doc.Current.Reveal() != "new" || !doc.Previous.IsZero() {
		t.Errorf("the previous secret is still there (%v)", err)
	}
}

// Every route under a webhook returns 404 for the webhook of another app or tenant,
// as for one that does not exist.
//
// Decision 0.27, and decision 0.19 for data of others.
func TestWebhooksOfOthersDoNotExist(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	app, tenant := tje0, tje0
	app.App, tenant.Tenant = "app", "Other"
	for name, who := range map[string]webhook.Principal{"app": app, "tenant": tenant} {
		others := newServer(t, func(c *httpapi.Config) {
			c.Auth, c.Registry.Webhooks, c.Registry.Secrets = anyone{who}, s.db.Webhooks(), s.db.Secrets()
		})
		for _, call := range [][3]string{
			{"GET", "", ""},
			{"PUT", "", minimal},
			{"DELETE", "", ""},
			{"GET", "/LastError", ""},
			{"GET", "/Options", ""},
			{"PUT", "/Options", "{}"},
			{"PATCH", "/Options", "{}"},
			{"DELETE", "/PreviousSecret", ""},
		} {
			mine, none := others.call(call[0], "/api/v1/Webhook/1"+call[1], call[2]), others.call(call[0], "/api/v1/Webhook/2"+call[1], call[2])
			if mine.Code != 404 || mine.Body.String() != strings.ReplaceAll(none.Body.String(), "id 2", "id 1") {
				t.Errorf("another %s, %s %s: got %d %s", name, call[0], call[1], mine.Code, mine.Body)
			}
		}
		if got := others.call("POST", agent+"GetWebhook?webhookId=1", "null"); got.Body.String() != "null" {
			t.Errorf("another %s, GetWebhook: %s", name, got.Body)
		}
		if got := others.call("GET", "/api/v1/Webhook", ""); got.Body.String() != "[]" {
			t.Errorf("another %s, list: %s", name, got.Body)
		}
	}
	if s.webhooks()[0].Revision != 1 {
		t.Error("the webhook was changed")
	}
}

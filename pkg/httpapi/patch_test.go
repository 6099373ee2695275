package httpapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const patchable = `{"Name":"n","Events":["a.b","c.d"],"TargetUrl":"https://example.com/","Secret":"s1","State":"Stopped","Description":"d",
	"Headers":{"X-A":"1","X-Api-Key":"k1"},"Properties":{"a":1.10,"o":{"p":[1,2]},"B":"<&>"},"ErrorEmails":["x@example.com"],"ErrorAssociates":[{"Id":5}],"NotifyWhen":3}`

func TestPatch(t *testing.T) {
	t.Parallel()
	texts := func(list ...any) []any { return list }
	for name, test := range map[string]struct {
		body string
		want func(map[string]any)
	}{
		"replace": {`[{"op":"replace","path":"/Name","value":"m"}]`, func(w map[string]any) { w["Name"] = "m" }},
		"operations by number": {
			`[{"op":1,"path":"/Name","value":"m"},{"op":2,"path":"/Type","value":"t"},{"op":3,"path":"/Description"},{"op":4,"path":"/Name","value":"m"}]`,
			func(w map[string]any) { w["Name"], w["Type"], w["Description"] = "m", "t", nil },
		},
		"paths and operations in any case, without a slash": {
			`[{"OP":"Replace","Path":"name","Value":"m"},{"op":"REPLACE","path":"NOTIFYWHEN","value":"None"}]`,
			func(w map[string]any) { w["Name"], w["NotifyWhen"] = "m", "None" },
		},
		"a list is appended to":      {`[{"op":"add","path":"/Events/-","value":"e.f"}]`, func(w map[string]any) { w["Events"] = texts("a.b", "c.d", "e.f") }},
		"an index after the last":    {`[{"op":"add","path":"/Events/2","value":"e.f"}]`, func(w map[string]any) { w["Events"] = texts("a.b", "c.d", "e.f") }},
		"an item is inserted":        {`[{"op":"add","path":"/Events/0","value":"e.f"}]`, func(w map[string]any) { w["Events"] = texts("e.f", "a.b", "c.d") }},
		"an item is replaced":        {`[{"op":"replace","path":"/events/1","value":"e.f"}]`, func(w map[string]any) { w["Events"] = texts("a.b", "e.f") }},
		"an item is removed":         {`[{"op":"remove","path":"/Events/0"}]`, func(w map[string]any) { w["Events"] = texts("c.d") }},
		"a list is replaced":         {`[{"op":"add","path":"/Events","value":["e.f"]}]`, func(w map[string]any) { w["Events"] = texts("e.f") }},
		"a header is added":          {`[{"op":"add","path":"/Headers/X-B","value":"2"}]`, func(w map[string]any) { w["Headers"] = map[string]any{"X-A": "1", "X-Api-Key": "********", "X-B": "2"} }},
		"a header in another case":   {`[{"op":"replace","path":"/headers/x-a","value":"2"}]`, func(w map[string]any) { w["Headers"] = map[string]any{"X-A": "2", "X-Api-Key": "********"} }},
		"a secret header is removed": {`[{"op":"remove","path":"/Headers/X-Api-Key"}]`, func(w map[string]any) { w["Headers"] = map[string]any{"X-A": "1"} }},
		"a property deep inside": {`[{"op":"add","path":"/Properties/o/p/1","value":{"q~/":1}},{"op":"replace","path":"/Properties/o/p/1/q~0~1","value":2}]`, func(w map[string]any) {
			w["Properties"].(map[string]any)["o"] = map[string]any{"p": texts(1.0, map[string]any{"q~/": 2.0}, 2.0)}
		}},
		"a list item's member":  {`[{"op":"replace","path":"/ErrorAssociates/0/Name","value":"RJ"}]`, func(w map[string]any) { w["ErrorAssociates"].([]any)[0].(map[string]any)["Name"] = "RJ" }},
		"members of the server": {`[{"op":"replace","path":"/TotalCalls","value":"x"},{"op":"remove","path":"/registeredassociate/name/there/is/none"},{"op":"add","path":"/_Links","value":1}]`, func(map[string]any) {}},
		"tests that pass": {
			`[{"op":"test","path":"/Name","value":"n"},{"op":"test","path":"/State","value":2},{"op":"test","path":"/state","value":"STOPPED"},
			{"op":"test","path":"/NotifyWhen","value":"Disabling, FirstFailure"},{"op":"test","path":"/Registered","value":"2026-11-24T09:00:00.000+01:00"},
			{"op":"test","path":"/Properties/a","value":1.1},{"op":"test","path":"/Properties/o","value":{"p":[1,2.0]}},{"op":"test","path":"/Headers/x-a","value":"1"},
			{"op":"test","path":"/Events/1","value":"c.d"},{"op":"test","path":"/ErrorsEmail","value":null},{"op":"test","path":"/WebhookId","value":1},
			{"op":"test","path":"/RegisteredAssociate/UserName","value":"tje0"},{"op":"replace","path":"/Name","value":"m"},{"op":"test","path":"/Name","value":"m"}]`,
			func(w map[string]any) { w["Name"] = "m" },
		},
		"no operation":    {`[]`, func(map[string]any) {}},
		"merge":           {`{"name":"m","DESCRIPTION":null,"State":"Active"}`, func(w map[string]any) { w["Name"], w["Description"], w["State"] = "m", nil, "Active" }},
		"merge of a list": {`{"Events":["e.f"]}`, func(w map[string]any) { w["Events"] = texts("e.f") }},
		"merge of an object into a list": {`{"ErrorAssociates":{"id":6}}`, func(w map[string]any) {
			first := w["ErrorAssociates"].([]any)[0].(map[string]any)
			second := map[string]any{}
			for k, v := range first {
				second[k] = v
			}
			second["Id"] = 6.0
			w["ErrorAssociates"] = texts(first, second)
		}},
		"merge of dictionaries": {`{"Headers":{"x-a":null,"X-B":"2"},"Properties":{"a":null,"o":{"p":null,"q":{"r":null,"s":1}},"none":null}}`, func(w map[string]any) {
			w["Headers"] = map[string]any{"X-Api-Key": "********", "X-B": "2"}
			w["Properties"] = map[string]any{"B": "<&>", "o": map[string]any{"q": map[string]any{"s": 1.0}}}
		}},
		"merge of null":                       {`{"Headers":null,"Properties":null,"ErrorEmails":null}`, func(w map[string]any) { w["Headers"], w["Properties"], w["ErrorEmails"] = nil, nil, []any{} }},
		"merge of unknown and server's names": {`{"Nothing":{"a":1},"TotalCalls":"x","RegisteredAssociate":{"tableRight":{"mask":15}},"WebhookId":1}`, func(map[string]any) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.call("POST", "/api/v1/Webhook", patchable)
			want := object(t, s.call("GET", "/api/v1/Webhook/1", "").Body.String())
			test.want(want)
			got := s.call("PATCH", "/api/v1/Webhook/1", test.body, "Content-Type: application/json-patch+json")
			if got.Code != 200 {
				t.Fatalf("got %d %s", got.Code, got.Body)
			}
			if diff := cmp.Diff(want, object(t, got.Body.String())); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, object(t, s.call("GET", "/api/v1/Webhook/1", "").Body.String())); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPatch_Refused(t *testing.T) {
	t.Parallel()
	const isJSON = "application/json"
	for name, test := range map[string]struct {
		contentType, body string
		status            int
		text              string
	}{
		"a test that fails":              {isJSON, `[{"op":"replace","path":"/Description","value":"x"},{"op":"test","path":"/Name","value":"N"}]`, 409, "Changes[1]: Name has a different value"},
		"a test of a missing header":     {isJSON, `[{"op":"test","path":"/Headers/X-Z","value":null}]`, 409, "nothing exists at its path"},
		"a test after the last index":    {isJSON, `[{"op":"test","path":"/Events/-","value":"a"}]`, 409, "nothing exists at its path"},
		"a test of digits":               {isJSON, `[{"op":"test","path":"/Properties/a","value":1.2}]`, 409, "a different value"},
		"a test of many digits":          {isJSON, `[{"op":"add","path":"/Properties/n","value":12345678901234567890},{"op":"test","path":"/Properties/n","value":12345678901234567891}]`, 409, "a different value"},
		"a test of the order of a list":  {isJSON, `[{"op":"test","path":"/Events","value":["c.d","a.b"]}]`, 409, "a different value"},
		"a test of the secret":           {isJSON, `[{"op":"test","path":"secret","value":"s1"}]`, 400, "secret values cannot be tested"}, // decision 0.10
		"a test of the mask":             {isJSON, `[{"op":"test","path":"/Secret","value":"********"}]`, 400, "secret values cannot be tested"},
		"a test of a secret header":      {isJSON, `[{"op":"test","path":"/Headers/x-api-key","value":"k1"}]`, 400, "secret values cannot be tested"},
		"a test of a header not there":   {isJSON, `[{"op":"test","path":"/Headers/Authorization","value":"k1"}]`, 400, "secret values cannot be tested"},
		"a test of all headers":          {isJSON, `[{"op":"test","path":"/Headers","value":{}}]`, 400, "secret values cannot be tested"},
		"move and copy, both reported":   {isJSON, `[{"op":"move","from":"/Name","path":"/Type"},{"op":6,"path":"/Type"}]`, 400, "Changes[0]: op move is not supported; "},
		"all faults at once":             {isJSON, `[1,{"path":"/Name"},{"op":"add","path":"","value":1},{"op":"add","path":"/Name"},{"op":7,"path":"/Name","value":1}]`, 400, "Changes[0] must be an object with op, path and value; Changes[1]: op must be one of add, replace, remove, test; Changes[2]: path must name a member; Changes[3]: value is required; Changes[4]: op must"},
		"a member that does not exist":   {isJSON, `[{"op":"add","path":"/Foo","value":1}]`, 400, `a webhook has no member "Foo"`},
		"an index that does not exist":   {isJSON, `[{"op":"replace","path":"/Events/2","value":"a"}]`, 400, "nothing exists at its path"},
		"a place over the end":           {isJSON, `[{"op":"add","path":"/Events/3","value":"a"}]`, 400, "not an index of the list"},
		"a path of many":                 {isJSON, `[{"op":"add","path":"/Properties` + strings.Repeat("/a", 70) + `","value":1}]`, 400, "Changes[0]: path must name a member"},
		"an index of two zeros":          {isJSON, `[{"op":"replace","path":"/Events/00","value":"a"}]`, 400, `"00" is not an index of the list`},
		"an index with a zero before":    {isJSON, `[{"op":"add","path":"/Events/01","value":"a"}]`, 400, `"01" is not an index of the list`},
		"a removal at 00":                {isJSON, `[{"op":"remove","path":"/Events/00"}]`, 400, `"00" is not an index of the list`},
		"a test at 00":                   {isJSON, `[{"op":"test","path":"/Events/00","value":"a.b"}]`, 400, `"00" is not an index of the list`},
		"an index within another":        {isJSON, `[{"op":"add","path":"/ErrorAssociates/00/Name","value":"a"}]`, 400, `"00" is not an index of the list`},
		"the escape ~2":                  {isJSON, `[{"op":"add","path":"/Properties/a~2b","value":1}]`, 400, "Changes[0]: path has an invalid escape: ~ must be followed by 0 or 1"},
		"a ~ at the end":                 {isJSON, `[{"op":"add","path":"/Properties/a~0~","value":1}]`, 400, "path has an invalid escape"},
		"a ~ before a slash":             {isJSON, `[{"op":"test","path":"/Headers~/a","value":1}]`, 400, "path has an invalid escape"},
		"a place that is negative":       {isJSON, `[{"op":"remove","path":"/Events/-1"}]`, 400, "not an index of the list"},
		"removing the end":               {isJSON, `[{"op":"remove","path":"/Events/-"}]`, 400, "nothing exists at its path"},
		"a path into a text":             {isJSON, `[{"op":"add","path":"/Name/0","value":"a"}]`, 400, "nothing exists at its path"},
		"a path through nothing":         {isJSON, `[{"op":"add","path":"/Properties/x/y","value":"a"}]`, 400, "nothing exists at its path"},
		"a result that is not a webhook": {isJSON, `[{"op":"remove","path":"/Events"},{"op":"replace","path":"/Name","value":5},{"op":"replace","path":"/TargetUrl","value":"x"}]`, 400, "Name must be a string; Events must name at least one event; TargetUrl must be an absolute URL"},
		"a text for a list":              {isJSON, `{"Events":"sale.sold"}`, 400, "Events must be an array of strings"},
		"another id":                     {isJSON, `{"WebhookId":2}`, 400, "WebhookId is 2, but the id in the address is 1"},
		"no changes":                     {isJSON, ` null `, 400, "must be a JSON array of operations or an object"},
		"a text":                         {isJSON, `"x"`, 400, "must be a JSON array of operations or an object"},
		"broken JSON":                    {isJSON, `[{"op":`, 400, "must be valid JSON"},
		"two values":                     {isJSON, `{}{}`, 400, "must be a single JSON value"},
		"no UTF-8":                       {isJSON, "{\"Name\":\"\xff\"}", 400, "must be valid UTF-8"},
		"nested too deep":                {isJSON, strings.Repeat(`[`, 70) + strings.Repeat(`]`, 70), 400, "nested deeper"},
		"too many operations":            {isJSON, `[` + strings.Repeat(`{},`, 500) + `{}]`, 400, "501 operations, more than 500"},
		"too many values":                {isJSON, `{"Properties":{"a":[` + strings.Repeat(`1,`, 5000) + `1]}}`, 400, "has more than 5000 values"},
		"a form":                         {"application/x-www-form-urlencoded", `Name=m`, 415, "A patch must be a JSON array"},
		"XML":                            {"text/xml", `<Webhook><Name>m</Name></Webhook>`, 415, "A patch must be a JSON array"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.call("POST", "/api/v1/Webhook", patchable)
			before := s.webhooks()
			got := s.call("PATCH", "/api/v1/Webhook/1", test.body, "Content-Type: "+test.contentType)
			if got.Code != test.status || !strings.Contains(strings.ReplaceAll(got.Body.String(), `\"`, `"`), test.text) {
				t.Errorf("got %d %s, want %d with %q", got.Code, got.Body, test.status, test.text)
			}
			if diff := cmp.Diff(before, s.webhooks()); diff != "" {
				t.Errorf("the webhook was changed:\n%s", diff)
			}
		})
	}
	if got := newServer(t).call("PATCH", "/api/v1/Webhook/9", `{"Name":"m"}`); got.Code != 404 || !strings.Contains(got.Body.String(), "Webhook id 9 not found") {
		t.Errorf("an unknown id: got %d %s", got.Code, got.Body)
	}
}

// Decision 0.10: a patch keeps, changes or removes the secret, and shows it only
// to the call that sets it.
func TestPatch_Secret(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct{ shown, stored string }{
		`{"Name":"m"}`:                       {`"Secret":"********"`, "s1"},
		`{"Secret":null}`:                    {`"Secret":"********"`, "s1"}, // null keeps the secret, as on every save
		`{"Secret":"********"}`:              {`"Secret":"********"`, "s1"},
		`{"Secret":"s2"}`:                    {`"Secret":"s2"`, "s2"},
		`{"Secret":""}`:                      {`"Secret":null`, ""},
		`[{"op":"remove","path":"/Secret"}]`: {`"Secret":null`, ""},
		`[{"op":"replace","path":"/Secret","value":"s2"}]`:                  {`"Secret":"s2"`, "s2"},
		`[{"op":"add","path":"/Headers/Authorization","value":"Bearer t"}]`: {`"Authorization":"Bearer t"`, "s1"},
		`{"Headers":{"X-Api-Key":"k2"}}`:                                    {`"X-Api-Key":"k2"`, "s1"},
	} {
		s := newServer(t)
		s.call("POST", "/api/v1/Webhook", patchable)
		got := s.call("PATCH", "/api/v1/Webhook/1", body)
		if got.Code != 200 || !strings.Contains(got.Body.String(), want.shown) || strings.Contains(got.Body.String(), "s1") {
			t.Errorf("%s: got %d %s, want %s", body, got.Code, got.Body, want.shown)
		}
		var doc webhook.SecretDocument
		if w := s.webhooks()[0]; w.Secret.Name != "" {
			var err error
			if doc, err = s.db.Secrets().Read(t.Context(), w.Secret); err != nil {
				t.Fatal(err)
			}
		}
		if doc.Current.Reveal() != want.stored {
			t.Errorf("%s: the secret is %q, want %q", body, doc.Current.Reveal(), want.stored)
		}
	}
}

// Members that a patch does not touch stay as they are stored, byte for byte.
func TestPatch_LeavesTheRest(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", strings.Replace(patchable, `"B":"<&>"`, `"B":"\u003c\ud83d\ude00"`, 1))
	before := s.webhooks()[0]
	if got := s.call("PATCH", "/api/v1/Webhook/1", `{"Name":"m"}`); got.Code != 200 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	after := s.webhooks()[0]
	before.Name, before.Revision, before.Updated = after.Name, after.Revision, after.Updated
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// loses is a store whose first update loses a race against another writer.
type loses struct {
	webhook.Webhooks
	lost bool
}

func (s *loses) Update(ctx context.Context, w webhook.Webhook, by webhook.Change, raised ...webhook.Event) error {
	if !s.lost {
		s.lost = true
		return webhook.ErrConflict
	}
	return s.Webhooks.Update(ctx, w, by, raised...)
}

// A save that lost a race applies its changes again. The first attempt must not have
// changed the values of the body.
func TestPatch_IsAppliedAgainUnchanged(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"an object": `[{"op":"add","path":"/Properties","value":{"a":{"b":1}}},{"op":"test","path":"/Properties/a/b","value":1},{"op":"replace","path":"/Properties/a/b","value":2}]`,
		"a list":    `[{"op":"add","path":"/Events","value":["a.b","c.d"]},{"op":"test","path":"/Events/0","value":"a.b"},{"op":"replace","path":"/Events/0","value":"e.f"}]`,
		"a removal": `[{"op":"add","path":"/Properties","value":{"a":1,"b":2}},{"op":"test","path":"/Properties/a","value":1},{"op":"remove","path":"/Properties/a"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, func(c *httpapi.Config) { c.Registry.Webhooks = &loses{Webhooks: c.Registry.Webhooks} })
			s.call("POST", "/api/v1/Webhook", patchable)
			if got := s.call("PATCH", "/api/v1/Webhook/1", body); got.Code != 200 {
				t.Errorf("got %d %s", got.Code, got.Body)
			}
		})
	}
}

// Every operation may compare a long string of the body again, so values that are
// slow to interpret are compared as they are.
func TestPatch_ComparesLongStringsAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		member, long, short string
		within              int
	}{
		"a number":          {"/Properties/a", `1.%s0`, `1.0`, 900},
		"names of an enum":  {"/NotifyWhen", `"None,%s"`, `"None"`, 900},
		"spaces of an enum": {"/State", `"Active%s"`, `"Active"`, 900},
	} {
		fill := map[string]string{"a number": "0", "names of an enum": ",", "spaces of an enum": " "}[name]
		for length, want := range map[int]int{test.within: 200, 1001: 409} {
			s := newServer(t)
			s.call("POST", "/api/v1/Webhook", patchable)
			body := `[{"op":"add","path":"` + test.member + `","value":` + strings.Replace(test.long, "%s", strings.Repeat(fill, length), 1) + `},` +
				`{"op":"test","path":"` + test.member + `","value":` + test.short + `}]`
			if got := s.call("PATCH", "/api/v1/Webhook/1", body); got.Code != want {
				t.Errorf("%s, %d long: got %d %s, want %d", name, length, got.Code, got.Body, want)
			}
		}
	}
}

// A fault that is found while a patch is applied names its operation, as those do
// that are found while it is read.
func TestPatch_FaultsNameTheirOperation(t *testing.T) {
	t.Parallel()
	var invalid *webhook.ValidationError
	if err := httpapi.PatchFault(); !errors.As(err, &invalid) || len(invalid.Faults) != 1 || invalid.Faults[0].Member != "Changes[2]" {
		t.Errorf("got %+v", err)
	}
}

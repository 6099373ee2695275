package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// If a required member is missing, the message names the members that were
// ignored: one of them may be meant for it.
func TestMissingMember_NamesTheUnknownOnes(t *testing.T) {
	t.Parallel()
	const (
		root   = "/api/v1/Webhook"
		target = `"TargetUrl":"https://example.com/"`
	)
	many := strings.Builder{}
	for i := range 20 {
		fmt.Fprintf(&many, `"m%d":1,`, i)
	}
	s := newServer(t)
	for name, test := range map[string]struct {
		path, body string
		want       string
		not        string
	}{
		"a typo":                      {root, `{"Event":["a"],` + target + `}`, `"unknown member "Event": did you mean Events?"`, "ignored"},
		"a typo and another name":     {root, `{"Event":["a"],"Target":"https://example.com/"}`, `did you mean Events?; TargetUrl is required; unknown member "Target" was ignored"`, ""},
		"another name":                {root, `{"EventNames":["a"],` + target + `}`, `; unknown member "EventNames" was ignored"`, ""},
		"two":                         {root, `{"EventNames":["a"],"Target":"https://example.com/"}`, `; unknown members "EventNames", "Target" were ignored"`, ""},
		"with a wrong type":           {root, `{"Name":5,"EventNames":["a"],` + target + `}`, `; unknown member "EventNames" was ignored"`, ""},
		"a repeated one":              {root, `{"EventNames":1,"EventNames":2,` + target + `}`, `; unknown member "EventNames" was ignored"`, ""},
		"many":                        {root, `{` + many.String() + target + `}`, `"m9" were ignored"`, "m10"},
		"a long one":                  {root, `{"` + strings.Repeat("x", 5000) + `":1}`, `x" was ignored"`, strings.Repeat("x", 101)},
		"the service's own members":   {root, `{"LastError":"","_Links":{},"TableRight":{},"FieldProperties":{},"registeredAssociate":null}`, "", "ignored"},
		"nothing is missing":          {root, `{"Event":1,"Events":["a"],"TargetUrl":"ftp://x/"}`, "", "ignored"},
		"of a test":                   {root + "/Test", `{"Target":"https://example.com/"}`, `; unknown member "Target" was ignored"`, ""},
		"of a test, without events":   {root + "/Test", `{"Event":["a"],"TargetUrl":"ftp://x/"}`, "", "ignored"},
		"of the agent's save":         {agent + "SaveWebhook", `{"Webhook":{"EventNames":["a"],` + target + `}}`, `; unknown member "EventNames" was ignored"`, ""},
		"of the agent's signal":       {agent + "SignalEvent", `{"Event":"a.b","Primary":7}`, `EventName is required; unknown members "Event", "Primary" were ignored"`, ""},
		"an argument in another case": {agent + "SignalEvent", `{"eventname":"","PRIMARYKEY":7}`, "", "ignored"},
	} {
		got := s.call("POST", test.path, test.body)
		body := strings.ReplaceAll(got.Body.String(), `\"`, `"`)
		if got.Code != http.StatusBadRequest || !strings.Contains(body, test.want) || test.not != "" && strings.Contains(body, test.not) {
			t.Errorf("%s: got %d %s, want 400 with %s", name, got.Code, got.Body, test.want)
		}
	}
}

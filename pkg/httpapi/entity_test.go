package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Decision 0.9: every string has a limit. All strings over their limit are reported
// at once, in the order of the entity.
func TestEntity_Limits(t *testing.T) {
	t.Parallel()
	body := func(more int) string {
		å := func(n int) string { return strings.Repeat("å", n+more) } // characters, not bytes
		a := func(n int) string { return strings.Repeat("a", n+more) }
		headers := strings.Builder{}
		for i := range 49 + more {
			fmt.Fprintf(&headers, `"X-%d":"",`, i)
		}
		return `{"Name":"` + å(400) + `","Events":["` + strings.Repeat(strings.Repeat("e", 199)+`","`, 19) + a(200) + `"],
			"TargetUrl":"https://example.com/` + a(3980) + `","Secret":"` + å(400) + `","Type":"` + å(100) + `",
			"Headers":{` + headers.String() + `"X-Long":"` + a(16<<10-6-186) + `"},
			"Properties":{"p":"` + a(32<<10-8) + `"},"ErrorsEmail":"` + a(239) + `",
			"ErrorEmails":["` + strings.Repeat(`x","`, 49+more) + a(239) + `"],"Description":"` + å(4000) + `"}`
	}
	s := newServer(t)
	if got := s.call("POST", "/api/v1/Webhook", body(0)); got.Code != 200 {
		t.Errorf("at the limits: got %d %s", got.Code, got.Body)
	}
	got := s.call("POST", "/api/v1/Webhook", body(1))
	want := []string{
		"Name must be at most 400 characters",
		`Events: "` + strings.Repeat("a", 200) + `" must be an event name (1 to 200 characters of A-Z a-z 0-9 _ . -), "*", or "<prefix>.*" with a prefix of at most 6 segments`,
		"Events must be at most 4000 characters, joined by commas",
		"TargetUrl must be at most 4000 characters",
		"Secret must be at most 400 characters",
		"Type must be at most 100 characters",
		"Headers must have at most 50 items",
		"Headers must be at most 16384 bytes",
		"Properties must be at most 32768 bytes",
		"ErrorsEmail must be at most 239 characters",
		"ErrorEmails must have at most 50 items",
		"ErrorEmails[50] must be at most 239 characters",
		"Description must be at most 4000 characters",
	}
	if message, _ := object(t, got.Body.String())["Message"].(string); got.Code != 400 {
		t.Errorf("over the limits: got %d %s", got.Code, got.Body)
	} else if diff := cmp.Diff(want, strings.Split(message, "; ")); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// Decision 0.9: wrong types, broken rules and masks without a stored value are
// reported at once. A member of the wrong type gets only one fault.
func TestEntity_AllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"NotifyWhen":"Never","Name":5,"Events":[1,null],"Secret":false,"TargetUrl":"ftp://x/","Headers":{"Host":"a","X":1},"ErrorAssociates":[1,{"Id":"x","ChildItems":[{"Deleted":5}]}]}`: "Name must be a string; Events[0] must be a string; Events[1] must be a string; TargetUrl must be an http or https URL; Secret must be a string; " +
			`Headers: the value of "X" must be a string; ErrorAssociates[0] must be an object with the members of an MDOListItem; ErrorAssociates[1].Id must be a 32-bit integer; ` +
			"ErrorAssociates[1].ChildItems[0].Deleted must be true or false; NotifyWhen must be one of None, FirstFailure, Disabling, or several joined by commas",
		`{"Secret":"********","Headers":{"X-Api-Key":"********","X-B":"********"}}`: "Events must name at least one event; TargetUrl is required; " +
			`Secret must not be "********": there is no stored secret to keep; ` +
			`Headers: the value of X-Api-Key must not be "********": there is no stored secret to keep; ` +
			`Headers: the value of X-B must not be "********": there is no stored secret to keep`,
		`{"Events":[` + strings.Repeat(`1,`, 5000) + `1]}`: "",
	} {
		got := newServer(t).call("POST", "/api/v1/Webhook", body)
		message, _ := object(t, got.Body.String())["Message"].(string)
		if got.Code != 400 || want != "" && message != want {
			t.Errorf("%.80s:\ngot  %d %s\nwant %s", body, got.Code, message, want)
		}
		if got.Body.Len() > 20_000 {
			t.Errorf("%.80s: the response has %d bytes", body, got.Body.Len())
		}
	}
}

// Decision 0.3: members that the server owns are not read, whatever their type and
// depth. Neither are unknown members. The body is one that the official client
// sends back.
func TestEntity_ServerOwnedMembersAreSkipped(t *testing.T) {
	t.Parallel()
	const right = `{"mask":15,"reason":{"a":[]}}`
	body := strings.Replace(minimal, "{", `{"webhookId":"7","registered":"0001-01-01T00:00:00.000Z","updated":null,"updatedAssociate":5,
		"registeredAssociate":{"associateId":"x","tableRight":`+right+`,"fieldProperties":[1]},"totalCalls":"many","TOTALERRORS":-1,
		"consecutiveErrors":{},"lastError":[],"_Links":true,"tableRight":`+right+`,"fieldProperties":7,"unknown":{"a":1},"hasOwnProperty":null,
		"errorAssociates":[{"id":5,"tableRight":`+right+`,"fieldProperties":false,"unknown":1,"childItems":[{"tableRight":15}]}],`, 1)
	for _, call := range [][2]string{
		{"POST", "/api/v1/Webhook"}, {"PUT", "/api/v1/Webhook/1"}, {"POST", "/api/v1/Agents/Webhook/TestWebhook"},
	} {
		s := newServer(t)
		s.call("POST", "/api/v1/Webhook", minimal)
		sent := body
		if call[0] == "PUT" {
			sent = strings.Replace(body, `"7"`, `"1"`, 1)
		}
		if call[0] == "POST" && strings.HasPrefix(call[1], "/api/v1/Agents") {
			sent = strings.Replace(body, `"7"`, `0`, 1)
		}
		if got := s.call(call[0], call[1], sent); got.Code != 200 {
			t.Errorf("%s %s: got %d %s", call[0], call[1], got.Code, got.Body)
		}
	}
	s := newServer(t)
	got := s.call("POST", "/api/v1/Webhook", body).Body.String()
	for _, want := range []string{
		`"WebhookId":1,`, `"Registered":"2026-11-24T08:00:00"`, `"TotalCalls":0,"TotalErrors":0,"ConsecutiveErrors":0,"LastError":null`,
		`"ErrorAssociates":[{"Id":5,"Name":null,"ToolTip":null,"Deleted":false,"Rank":0,"Type":null,"ChildItems":[{"Id":0,`,
		`"TableRight":{"Mask":"FULL","Reason":""},"FieldProperties":{}}]`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

// Decision 0.18, and every other way to write the value of an enum.
func TestEntity_EnumsByNameAndNumber(t *testing.T) {
	t.Parallel()
	for member, tests := range map[string]map[string]string{
		"State": {
			`"Stopped"`: `"Stopped"`, `"sTOPPED"`: `"Stopped"`, `2`: `"Stopped"`, `"2"`: `"Stopped"`, `3`: `"TooManyErrors"`, `" active "`: `"Active"`,
			`0`: `"Active"`, `null`: `"Active"`, `""`: `"Active"`, `"unknown"`: `"Active"`, // decision 0.4
			`4`: ``, `-1`: ``, `"Paused"`: ``, `1.0`: ``, `true`: ``, `[1]`: ``, `"Active, Stopped"`: ``,
		},
		"NotifyVia": {
			`"Email"`: `"Email"`, `"inapp"`: `"InApp"`, `0`: `"None"`, `2`: `"InApp"`, `null`: `"None"`, `3`: ``, `"Email, InApp"`: ``,
		},
		"NotifyWhen": {
			`0`: `"None"`, `1`: `"FirstFailure"`, `2`: `"Disabling"`, `3`: `"FirstFailure, Disabling"`, `"3"`: `"FirstFailure, Disabling"`,
			`"firstfailure,DISABLING"`: `"FirstFailure, Disabling"`, `"Disabling, FirstFailure"`: `"FirstFailure, Disabling"`,
			`"None, Disabling"`: `"Disabling"`, `"Disabling,Disabling"`: `"Disabling"`, `4`: ``, `"Disabling, Never"`: ``,
		},
	} {
		s := newServer(t)
		for in, out := range tests {
			got := s.call("POST", "/api/v1/Webhook", strings.Replace(minimal, "{", `{"`+member+`":`+in+`,`, 1))
			switch {
			case out == "" && (got.Code != 400 || !strings.Contains(got.Body.String(), member+" must be one of ")):
				t.Errorf("%s %s: got %d %s, want a 400", member, in, got.Code, got.Body)
			case out != "" && !strings.Contains(got.Body.String(), `"`+member+`":`+out+`,`):
				t.Errorf("%s %s: got %d %s, want %s", member, in, got.Code, got.Body, out)
			}
		}
	}
}

// Decision 0.28, and the order of all members: the published ones in their order,
// with the newer ones before _Links.
func TestEntity_OrderOfMembers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	shown := s.call("GET", "/api/v1/Webhook/1", "").Body.String()
	want := strings.Fields(`WebhookId Name Events TargetUrl Secret State Type Headers Properties Registered RegisteredAssociate Updated UpdatedAssociate
		ErrorsEmail ErrorEmails ErrorAssociates Description NotifyVia NotifyWhen TotalCalls TotalErrors ConsecutiveErrors LastError _Links`)
	if diff := cmp.Diff(want, names(t, shown)); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	_, associate, _ := strings.Cut(shown, `"RegisteredAssociate":`)
	associate, _, _ = strings.Cut(associate, `,"Updated":`)
	if want := `{"AssociateId":1,"Name":"tje0","PersonId":0,"Rank":0,"Tooltip":null,"Type":"InternalAssociate","GroupIdx":0,"FullName":"tje0",` +
		`"FormalName":null,"Deleted":false,"EjUserId":0,"UserName":"tje0","TableRight":{"Mask":"FULL","Reason":""},"FieldProperties":{}}`; associate != want {
		t.Errorf("associate: got %s\nwant %s", associate, want)
	}
}

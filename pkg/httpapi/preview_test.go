package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPreview(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", strings.Replace(minimal, `"Events":["contact.changed"]`, `"Events":["contact.*"]`, 1))
	for i := range 8 {
		s.clock.Advance(time.Second)
		s.call("POST", fmt.Sprintf("/api/v1/Webhook/contact.changed/%d", i), fmt.Sprintf(`{"amount":%d}`, i))
	}
	s.call("POST", "/api/v1/Webhook/sale.sold/1", `{}`)
	before := s.webhooks()[0]
	got := s.call("POST", "/api/v1/Webhook/1/Options/Preview", `{"Filter":{"FieldValues":{"$or":[{"amount":[{"numeric":["<",2]}]},{"amuont":[5]}]}}}`)
	var shown struct {
		Examined, Subscribed, Matched int
		Samples                       []struct {
			PrimaryKey int
			Matches    bool
			Option     *string
		}
		Warnings []string
		Body     *string
	}
	if err := json.Unmarshal(got.Body.Bytes(), &shown); err != nil || got.Code != 200 {
		t.Fatalf("got %d %s (%v)", got.Code, got.Body, err)
	}
	if shown.Examined != 9 || shown.Subscribed != 8 || shown.Matched != 2 || shown.Body != nil {
		t.Errorf("got %s", got.Body)
	}
	var samples []string
	for _, e := range shown.Samples {
		option := "sent"
		if e.Option != nil {
			option = *e.Option
		}
		samples = append(samples, fmt.Sprint(e.PrimaryKey, " ", e.Matches, " ", option))
	}
	const left = " false Filter.FieldValues.amount"
	if diff := cmp.Diff([]string{"7" + left, "6" + left, "5" + left, "4" + left, "3" + left, "1 true sent", "0 true sent"}, samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"None of the 8 events that match Events has the member of Filter.FieldValues.amuont."}, shown.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	body := `{"Format":"data","EventId":"` + string(s.events()[0].ID) + `"}`
	if got := s.call("POST", "/api/v1/Webhook/1/Options/Preview", body).Body.String(); !strings.Contains(got, `"Matched":8,`) || !strings.Contains(got, `"Body":"{\"amount\":0}"`) {
		t.Errorf("the body of an event: got %s", got)
	}
	for body, text := range map[string]string{
		``: "the body must be an object with options", `{"Nope":1}`: "Nope is not an option", `{"Filter":{"Nope":[1]}}`: "Filter.Nope: is not a member of events",
		`{"EventId":5}`: "EventId must be a string",
	} {
		if got := s.call("POST", "/api/v1/Webhook/1/Options/Preview", body); got.Code != 400 || !strings.Contains(got.Body.String(), text) {
			t.Errorf("%s: got %d %s", body, got.Code, got.Body)
		}
	}
	if got := s.call("POST", "/api/v1/Webhook/1/Options/Preview", `{"EventId":"x"}`); got.Code != 404 {
		t.Errorf("an unknown event: got %d %s", got.Code, got.Body)
	}
	if after := s.webhooks()[0]; after.Revision != before.Revision {
		t.Error("something was stored")
	}
}

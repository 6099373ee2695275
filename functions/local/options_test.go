package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// Options set through the API apply to the target's POSTs. Test sends its event
// even though TARGET_CHECK is off.
func TestLocal_OptionsAndTestReachTheTarget(t *testing.T) {
	t.Parallel()
	target := webhooktest.NewReceiver(t)
	s := start(t, t.TempDir(), nil)
	id := s.create(target.URL)
	if status, _, answer := s.call("PATCH", "/api/v1/Webhook/1/Options", `{"Format":"cloudevents"}`); status != 200 {
		t.Fatalf("options: got %d %s", status, answer)
	}
	key := delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()}
	s.row(key, func(d delivery.Row) bool { return d.Status == delivery.StatusDelivered })
	status, _, answer := s.call("POST", "/api/v1/Webhook/Test", `{"WebhookId":1,"Secret":"********","TargetUrl":"`+target.URL+`"}`)
	if status != 200 || !strings.HasPrefix(string(answer), `{"Success":true,"Message":"HTTP 200 OK`) {
		t.Errorf("test: got %d %s", status, answer)
	}
	status, _, answer = s.call("POST", "/api/v1/Webhook/Test?event=sale.changed", `{"WebhookId":1}`)
	var sample struct {
		Sample  string
		Request struct{ Body, BodySha256 string }
	}
	if err := json.Unmarshal(answer, &sample); err != nil || status != 200 || sample.Sample != "catalog" {
		t.Errorf("test with a sample: got %d %s", status, answer)
	}
	posts := target.Requests()
	if len(posts) != 3 {
		t.Fatalf("the target got %d POSTs, want the delivery and the two tests", len(posts))
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(posts[2].Body)); sample.Request.Body != string(posts[2].Body) || sample.Request.BodySha256 != sum || posts[2].Header.Get("X-Hook-Test") != "true" {
		t.Errorf("the response shows %+v, and the target got %v %s", sample.Request, posts[2].Header, posts[2].Body)
	}
	for i, want := range []string{`"type":"contact.changed","subject":"7",`, `"type":"test","subject":"0",`, `"type":"sale.changed","subject":"0",`} {
		post := posts[i]
		if !strings.HasPrefix(string(post.Body), `{"specversion":"1.0","id":"`+post.Header.Get("Webhook-Id")+`",`) || !strings.Contains(string(post.Body), want) ||
			post.Header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" ||
			post.Header.Get("X-Superoffice-Signature") != signature.SuperOffice("Something Super Secret", post.Body) {
			t.Errorf("POST %d: %v %s", i, post.Header, post.Body)
		}
	}
}

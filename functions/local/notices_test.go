package main

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

func TestLocal_LogsOperationalEvents(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	target := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 410, Body: "the answer"})
	id := s.create(target.URL + "/path?token=hunter2")
	s.row(delivery.Key{Tenant: "Default", Webhook: id, Event: s.signal()}, func(d delivery.Row) bool { return d.Status == delivery.StatusFailed })
	if err := s.service.db.DeadLetters().Bury(t.Context(), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := s.service.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.stop() // lets the batch end
	told := map[string]string{}
	for line := range strings.Lines(s.logs.String()) {
		if _, event, ok := strings.Cut(line, `msg="operational event: `); ok {
			kind, members, _ := strings.Cut(strings.TrimSpace(event), `" `)
			told[kind] = members
		}
	}
	host := strings.TrimPrefix(target.URL, "http://")
	for kind, want := range map[string]string{
		"Webhook Disabled": `error=status count=1 action="The target responded with a status other than 2xx: look at the response and at the log of the receiver. ` +
			`Then set the webhook's State to Active." tenant=Default webhook_id=1 host=` + host + ` status=410`,
		"Dead Letter": `error=unreadable count=1 action="Receive the message from the dead-letter queue without deleting it and inspect its body."`,
	} {
		if told[kind] != want {
			t.Errorf("%s: got %s\nwant %s", kind, told[kind], want)
		}
		delete(told, kind)
	}
	if len(told) > 0 {
		t.Errorf("also told: %v", told)
	}
	for _, secret := range []string{"hunter2", "/path", "the answer", "Something Super Secret"} {
		if strings.Contains(s.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

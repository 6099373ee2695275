package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/receiver"
)

// The receiver finds the secret of the webhook that has sent the POST: any
// tenant's, with any spelling of the receiver's URL.
func TestLocal_TheReceiverVerifiesEveryDeliveryToIt(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	base, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(user, password, path string, body any, out any) {
		t.Helper()
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		status, _, answer := s.callAs(user, password, http.MethodPost, path, string(encoded))
		if status > 299 {
			t.Fatalf("%s: got %d %s", path, status, answer)
		}
		if out != nil {
			if err := json.Unmarshal(answer, out); err != nil {
				t.Fatal(err)
			}
		}
	}
	type object = map[string]any
	var other struct{ Secret string }
	ask("admin", "admin", "/admin/v1/Tenants", object{"Name": "Cust2"}, nil)
	ask("admin", "admin", "/admin/v1/Tenants/Cust2/Credentials", object{"Kind": "basic", "User": "other", "Scopes": []string{"webhooks", "events"}}, &other)
	passwords := map[string]string{"tje0": "Tje0", "other": other.Secret}
	targets := []string{
		"http://%s/_receiver", "HTTP://%s/_receiver/up", "Http://%s/_receiver/mixed", "http://%s/_receiver/blåbær", "http://%s/_receiver/two words?q=é{}",
		"http://LOCALHOST.:" + base.Port() + "/_receiver/name",
	}
	for user, password := range passwords {
		for i, target := range targets {
			if strings.Contains(target, "%s") {
				target = fmt.Sprintf(target, base.Host)
			}
			ask(user, password, "/api/v1/Webhook", object{"Name": target, "Events": []string{"contact.changed"}, "TargetUrl": target, "Secret": fmt.Sprintf("%s's %d", user, i)}, nil)
		}
		ask(user, password, "/api/v1/Webhook/contact.changed/7", object{}, nil)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		changed := s.service.db.Changed() // before looking, so that nothing is missed
		var got struct{ Received []receiver.Received }
		_, _, answer := s.call(http.MethodGet, receiver.Path, "")
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Received) < len(passwords)*len(targets) && time.Now().Before(deadline) {
			select {
			case <-changed:
			case <-time.After(50 * time.Millisecond): // a POST is seen before it is recorded
			}
			continue
		}
		if want := len(passwords) * len(targets); len(got.Received) != want {
			t.Errorf("%d POSTs came, want %d", len(got.Received), want)
		}
		for _, r := range got.Received {
			if r.SuperOffice != receiver.Valid || r.StandardWebhooks != receiver.Valid {
				t.Errorf("%s: the receiver says %s and %s: %s", r.Path, r.SuperOffice, r.StandardWebhooks, r.Body)
			}
		}
		return
	}
}

// Without private targets no webhook reaches it, and it would take what comes.
func TestLocal_TheReceiverIsServedOnlyToPrivateTargets(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), map[string]string{"ALLOW_PRIVATE_TARGETS": "false"})
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if status, _, _ := s.call(method, receiver.Path, ""); status != http.StatusNotFound {
			t.Errorf("%s %s: got %d, want 404", method, receiver.Path, status)
		}
	}
	if text := banner(config.Local{}, "127.0.0.1:8080"); strings.Contains(text, receiver.Path) {
		t.Errorf("the banner names it:\n%s", text)
	}
}

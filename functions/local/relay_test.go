package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// relaySecret is the secret that create sets, and so that of the relay.
const relaySecret = "Something Super Secret"

// putRelay stores the source "crm" of SuperOffice's protocol for the tenant
// Default.
func putRelay(t testing.TB, db *embedded.DB) {
	t.Helper()
	name, err := db.Secrets().Name("Default", 0)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := db.Secrets().Create(t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret(relaySecret)})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Sources().Put(t.Context(), source.Source{
		Name: "crm", Kind: source.KindRelay, Tenant: "Default", Revision: 1,
		Relay: &source.Relay{Protocol: source.ProtocolSuperOffice, Context: "Default", Secret: ref},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// byID waits until a receiver has n POSTs of different events and returns them by
// their webhook-id.
func byID(t *testing.T, r *webhooktest.Receiver, n int) map[string]webhooktest.Request {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		got := map[string]webhooktest.Request{}
		for _, request := range r.Requests() {
			got[request.Header.Get("Webhook-Id")] = request
		}
		if len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("the receiver got %d events, want %d", len(got), n)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A receiver behind a relay gets what one gets that the sender posts to itself.
func TestLocal_ARelayIsInvisibleToReceivers(t *testing.T) {
	t.Parallel()
	direct, behind := webhooktest.NewReceiver(t), webhooktest.NewReceiver(t)
	crm, relay := start(t, t.TempDir(), nil), start(t, t.TempDir(), nil)
	putRelay(t, relay.service.db)
	crm.create(direct.URL)
	crm.create(relay.base + "/in/v1/crm")
	relay.create(behind.URL)
	bodies := []string{
		``, `{}`, `{"name":"Blåbær AS","category_idx":3}`, `{"z":1,"a":[1.50, -0, 1e999, 12345678901234567890],"m":{"b":null,"a":{}}}`,
		`{"<b>":"<&>","\u00e5":"\u00e5\/\ud83d\ude00","line":"\u2028 \u0000 \u00e9","tab":"\t"}`, `{"twice":{"a":1,"a":2}}`, "{\n  \"spaced\" : [ 1 , 2 ]\n}",
	}
	for _, name := range []string{"contact.changed", "contact.deleted", "CONTACT.Created", "contact.sub.changed"} {
		for _, body := range bodies {
			if status, _, answer := crm.call("POST", "/api/v1/Webhook/"+name+"/-7", body); status != 204 {
				t.Fatalf("signal: got %d %s", status, answer)
			}
		}
	}
	want, got := byID(t, direct, 4*len(bodies)), byID(t, behind, 4*len(bodies))
	for id, sent := range want {
		relayed, found := got[id]
		if !found {
			t.Fatalf("the event %s did not come through the relay", id)
		}
		if !bytes.Equal(sent.Body, relayed.Body) {
			t.Errorf("the body behind the relay is %s, want %s", relayed.Body, sent.Body)
		}
		if a, b := sent.Header.Get("X-Posthaste-Hops"), relayed.Header.Get("X-Posthaste-Hops"); a != "1" || b != "2" {
			t.Errorf("got hops %s and %s, want 1 and 2", a, b)
		}
		for _, header := range []http.Header{sent.Header, relayed.Header} {
			for _, name := range []string{"X-Posthaste-Hops", "X-Superoffice-Signature", "Webhook-Timestamp", "Webhook-Signature"} {
				if header.Get(name) == "" {
					t.Errorf("a POST lacks %s", name)
				}
				header.Del(name)
			}
		}
		if diff := cmp.Diff(sent.Header, relayed.Header); diff != "" {
			t.Errorf("headers (-direct +behind):\n%s", diff)
		}
	}

	// What was posted once is posted again, as a captured POST would be.
	for _, captured := range direct.Requests() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, relay.base+"/in/v1/crm/", bytes.NewReader(captured.Body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-SuperOffice-Signature", signatureOf(captured.Body))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("a repeated POST: got %d, want 200", resp.StatusCode)
		}
	}
	events, err := relay.service.db.Events().List(t.Context(), "Default", webhook.FirstEventID(time.Time{}), "ffffffff-ffff-ffff-ffff-ffffffffffff", 1000)
	if err != nil || len(events) != len(want) {
		t.Errorf("there are %d events (%v), want %d", len(events), err, len(want))
	}
	relay.stop()
	if got := len(behind.Requests()); got != len(want) {
		t.Errorf("the receiver got %d POSTs, want %d", got, len(want))
	}
	if slices.ContainsFunc([]string{relaySecret, "Blåbær"}, func(text string) bool { return bytes.Contains(relay.logs.Bytes(), []byte(text)) }) {
		t.Errorf("a secret or a value is logged: %s", relay.logs)
	}
}

// A relay is created, used, rotated and counted with nothing but HTTP.
func TestLocal_AdministratorsConfigureARelay(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	type shown struct {
		Counts struct{ Taken, Made int }
	}
	admin := func(method, path, body string, want int) (document shown) {
		t.Helper()
		status, _, answer := s.callAs("admin", "admin", method, path, body)
		if status != want {
			t.Fatalf("%s %s: got %d %s, want %d", method, path, status, answer, want)
		}
		if err := json.Unmarshal(answer, &document); err != nil {
			t.Fatal(err)
		}
		return document
	}
	const document = `{"Name":"crm","Kind":"relay","Tenant":"Default","Relay":{"Protocol":"superoffice","Context":"Default","Secret":"%s"}}`
	post := func(secret string, want int) {
		t.Helper()
		_, body := relayed(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/in/v1/crm", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-SuperOffice-Signature", signature.SuperOffice(secret, []byte(body)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with the secret %s: got %d, want %d", secret, resp.StatusCode, want)
		}
	}
	post("first", 404)
	admin("POST", "/admin/v1/Sources", fmt.Sprintf(document, "first"), 201)
	post("first", 200)
	post("second", 401)
	admin("PUT", "/admin/v1/Sources/crm", fmt.Sprintf(document, "second"), 200)
	post("second", 200)
	post("first", 200) // its overlap has not ended
	if got := admin("GET", "/admin/v1/Sources/crm", "", 200).Counts; got.Taken != 1 || got.Made != 1 {
		t.Errorf("the counts are %+v, want the first POST's", got)
	}
}

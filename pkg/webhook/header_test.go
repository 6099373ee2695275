package webhook_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestSecretHeader(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"X-Auth": true, "x_auth": true, "AUTH": true, "X-Authorization": true, "Proxy-Authorization": true, "Authorization": true,
		"X-Pass": true, "X-Pwd": true, "X-Credential": true, "X_SESSION_ID": true, "X-JWT-Assertion": true, "X-Hub_Signature-256": true,
		"Cookie": true, "X-Cookie": true, "X.Auth": true,
		"X-ApiKey": true, "X-Tokens": true, "Client_Secret": true, "X-Passwords": true, "X-Monkey": true,
		"X-Author": false, "X-Authority": false, "X-Compass": false, "X-Passenger": false, "X-Bypass-Cache": false,
		"X-Obsession": false, "X-Signatures": false, "X-Cookies": false, "X-Own": false, "": false,
	} {
		if got := webhook.SecretHeader(name); got != want {
			t.Errorf("SecretHeader(%q) = %v, want %v", name, got, want)
		}
	}
}

// A receiver behind CGI or WSGI sees HTTP_X_SUPEROFFICE_SIGNATURE for each of these
// spellings.
func TestDraft_HeadersThatAReceiverCannotTellFromOurs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"X_SuperOffice_Signature", "x-superoffice_signature", "webhook_signature", "WEBHOOK_ID", "webhook_timestamp", "Transfer_Encoding",
		"content_length", "Content_Type", "User_Agent", "X_Posthaste_Hops", "X_Hook_Test", "Idempotency_Key", "x_idempotency-key", "Proxy_Connection",
		"Keep_Alive", "Accept_Encoding", "webhook.signature", "X-SuperOffice-Event", "HOST",
	} {
		if faults := headerFaults(t, name); !slices.Equal(faults, []string{"Headers: reserved header " + name}) {
			t.Errorf("%s: got faults %q", name, faults)
		}
	}
	for _, name := range []string{"X_Own", "X-Own", "webhooks_id", "Superoffice_Signature", "Hosts"} {
		if faults := headerFaults(t, name); faults != nil {
			t.Errorf("%s: got faults %q", name, faults)
		}
	}
}

func TestDraft_HeadersThatAReceiverCannotTellApart(t *testing.T) {
	t.Parallel()
	if faults := headerFaults(t, "X_Own-Name", "X-Own_Name"); len(faults) != 1 || !strings.Contains(faults[0], "X_Own-Name and X-Own_Name") {
		t.Errorf("got faults %q", faults)
	}
	if faults := headerFaults(t, "X-Own", "x-own"); !slices.Equal(faults, []string{"Headers: duplicate header x-own"}) {
		t.Errorf("got faults %q", faults)
	}
}

func headerFaults(t *testing.T, names ...string) []string {
	t.Helper()
	draft := webhook.Draft{Events: []string{"a"}, TargetURL: "https://example.com/"}
	for _, name := range names {
		draft.Headers = append(draft.Headers, webhook.DraftHeader{Name: name, Value: webhook.NewSecret("v")})
	}
	var invalid *webhook.ValidationError
	if err := draft.Validate(webhook.Rules{}); err != nil && !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	if invalid == nil {
		return nil
	}
	var texts []string
	for _, f := range invalid.Faults {
		texts = append(texts, f.Text)
	}
	return texts
}

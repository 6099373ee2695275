package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func signatureOf(body []byte) string { return signature.SuperOffice(relaySecret, body) }

// relayed returns a body as SuperOffice sends it, and its event's id.
func relayed(t testing.TB) (id webhook.EventID, body string) {
	t.Helper()
	now := time.Now().UTC()
	id, err := webhook.NewEventID(now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id, fmt.Sprintf(`{"EventId":%q,"Timestamp":%q,"Changes":["name"],"Event":"contact.changed","PrimaryKey":7,"Entity":"contact",`+
		`"ContextIdentifier":"Default","ChangedByAssociateId":1,"WebhookName":"n","FieldValues":{"name":"Howell"}}`, id, now.Format(time.RFC3339Nano))
}

// relay posts a signed body to the relay and returns the status.
func (p *process) relay(client *http.Client, body string) (status int, err error) {
	req, err := http.NewRequest(http.MethodPost, p.base+"/in/v1/crm", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-SuperOffice-Signature", signatureOf([]byte(body)))
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, err
}

// A relay is killed under load, again and again: no event that it accepted is
// lost.
func TestCrash_Relay(t *testing.T) {
	crash(t, func(db *embedded.DB) { putRelay(t, db) }, func(p *process, client *http.Client) (webhook.EventID, error) {
		id, body := relayed(t)
		status, err := p.relay(client, body)
		if err != nil || status != http.StatusOK {
			return "", err
		}
		return id, nil
	})
}

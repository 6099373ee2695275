package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

// relays posts to the relay from several clients at once until stop is closed,
// and returns the events for which the response was 200.
func (p *process) relays(t *testing.T, stop <-chan struct{}) (accepted []webhook.EventID) {
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id, body := relayed(t)
				status, err := p.relay(client, body)
				if err != nil {
					return // killed: whether the event was stored is not known
				}
				if status == http.StatusOK {
					mu.Lock()
					accepted = append(accepted, id)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return accepted
}

// A relay is killed under load, again and again: no event that it accepted is
// lost.
func TestCrash_Relay(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	target := &tally{posts: map[webhook.EventID]int{}, changed: make(chan struct{})}
	server := httptest.NewServer(target)
	defer server.Close()
	dir := t.TempDir()
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	putRelay(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	p := launch(t, binary, dir)
	webhookBody, err := json.Marshal(map[string]any{"Events": []string{"*"}, "TargetUrl": server.URL, "Secret": "ea"})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.post(http.DefaultClient, "/api/v1/Webhook", string(webhookBody)) //nolint:bodyclose // post closes it
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("create: %v, %v", resp, err)
	}
	var accepted []webhook.EventID
	for n := range *crashes {
		stop := make(chan struct{})
		posted := make(chan []webhook.EventID)
		go func() { posted <- p.relays(t, stop) }()
		<-time.After(time.Duration(50+mathrand.IntN(400)) * time.Millisecond)
		p.kill(t)
		close(stop)
		accepted = append(accepted, <-posted...)

		p = launch(t, binary, dir)
		took := recovered(t, target, accepted)
		t.Logf("crash %d: %d events accepted so far, all delivered %v after the restart", n+1, len(accepted), took.Round(time.Millisecond))
	}
	if len(accepted) == 0 {
		t.Error("no POST was accepted")
	}
	p.interrupt(t)
}

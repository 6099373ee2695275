package ingest_test

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const order = `{"type":"order.placed","timestamp":"2026-11-24T07:58:00Z","data":{"b":1.50,"a":"ø"}}`

// standard returns the headers of a message as the official library signs it.
func standard(t *testing.T, secret, id, body string, at time.Time) (headers []string, signature string) {
	t.Helper()
	library, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if signature, err = library.Sign(id, at, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return []string{"webhook-id: " + id, "webhook-timestamp: " + strconv.FormatInt(at.Unix(), 10)}, signature
}

func TestRelay_StandardWebhooks(t *testing.T) {
	t.Parallel()
	const id, list = "msg_1", "webhook-signature: "
	headers, good := standard(t, newer, id, order, now)
	_, bad := standard(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte("another secret")), id, order, now)
	at := func(d time.Duration) []string {
		headers, signature := standard(t, newer, id, order, now.Add(d))
		return append(headers, list+signature)
	}
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"signed":                       {append(headers, list+good), 200},
		"five minutes ago":             {at(-5 * time.Minute), 200},
		"five minutes ahead":           {at(5 * time.Minute), 200},
		"older":                        {at(-5*time.Minute - time.Second), 401},
		"further ahead":                {at(5*time.Minute + time.Second), 401},
		"among others":                 {append(headers, list+"v1a,xx "+bad+" "+good), 200},
		"another's":                    {append(headers, list+bad), 401},
		"a version that is not read":   {append(headers, list+strings.Replace(good, "v1,", "v2,", 1)), 401},
		"an empty list":                {append(headers, list), 401},
		"none":                         {headers, 401},
		"no id":                        {[]string{headers[1], list + good}, 401},
		"no timestamp":                 {[]string{headers[0], list + good}, 401},
		"another timestamp":            {[]string{headers[0], headers[1] + "0", list + good}, 401},
		"a date":                       {[]string{headers[0], "webhook-timestamp: 2026-11-24T08:00:00Z", list + good}, 401},
		"a repeated list":              {append(headers, list+good, list+good), 401},
		"a list that a gateway joined": {append(headers, list+good+","+bad+" "+good), 401},
		"a repeated id":                {append(headers, headers[0], list+good), 401},
		"SuperOffice's signature":      {append(headers, signed(newer, order)), 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			w := b.post("/in/v1/shop", order, c.headers...)
			events := b.events("Acme")
			if w.Code != c.status || (len(events) == 1) != (c.status == 200) {
				t.Fatalf("got %d %s and %d events, want %d", w.Code, w.Body, len(events), c.status)
			}
			for _, e := range events {
				if e.Name != "order.placed" || e.Content.SourceEvent != id || e.Content.Source != "/in/shop" || string(e.Content.FieldValues) != `{"b":1.50,"a":"ø"}` || e.PublicID() != string(e.ID) {
					t.Errorf("got %+v %+v", e, e.Content)
				}
			}
		})
	}
}

// A sender's own retry is signed at another time and stays the same event.
func TestRelay_StandardWebhooksRetry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 3 {
		headers, signature := standard(t, newer, "msg_1", order, b.clock.Now())
		if w := b.post("/in/v1/shop", order, append(headers, "webhook-signature: "+signature)...); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		b.clock.Advance(13 * time.Hour)
	}
	if got := len(b.events("Acme")); got != 1 {
		t.Errorf("got %d events, want 1", got)
	}
}

func TestRelay_StandardWebhooksRotate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.rotate("shop", webhook.SecretDocument{
		Current: webhook.NewSecret("whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret"))), Previous: webhook.NewSecret(newer), PreviousUntil: now.Add(time.Hour),
	})
	headers, signature := standard(t, newer, "msg_1", order, now)
	if w := b.post("/in/v1/shop", order, append(headers, "webhook-signature: "+signature)...); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if got := b.counts("shop"); got.Made != 1 || got.Skipped[source.ReasonID] != 0 {
		t.Errorf("counts %+v", got)
	}
}

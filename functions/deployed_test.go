// Package functions_test calls a deployed Posthaste at its gateway and looks at
// what comes out. It runs where DEPLOYED_URL is set; `make test-aws` sets it.
package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// deployment is the service under test, from outside.
type deployment struct {
	t         *testing.T
	url, host string
	database  *dynamodb.Client
	queues    *sqs.Client
}

func deployed(t *testing.T) *deployment {
	t.Helper()
	if os.Getenv("DEPLOYED_URL") == "" {
		t.Skip("DEPLOYED_URL is not set: make test-aws deploys and sets it")
	}
	cfg, err := awsenv.Config(os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return &deployment{
		t: t, url: os.Getenv("DEPLOYED_URL"), host: os.Getenv("DEPLOYED_HOST"),
		database: dynamodb.NewFromConfig(cfg), queues: sqs.NewFromConfig(cfg),
	}
}

// call makes a call with the first credential. path stands as it is sent.
func (d *deployment) call(method, path, contentType string, body []byte, edit ...func(*http.Request)) (int, http.Header, []byte) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, d.url+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if d.host != "" {
		r.Host = d.host
	}
	r.SetBasicAuth("tje0", "Tje0")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for _, f := range edit {
		f(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, data
}

// create makes a webhook and returns its id.
func (d *deployment) create(event, target, secret string) int32 {
	d.t.Helper()
	body := fmt.Sprintf(`{"Name": "deployed", "Events": [%q], "TargetUrl": %q, "Secret": %q}`, event, target, secret)
	status, _, data := d.call(http.MethodPost, "/api/v1/Webhook", "application/json", []byte(body))
	if status/100 != 2 {
		d.t.Fatalf("create: got %d %s", status, data)
	}
	return webhookID(d.t, data)
}

func webhookID(t *testing.T, data []byte) int32 {
	t.Helper()
	var w struct{ WebhookId int32 } //nolint:revive // the wire's spelling
	if err := json.Unmarshal(data, &w); err != nil || w.WebhookId == 0 {
		t.Fatalf("no WebhookId in %s (%v)", data, err)
	}
	return w.WebhookId
}

func (d *deployment) signal(event string) {
	d.t.Helper()
	status, _, data := d.call(http.MethodPost, "/api/v1/Webhook/"+event+"/7", "application/json", []byte(`{"name": "Blåbær AS"}`))
	if status/100 != 2 {
		d.t.Fatalf("signal: got %d %s", status, data)
	}
}

// eventually polls, since nothing here can tell when the other side is done.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-ticker.C {
		if holds() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// receiverAddress is where targets of these tests listen: a loopback address
// that the deployment was told to allow, other than the one of Lambda's Runtime
// API, which no setting allows.
const receiverAddress = "127.0.0.2:0"

// target is a receiver on this machine that answers each POST with the
// next of its statuses, and all further ones with the last.
type target struct {
	*httptest.Server
	mu       sync.Mutex
	received []*http.Request
	bodies   [][]byte
}

func newTarget(t *testing.T, statuses ...int) *target {
	t.Helper()
	target := &target{}
	listener, err := net.Listen("tcp", receiverAddress)
	if err != nil {
		t.Fatal(err)
	}
	target.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		target.mu.Lock()
		status := statuses[min(len(target.received), len(statuses)-1)]
		target.received, target.bodies = append(target.received, r), append(target.bodies, body)
		target.mu.Unlock()
		w.WriteHeader(status)
	}))
	_ = target.Listener.Close()
	target.Listener = listener
	target.Start()
	t.Cleanup(target.Close)
	return target
}

func (g *target) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.received)
}

func (d *deployment) row(id int32, event string) webhook.Delivery {
	d.t.Helper()
	store := dynamo.New(d.database, dynamo.Tables{Deliveries: os.Getenv("DELIVERIES_TABLE")}, dynamo.Options{Now: time.Now})
	row, err := store.Deliveries().Get(d.t.Context(), webhook.DeliveryKey{Tenant: "Default", Webhook: id, Event: webhook.EventID(event)})
	if err != nil {
		return webhook.Delivery{}
	}
	return row
}

func (d *deployment) waiting(queue string) int {
	d.t.Helper()
	out, err := d.queues.GetQueueAttributes(d.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(os.Getenv(queue)), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	total := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible"} {
		var n int
		_, _ = fmt.Sscan(out.Attributes[name], &n)
		total += n
	}
	return total
}

func TestDeployed_SignalledEventArrivesSigned(t *testing.T) {
	d := deployed(t)
	const secret = "Something Super Secret"
	receiver := newTarget(t, http.StatusOK)
	id := d.create("deployed.signed", receiver.URL+"/in", secret)
	d.signal("deployed.signed")
	eventually(t, "the signed POST", func() bool { return receiver.count() > 0 })
	r, body := receiver.received[0], receiver.bodies[0]
	if !signature.VerifySuperOffice(webhook.NewSecret(secret).Reveal(), body, r.Header.Get("X-SuperOffice-Signature")) {
		t.Error("the SuperOffice signature does not verify")
	}
	if !bytes.Contains(body, []byte("Blåbær AS")) {
		t.Errorf("body %s", body)
	}
	eventID := r.Header.Get("Webhook-Id")
	eventually(t, "the row of the delivery", func() bool { return d.row(id, eventID).Status == webhook.StatusDelivered })

	status, _, data := d.call(http.MethodDelete, fmt.Sprintf("/api/v1/Webhook/%d", id), "", nil)
	if status/100 != 2 {
		t.Fatalf("delete: %d %s", status, data)
	}
	if status, _, _ := d.call(http.MethodGet, fmt.Sprintf("/api/v1/Webhook/%d", id), "", nil); status != http.StatusNotFound {
		t.Errorf("a deleted webhook answers %d", status)
	}
}

func TestDeployed_RotatedSecretSignsAtOnce(t *testing.T) {
	d := deployed(t)
	receiver := newTarget(t, http.StatusOK)
	id := d.create("deployed.rotated", receiver.URL+"/in", "the first secret")
	path := fmt.Sprintf("/api/v1/Webhook/%d", id)
	for i, secret := range []string{"the second secret", "the third secret"} {
		body := fmt.Sprintf(`{"Name": "rotated", "Events": ["deployed.rotated"], "TargetUrl": %q, "Secret": %q, "State": 1}`, receiver.URL+"/in", secret)
		if status, _, data := d.call(http.MethodPut, path, "application/json", []byte(body)); status != http.StatusOK {
			t.Fatalf("rotate: %d %s", status, data)
		}
		d.signal("deployed.rotated")
		eventually(t, "the POST", func() bool { return receiver.count() > i })
		if !signature.VerifySuperOffice(secret, receiver.bodies[i], receiver.received[i].Header.Get("X-SuperOffice-Signature")) {
			t.Errorf("POST %d is not signed with %q", i+1, secret)
		}
	}
	d.call(http.MethodDelete, path, "", nil)
}

func TestDeployed_FailingTargetLeavesAPendingRowAndNoFailedBatch(t *testing.T) {
	d := deployed(t)
	failing, healthy := newTarget(t, http.StatusInternalServerError), newTarget(t, http.StatusOK)
	before := d.waiting("DELIVERY_QUEUE_URL")
	failed := d.create("deployed.failing", failing.URL, "s1")
	other := d.create("deployed.failing", healthy.URL, "s2")
	d.signal("deployed.failing")
	eventually(t, "both POSTs", func() bool { return failing.count() > 0 && healthy.count() > 0 })
	id := healthy.received[0].Header.Get("Webhook-Id")
	eventually(t, "a pending row", func() bool {
		row := d.row(failed, id)
		return row.Status == webhook.StatusPending && row.Attempt == 1 && row.Attempts[0].StatusCode == http.StatusInternalServerError
	})
	eventually(t, "a delivered row beside it", func() bool { return d.row(other, id).Status == webhook.StatusDelivered })
	eventually(t, "a message for the next attempt", func() bool { return d.waiting("DELIVERY_QUEUE_URL") > before })

	// A batch that had failed would come again within a second: the next event
	// arrives, and the first one once only.
	d.signal("deployed.failing")
	eventually(t, "the next event", func() bool { return healthy.count() >= 2 })
	if healthy.count() != 2 {
		t.Errorf("%d POSTs for 2 events", healthy.count())
	}
	d.call(http.MethodDelete, fmt.Sprintf("/api/v1/Webhook/%d", failed), "", nil)
	d.call(http.MethodDelete, fmt.Sprintf("/api/v1/Webhook/%d", other), "", nil)
}

func TestDeployed_FailedAttemptIsMadeAgain(t *testing.T) {
	d := deployed(t)
	receiver := newTarget(t, http.StatusServiceUnavailable, http.StatusOK)
	id := d.create("deployed.again", receiver.URL, "s")
	d.signal("deployed.again")
	eventually(t, "the second attempt", func() bool { return receiver.count() == 2 })
	event := receiver.received[0].Header.Get("Webhook-Id")
	if again := receiver.received[1].Header.Get("Webhook-Id"); again != event {
		t.Errorf("the second attempt has the id %s, the first one %s", again, event)
	}
	eventually(t, "the row of the delivery", func() bool {
		row := d.row(id, event)
		return row.Status == webhook.StatusDelivered && row.AttemptCount == 2
	})
	d.call(http.MethodDelete, fmt.Sprintf("/api/v1/Webhook/%d", id), "", nil)
}

func TestDeployed_GoneTargetDisablesItsWebhook(t *testing.T) {
	d := deployed(t)
	gone := newTarget(t, http.StatusGone)
	id := d.create("deployed.gone", gone.URL, "s")
	d.signal("deployed.gone")
	path := fmt.Sprintf("/api/v1/Webhook/%d", id)
	eventually(t, "state TooManyErrors", func() bool {
		_, _, data := d.call(http.MethodGet, path, "", nil)
		return bytes.Contains(data, []byte(`"State":3`)) || bytes.Contains(data, []byte(`"State":"TooManyErrors"`))
	})
	d.call(http.MethodDelete, path, "", nil)
}

func TestDeployed_UnreadableRecordIsPutAside(t *testing.T) {
	d := deployed(t)
	before := d.waiting("DEAD_LETTER_QUEUE_URL")
	_, err := d.database.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String(os.Getenv("EVENTS_TABLE")),
		Item: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "T#Default#0"}, "sk": &types.AttributeValueMemberS{Value: fmt.Sprint("no event ", time.Now().UnixNano())},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record in the dead-letter queue", func() bool { return d.waiting("DEAD_LETTER_QUEUE_URL") > before })
}

func TestDeployed_OddInputThroughTheGateway(t *testing.T) {
	d := deployed(t)
	tests := []struct {
		name, method, path, contentType string
		body                            []byte
		edit                            func(*http.Request)
		want                            int
	}{
		{"a health check needs no credential", http.MethodGet, "/healthz", "", nil, func(r *http.Request) { r.Header.Del("Authorization") }, 200},
		{"no credential", http.MethodGet, "/api/v1/Webhook", "", nil, func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		{"a wrong password", http.MethodGet, "/api/v1/Webhook", "", nil, func(r *http.Request) { r.SetBasicAuth("tje0", "no") }, 401},
		{"a path in other letter case with a slash at its end", http.MethodGet, "/API/v1/webhook/", "", nil, nil, 200},
		{"a query", http.MethodGet, "/api/v1/Webhook?%24top=1&x=a%26b", "", nil, nil, 200},
		{"cookies", http.MethodGet, "/api/v1/Webhook/default", "", nil, func(r *http.Request) { r.Header.Set("Cookie", "a=1; b=2") }, 200},
		{"an encoded slash, which the gateway decodes", http.MethodGet, "/api/v1/Webhook/7%2F8", "", nil, nil, 405},
		{"an encoded percent sign", http.MethodGet, "/api/v1/Webhook/50%25%20off", "", nil, nil, 404},
		{"an unknown path", http.MethodGet, "/nowhere", "", nil, nil, 404},
		{"no JSON", http.MethodPost, "/api/v1/Webhook", "application/json", []byte("{"), nil, 400},
		{"bytes that are no text", http.MethodPost, "/api/v1/Webhook", "application/octet-stream", []byte{0xff, 0xfe, 0, 1}, nil, 415},
		{"JSON that is no UTF-8", http.MethodPost, "/api/v1/Webhook", "application/json", []byte("{\"Name\":\"\xff\"}"), nil, 400},
		{"every fault at once", http.MethodPost, "/api/v1/Webhook", "application/json", []byte(`{"Events": [], "TargetUrl": "ftp://x"}`), nil, 400},
		{"over 1 MiB", http.MethodPost, "/api/v1/Webhook", "application/json", []byte(`{"Name": "` + strings.Repeat("x", 1<<20) + `"}`), nil, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edit := tt.edit
			if edit == nil {
				edit = func(*http.Request) {}
			}
			got, header, data := (&deployment{t: t, url: d.url, host: d.host}).call(tt.method, tt.path, tt.contentType, tt.body, edit)
			if got != tt.want {
				t.Errorf("got %d, want %d: %.300s", got, tt.want, data)
			}
			if got >= 400 && !bytes.Contains(data, []byte(`"ErrorSource":"Posthaste"`)) {
				t.Errorf("the error is not in our shape: %q %.300s", header.Get("Content-Type"), data)
			}
		})
	}
}

// Package functions_test calls a deployed Posthaste through its gateway and checks
// the results. It runs if DEPLOYED_URL is set; `make test-aws` sets it.
package functions_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// tenant is the first credential's tenant.
const tenant webhook.Tenant = "Default"

// deployment is the service under test, seen from outside.
type deployment struct {
	t         *testing.T
	url, host string
	store     *dynamo.Store
	database  *dynamodb.Client
	queues    *sqs.Client
	functions *lambda.Client
	secrets   *secretsmanager.Client
	buckets   *s3.Client
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
	database := dynamodb.NewFromConfig(cfg)
	tables := dynamo.Tables{Webhooks: os.Getenv("WEBHOOKS_TABLE"), Events: os.Getenv("EVENTS_TABLE"), Deliveries: os.Getenv("DELIVERIES_TABLE")}
	return &deployment{
		t: t, url: os.Getenv("DEPLOYED_URL"), host: os.Getenv("DEPLOYED_HOST"),
		store: dynamo.New(database, tables, dynamo.Options{Now: time.Now, Random: rand.Reader}), database: database,
		queues: sqs.NewFromConfig(cfg), functions: lambda.NewFromConfig(cfg), secrets: secretsmanager.NewFromConfig(cfg),
		buckets: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// call makes a call with the first credential. path is sent unchanged.
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

// create creates a webhook and returns its id.
func (d *deployment) create(event, target, secret string) int32 {
	d.t.Helper()
	body := fmt.Sprintf(`{"Name": "deployed", "Events": [%q], "TargetUrl": %q, "Secret": %q}`, event, target, secret)
	status, _, data := d.call(http.MethodPost, "/api/v1/Webhook", "application/json", []byte(body))
	if status/100 != 2 {
		d.t.Fatalf("create: got %d %s", status, data)
	}
	var w struct{ WebhookId int32 } //nolint:revive // the wire's spelling
	if err := json.Unmarshal(data, &w); err != nil || w.WebhookId == 0 {
		d.t.Fatalf("no WebhookId in %s (%v)", data, err)
	}
	return w.WebhookId
}

func path(id int32) string { return fmt.Sprintf("/api/v1/Webhook/%d", id) }

func (d *deployment) remove(id int32) { d.call(http.MethodDelete, path(id), "", nil) }

// inSeconds makes a webhook's deliveries retry within seconds.
func (d *deployment) inSeconds(id int32) {
	d.t.Helper()
	w, err := d.store.Webhooks().Get(d.t.Context(), tenant, id)
	if err != nil {
		d.t.Fatal(err)
	}
	w.Options.Policy, w.Revision = webhook.PolicySuperOffice, w.Revision+1
	if err := d.store.Webhooks().Update(d.t.Context(), w, webhook.Change{}); err != nil {
		d.t.Fatal(err)
	}
}

// signal signals an event and returns its id.
func (d *deployment) signal(event string) webhook.EventID {
	d.t.Helper()
	status, header, data := d.call(http.MethodPost, "/api/v1/Webhook/"+event+"/7", "application/json", []byte(`{"name": "Blåbær AS"}`))
	if status/100 != 2 {
		d.t.Fatalf("signal: got %d %s", status, data)
	}
	return webhook.EventID(header.Get("X-Superoffice-Eventid"))
}

// earn delivers one event to a webhook, so that DeliverFunction itself makes its
// next first attempts. It waits, because DeliverFunction caches a webhook's health
// for five seconds.
func (d *deployment) earn(id int32, event string) {
	d.t.Helper()
	d.signal(event)
	d.earned(id)
}

func (d *deployment) earned(id int32) {
	d.t.Helper()
	eventually(d.t, "a success, which earns the fast lane", func() bool {
		h, err := d.store.Webhooks().Health(d.t.Context(), tenant, []int32{id})
		return err == nil && !h[id].LastOK.IsZero() && time.Since(h[id].LastOK) > 6*time.Second
	})
}

// past returns an event that has been delivered to its only webhook, which is
// deleted again.
func (d *deployment) past(event string) webhook.EventID {
	d.t.Helper()
	witness := newTarget(d.t, http.StatusOK)
	id := d.create(event, witness.URL, "s")
	defer d.remove(id)
	e := d.signal(event)
	eventually(d.t, "the event at the first webhook", func() bool { return d.row(id, e).Status == delivery.StatusDelivered })
	return e
}

var patience = flag.Duration("patience", 30*time.Second, "how long the deployed service may take for a step that is normally quick")

// eventually polls, because the service does not report when it is done.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, *patience, what, holds)
}

func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(limit); ; <-ticker.C {
		if holds() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// receiverAddress is where these tests' targets listen: a loopback address that
// the deployment's settings allow. It is not that of Lambda's Runtime API, which
// no setting allows.
const receiverAddress = "127.0.0.2:0"

// target is a receiver on this machine that responds to each POST with the next of
// its statuses, and with the last one from then on.
type target struct {
	*httptest.Server
	// slow delays each response, in nanoseconds.
	slow     atomic.Int64
	mu       sync.Mutex
	received []*http.Request
	bodies   [][]byte
}

func newTarget(t *testing.T, statuses ...int) *target {
	t.Helper()
	g := downTarget(t, receiverAddress, statuses...)
	g.Start()
	return g
}

// downTarget returns a target with an address that does not respond before Start.
func downTarget(t *testing.T, address string, statuses ...int) *target {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	g := &target{}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		status := statuses[min(len(g.received), len(statuses)-1)]
		g.received, g.bodies = append(g.received, r), append(g.bodies, body)
		g.mu.Unlock()
		if slow := time.Duration(g.slow.Load()); slow > 0 {
			select {
			case <-r.Context().Done():
			case <-time.After(slow):
			}
		}
		w.WriteHeader(status)
	}))
	_ = g.Listener.Close()
	g.Listener = listener
	t.Cleanup(g.Close)
	return g
}

func (g *target) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.received)
}

func (g *target) header(i int, name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.received[i].Header.Get(name)
}

// row returns a delivery, zero if it does not exist.
func (d *deployment) row(id int32, event webhook.EventID) delivery.Row {
	d.t.Helper()
	row, err := d.store.Deliveries().Get(d.t.Context(), delivery.Key{Tenant: tenant, Webhook: id, Event: event})
	if err != nil {
		return delivery.Row{}
	}
	return row
}

// waiting counts a queue's messages, visible or not.
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

// send puts a message into a queue.
func (d *deployment) send(queue, body string) {
	d.t.Helper()
	_, err := d.queues.SendMessage(d.t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(os.Getenv(queue)), MessageBody: &body})
	if err != nil {
		d.t.Fatal(err)
	}
}

// sweep runs SweepFunction now, in addition to its schedule.
func (d *deployment) sweep() {
	d.t.Helper()
	out, err := d.functions.Invoke(d.t.Context(), &lambda.InvokeInput{FunctionName: aws.String(os.Getenv("SWEEP_FUNCTION")), Payload: []byte(`{}`)})
	if err != nil {
		d.t.Fatal(err)
	}
	if out.FunctionError != nil {
		d.t.Fatalf("the sweep failed: %s", out.Payload)
	}
}

// swept runs the sweep until a bucket no longer has an object. One that was empty is
// listed in every fifth minute only.
func (d *deployment) swept(bucket, key *string) {
	d.t.Helper()
	var next time.Time
	within(d.t, 6*time.Minute, "the object is gone", func() bool {
		if time.Now().After(next) {
			d.sweep()
			next = time.Now().Add(20 * time.Second)
		}
		_, err := d.buckets.HeadObject(d.t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key})
		return err != nil
	})
}

// withoutQueue keeps messages from RetryFunction while do runs.
func (d *deployment) withoutQueue(do func()) {
	d.t.Helper()
	list, err := d.functions.ListEventSourceMappings(d.t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(os.Getenv("RETRY_FUNCTION"))})
	if err != nil || len(list.EventSourceMappings) != 2 { // of the queue lane and of the slow lane
		d.t.Fatalf("%d mappings of RetryFunction: %v", len(list.EventSourceMappings), err)
	}
	enable := func(enabled bool) {
		for _, mapping := range list.EventSourceMappings {
			_, err := d.functions.UpdateEventSourceMapping(context.WithoutCancel(d.t.Context()), &lambda.UpdateEventSourceMappingInput{
				UUID: mapping.UUID, Enabled: &enabled,
			})
			if err != nil {
				d.t.Fatal(err)
			}
		}
	}
	enable(false)
	defer enable(true)
	do()
}

package functions_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// told is an operational event as the rule of the bus hands it to its queue.
type told struct {
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Detail     struct {
		Stack     string
		WebhookID int32 `json:"WebhookId"`
		Name      string
		Host      string
		Error     string
		Status    int
		Advice    string
	} `json:"detail"`
}

// operations takes what comes to the queue. Tests run in parallel, so each looks
// at all that any of them has taken.
var operations struct {
	sync.Mutex
	all []told
}

// afterAFailure is how long a function may take to put an event again that it
// could not put, on a machine so busy that a call takes more than 1.5 s. It does
// so at the end of an invocation.
const afterAFailure = 70 * time.Second

// operational waits for an operational event. invoke has the function invoked that
// puts it.
func (d *deployment) operational(what string, invoke func(), is func(told) bool) (found told) {
	d.t.Helper()
	queue := aws.String(os.Getenv("OPERATIONS_QUEUE_URL"))
	invoked := time.Now()
	within(d.t, *patience+afterAFailure, what, func() bool {
		if time.Since(invoked) > 10*time.Second {
			invoke()
			invoked = time.Now()
		}
		operations.Lock()
		defer operations.Unlock()
		out, err := d.queues.ReceiveMessage(d.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: 10})
		if err != nil {
			d.t.Fatal(err)
		}
		for _, m := range out.Messages {
			var e told
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				d.t.Fatalf("%s: %v", *m.Body, err)
			}
			operations.all = append(operations.all, e)
			if _, err := d.queues.DeleteMessage(d.t.Context(), &sqs.DeleteMessageInput{QueueUrl: queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				d.t.Fatal(err)
			}
		}
		for _, e := range operations.all {
			if is(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// letter sends a queue a message for a webhook that does not exist.
func (d *deployment) letter(queue string) {
	d.t.Helper()
	id, err := webhook.NewEventID(time.Now(), rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	d.send(queue, delivery.EncodeMessage(delivery.Message{Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: 1 << 30, Event: id, Round: 1, Attempt: 1}))
}

// RetryFunction makes the first attempt of a new webhook, DeliverFunction that of
// one which has earned the fast lane.
func TestDeployed_ADisabledWebhookIsToldOnTheBus(t *testing.T) {
	for function, first := range map[string][]int{"retry": {http.StatusGone}, "deliver": {http.StatusOK, http.StatusGone}} {
		t.Run(function, func(t *testing.T) {
			d := deployed(t)
			t.Parallel()
			receiver, event := newTarget(t, first...), "deployed.gone_"+function
			id := d.create(event, receiver.URL+"/in?token=secret", "s")
			defer d.remove(id)
			if len(first) > 1 {
				d.earn(id, event)
			}
			d.signal(event)
			invoke := map[string]func(){"deliver": func() { d.signal("deployed.nothing") }, "retry": func() { d.letter("DELIVERY_QUEUE_URL") }}
			e := d.operational("the event of the disabled webhook", invoke[function], func(e told) bool { return e.DetailType == "Webhook Disabled" && e.Detail.WebhookID == id })
			if e.Source != "posthaste.operations" || e.Detail.Name != "deployed" || "http://"+e.Detail.Host != receiver.URL || e.Detail.Status != http.StatusGone || e.Detail.Error != "status" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestDeployed_ADeadLetterIsToldOnTheBus(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	d.letter("DEAD_LETTER_QUEUE_URL")
	d.sweep()
	d.operational("the event of the dead letter", d.sweep, func(e told) bool { return e.DetailType == "Dead Letter" && e.Detail.Error == "received_too_often" })
}

package functions_test

import (
	"encoding/json"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

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

// operational waits for an operational event.
func (d *deployment) operational(what string, is func(told) bool) (found told) {
	d.t.Helper()
	queue := aws.String(os.Getenv("OPERATIONS_QUEUE_URL"))
	eventually(d.t, what, func() bool {
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
			e := d.operational("the event of the disabled webhook", func(e told) bool { return e.DetailType == "Webhook Disabled" && e.Detail.WebhookID == id })
			if e.Source != "posthaste.operations" || e.Detail.Name != "deployed" || "http://"+e.Detail.Host != receiver.URL || e.Detail.Status != http.StatusGone || e.Detail.Error != "status" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestDeployed_ADeadLetterIsToldOnTheBus(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	d.send("DEAD_LETTER_QUEUE_URL", webhook.EncodeMessage(webhook.Message{
		Kind: webhook.MessageAttempt, Tenant: tenant, Webhook: 1 << 30, Event: d.past("deployed.told"), Round: 1, Attempt: 1,
	}))
	d.sweep()
	d.operational("the event of the dead letter", func(e told) bool { return e.DetailType == "Dead Letter" && e.Detail.Error == "received_too_often" })
}

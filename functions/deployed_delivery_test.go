package functions_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestDeployed_FirstAttemptNeedsNoQueue(t *testing.T) {
	d := deployed(t)
	receiver := newTarget(t, http.StatusOK)
	id := d.create("deployed.first", receiver.URL, "a secret")
	defer d.remove(id)
	d.earn(id, "deployed.first")
	d.withoutQueue(func() {
		event := d.signal("deployed.first")
		eventually(t, "the row of the delivery", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
		if !signature.VerifySuperOffice("a secret", receiver.bodies[1], receiver.header(1, "X-SuperOffice-Signature")) {
			t.Error("the signature does not verify")
		}
	})
}

func TestDeployed_FailingTargetLeavesAPendingRowAndNoFailedBatch(t *testing.T) {
	d := deployed(t)
	failing, healthy := newTarget(t, http.StatusOK, http.StatusInternalServerError), newTarget(t, http.StatusOK)
	failed := d.create("deployed.failing", failing.URL, "s1")
	defer d.remove(failed)
	other := d.create("deployed.failing", healthy.URL, "s2")
	defer d.remove(other)
	d.earn(failed, "deployed.failing")
	d.earned(other)
	d.withoutQueue(func() {
		before := d.waiting("DELIVERY_QUEUE_URL")
		event := d.signal("deployed.failing")
		eventually(t, "both POSTs", func() bool { return failing.count() == 2 && healthy.count() == 2 })
		eventually(t, "a pending row", func() bool {
			row := d.row(failed, event)
			return row.Status == delivery.StatusPending && row.Attempt == 1 && row.Attempts[0].StatusCode == http.StatusInternalServerError
		})
		eventually(t, "a delivered row of the other webhook", func() bool { return d.row(other, event).Status == delivery.StatusDelivered })
		eventually(t, "a message for the next attempt", func() bool { return d.waiting("DELIVERY_QUEUE_URL") > before })

		// A failed batch would be sent again within a second: the next event
		// arrives, and the first one only once.
		d.signal("deployed.failing")
		eventually(t, "the next event", func() bool { return healthy.count() >= 3 })
		if healthy.count() != 3 {
			t.Errorf("%d POSTs for 3 events", healthy.count())
		}
	})
}

func TestDeployed_UnreadableRecordBecomesADeadLetter(t *testing.T) {
	d := deployed(t)
	name := fmt.Sprint("not an event ", time.Now().UnixNano())
	_, err := d.database.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String(os.Getenv("EVENTS_TABLE")),
		Item: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "T#Default#0"}, "sk": &types.AttributeValueMemberS{Value: name},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// As an operator would: receive it, then delete it.
	letters := aws.String(os.Getenv("DEAD_LETTER_QUEUE_URL"))
	eventually(t, "the record in the dead-letter queue", func() bool {
		out, err := d.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: letters, MaxNumberOfMessages: 10, VisibilityTimeout: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			if bytes.Contains([]byte(*m.Body), []byte(name)) {
				_, err := d.queues.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: letters, ReceiptHandle: m.ReceiptHandle})
				return err == nil
			}
		}
		return false
	})
}

func TestDeployed_TargetThatFailsTwiceThenAccepts(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusOK)
	id := d.create("deployed.twice", receiver.URL, "a secret")
	defer d.remove(id)
	d.inSeconds(id)
	event := d.signal("deployed.twice")
	eventually(t, "the third attempt is delivered", func() bool {
		row := d.row(id, event)
		return row.Status == delivery.StatusDelivered && row.Attempt == 3 && row.AttemptCount == 3
	})
	for i, retry := range []string{"", "1", "2"} {
		if got := receiver.header(i, "X-SuperOffice-Retry"); got != retry {
			t.Errorf("attempt %d has X-SuperOffice-Retry %q, want %q", i+1, got, retry)
		}
		if got := webhook.EventID(receiver.header(i, "Webhook-Id")); got != event {
			t.Errorf("attempt %d has the id %s, want %s", i+1, got, event)
		}
		if !signature.VerifySuperOffice("a secret", receiver.bodies[i], receiver.header(i, "X-SuperOffice-Signature")) {
			t.Errorf("the signature of attempt %d does not verify", i+1)
		}
	}
	_, _, data := d.call(http.MethodGet, path(id), "", nil)
	for _, want := range []string{`"State":"Active"`, `"TotalCalls":3`, `"TotalErrors":2`, `"ConsecutiveErrors":0`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("want %s in %s", want, data)
		}
	}
}

// DeliverFunction disables a webhook that has earned the fast lane, RetryFunction
// any other.
func TestDeployed_TargetThatIsGoneIsStopped(t *testing.T) {
	deployed(t) // or skipped
	for name, statuses := range map[string][]int{"fast": {http.StatusOK, http.StatusGone}, "queued": {http.StatusServiceUnavailable, http.StatusGone}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deployed(t)
			gone, watcher := newTarget(t, statuses...), newTarget(t, http.StatusOK)
			id := d.create("deployed.gone"+name, gone.URL, "s")
			defer d.remove(id)
			d.inSeconds(id)
			watching := d.create(fmt.Sprintf("webhook%d.errors", id), watcher.URL, "s")
			defer d.remove(watching)
			if name == "fast" {
				d.earn(id, "deployed.gone"+name)
			}
			event := d.signal("deployed.gone" + name)
			eventually(t, "state TooManyErrors", func() bool {
				_, _, data := d.call(http.MethodGet, path(id), "", nil)
				return bytes.Contains(data, []byte(`"State":"TooManyErrors"`))
			})
			eventually(t, "a failed row", func() bool { return d.row(id, event).Status == delivery.StatusFailed })
			eventually(t, "the webhook.errors event", func() bool { return watcher.count() > 0 })
			d.signal("deployed.gone" + name)
			d.call(http.MethodGet, path(id), "", nil)
			if gone.count() != len(statuses) {
				t.Errorf("%d POSTs, want %d", gone.count(), len(statuses))
			}
		})
	}
}

func TestDeployed_SlowTargetGetsItsFullTimeFromTheQueue(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	slow := newTarget(t, http.StatusOK)
	id := d.create("deployed.slow", slow.URL, "s")
	defer d.remove(id)
	d.earn(id, "deployed.slow")
	slow.slow.Store(int64(1500*time.Millisecond + time.Second))
	event := d.signal("deployed.slow")
	eventually(t, "delivered", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
	if row := d.row(id, event); row.Attempt != 1 {
		t.Errorf("the fast-lane timeout counts as an attempt: %+v", row)
	}
	if slow.count() != 1+2 {
		t.Errorf("%d POSTs, want one that earned the fast lane, one that timed out and one in full", slow.count())
	}
	// From now on its first attempts are enqueued.
	event = d.signal("deployed.slow")
	eventually(t, "delivered", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
	if slow.count() != 1+2+1 {
		t.Errorf("%d POSTs, want one more", slow.count())
	}
	_, _, data := d.call(http.MethodGet, path(id), "", nil)
	if !bytes.Contains(data, []byte(`"TotalErrors":0`)) {
		t.Errorf("the fast-lane timeout counts as an error: %s", data)
	}
}

// The holder of a lease may have died: the delivery's message becomes visible when
// the lease expires, not after the queue's visibility timeout of 15 minutes.
func TestDeployed_LeaseOfADeadHolderIsTakenOver(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	event := d.past("deployed.held")
	id := d.create("deployed.held", receiver.URL, "s")
	defer d.remove(id)
	now := time.Now()
	key := delivery.Key{Tenant: tenant, Webhook: id, Event: event}
	_, err := d.store.Deliveries().Lease(t.Context(), delivery.Lease{
		Key: key, Round: 1, Attempt: 1, Token: "of the dead", Now: now, Until: now.Add(3 * time.Second), SweepAt: now.Add(time.Hour),
		Seed: delivery.Seed{EventName: "deployed.held", PrimaryKey: 7, ExpiresAt: now.Add(24 * time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.send("DELIVERY_QUEUE_URL", delivery.EncodeMessage(delivery.Message{
		Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: id, Event: event, Round: 1, Attempt: 1,
	}))
	eventually(t, "delivered", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
	if receiver.count() != 1 {
		t.Errorf("%d POSTs", receiver.count())
	}
}

func TestDeployed_StoppedWebhookIsSilentAndGoesOn(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	id := d.create("deployed.stopped", receiver.URL, "s")
	defer d.remove(id)
	state := func(state string) {
		body := fmt.Sprintf(`{"Name": "n", "Events": ["deployed.stopped"], "TargetUrl": %q, "State": %q}`, receiver.URL, state)
		if status, _, data := d.call(http.MethodPut, path(id), "application/json", []byte(body)); status != http.StatusOK {
			t.Fatalf("%s: got %d %s", state, status, data)
		}
	}
	first := d.signal("deployed.stopped")
	eventually(t, "the first event", func() bool { return d.row(id, first).Status == delivery.StatusDelivered })
	state("Stopped")
	missed := d.past("deployed.stopped")
	state("Active")
	last := d.signal("deployed.stopped")
	eventually(t, "the last event", func() bool { return d.row(id, last).Status == delivery.StatusDelivered })
	if row := d.row(id, missed); row.Status == delivery.StatusDelivered {
		t.Errorf("an event signalled while the webhook was stopped was delivered: %+v", row)
	}
}

func TestDeployed_FanOutTo250Webhooks(t *testing.T) {
	d := deployed(t)
	receiver := newTarget(t, http.StatusOK)
	const webhooks = 250
	var ids []int32
	for range webhooks {
		id, err := d.store.Webhooks().NextID(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		err = d.store.Webhooks().Create(t.Context(), webhook.Webhook{
			Tenant: tenant, ID: id, Name: "one of many", Events: []string{"deployed.many"}, TargetURL: fmt.Sprintf("%s/%d", receiver.URL, id),
			State: webhook.StateActive, Revision: 1, Activation: 1, ActivatedAt: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	t.Parallel() // not before: other tests' events could not be matched while webhooks come one after the other
	event := d.signal("deployed.many")
	within(t, time.Minute, "250 POSTs", func() bool { return receiver.count() >= webhooks })
	posts := map[string]int{}
	receiver.mu.Lock()
	for _, r := range receiver.received {
		posts[r.URL.Path]++
	}
	receiver.mu.Unlock()
	for _, id := range ids {
		if posts[fmt.Sprintf("/%d", id)] != 1 {
			t.Errorf("webhook %d got %d POSTs", id, posts[fmt.Sprintf("/%d", id)])
		}
		eventually(t, "its row", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
	}
}

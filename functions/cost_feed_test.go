package functions_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/posthaste-dev/posthaste/pkg/simulation/memdb"
	"github.com/posthaste-dev/posthaste/pkg/simulation/meter"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

const costSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// maxPayload is the most bytes of JSON that Lambda passes to a function at once.
const maxPayload = 6 << 20

// hook creates an active webhook with a secret, for an event. A proven one has earned
// the fast lane.
func (s *costSite) hook(id int32, event string, proven bool) {
	s.t.Helper()
	now := time.Now()
	s.must(s.on.Webhooks.Create(s.t.Context(), webhook.Webhook{
		Tenant: costTenant, ID: id, Name: "Orders", Type: "webhook", Events: []string{event}, TargetURL: "http://hooks.example.com/orders", State: webhook.StateActive,
		Secret: webhook.SecretRef{Name: fmt.Sprintf("posthaste/webhooks/%s/%d/x", costTenant, id), Version: "v"}, Revision: 1, Activation: 1, ActivatedAt: now.Add(-time.Hour), Registered: now, Updated: now,
	}))
	if proven {
		_, err := s.on.Webhooks.UpdateHealth(s.t.Context(), costTenant, id, func(h webhook.Health) webhook.Health {
			return h.Observe(webhook.HealthReport{Activation: 1, At: now, Duration: 100 * time.Millisecond})
		})
		s.must(err)
	}
}

// values returns a JSON object of about n bytes that hardly compresses.
func values(n int) string {
	rnd, b := rand.New(rand.NewPCG(1, uint64(n))), []byte(`{"name":"`)
	for len(b) < n-2 {
		b = append(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[rnd.IntN(64)])
	}
	return string(b) + `"}`
}

// signal signals events by one call each.
func (s *costSite) signal(events, bytes int) {
	s.t.Helper()
	for n := range events {
		s.call("/api/v1/Webhook/order.placed/"+strconv.Itoa(n+1), values(bytes), nil, 204)
	}
}

// stream passes the stored events to DeliverFunction, in batches.
func (s *costSite) stream(batch int) {
	s.t.Helper()
	changes := s.db.Changes(meter.Tables.Events, s.streamed)
	s.streamed += len(changes)
	changes = slices.DeleteFunc(changes, func(c memdb.Change) bool {
		pk, _ := c.Keys["pk"].(*ddb.AttributeValueMemberS)
		return c.EventName != memdb.Insert || !strings.HasPrefix(pk.Value, "T#") // the mapping's filter
	})
	for len(changes) > 0 {
		payload, n := streamBatch(s.t, changes[:min(batch, len(changes))])
		s.invoke("DeliverFunction", s.deliver, payload)
		changes = changes[n:]
		time.Sleep(10 * time.Second) // cached health is too old for the next one
	}
}

// events returns how many items were put into the Events table.
func (s *costSite) events() (n int) {
	for _, c := range s.db.Changes(meter.Tables.Events, 0) {
		if c.EventName == memdb.Insert && strings.HasPrefix(c.Keys["pk"].(*ddb.AttributeValueMemberS).Value, "T#") {
			n++
		}
	}
	return n
}

// streamBatch returns what Lambda passes to the function of a stream, and of how many
// changes: as many as fit.
func streamBatch(t *testing.T, changes []memdb.Change) (payload []byte, n int) {
	t.Helper()
	records, size := []json.RawMessage{}, 0
	for _, c := range changes {
		image := map[string]any{}
		for name, v := range c.NewImage {
			switch v := v.(type) {
			case *ddb.AttributeValueMemberS:
				image[name] = map[string]string{"S": v.Value}
			case *ddb.AttributeValueMemberN:
				image[name] = map[string]string{"N": v.Value}
			case *ddb.AttributeValueMemberB:
				image[name] = map[string][]byte{"B": v.Value}
			default:
				t.Fatalf("an event has an attribute of type %T", v)
			}
		}
		text, err := json.Marshal(map[string]any{"eventName": c.EventName, "eventSource": "aws:dynamodb", "dynamodb": map[string]any{
			"ApproximateCreationDateTime": time.Now().Unix(), "SequenceNumber": fmt.Sprintf("%021d", c.Sequence), "NewImage": image, "StreamViewType": "NEW_IMAGE",
		}})
		if err != nil {
			t.Fatal(err)
		}
		if size += len(text); size > maxPayload {
			break
		}
		records = append(records, text)
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	return payload, len(records)
}

// costQueue is the queues of a site. It counts the calls that are billed.
type costQueue struct {
	site  *costSite
	calls atomic.Int64

	mu      sync.Mutex
	waiting []queued
	sent    int
}

type queued struct {
	body string
	slow bool
	due  time.Time
	n    int
}

func (q *costQueue) SendMessageBatch(_ context.Context, in *awssqs.SendMessageBatchInput, _ ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error) {
	time.Sleep(q.site.milliseconds("queue call ms"))
	q.mu.Lock()
	defer q.mu.Unlock()
	out, size := &awssqs.SendMessageBatchOutput{}, 0
	for _, e := range in.Entries {
		q.sent++
		size += len(*e.MessageBody)
		q.waiting = append(q.waiting, queued{*e.MessageBody, *in.QueueUrl == "slow", time.Now().Add(time.Duration(e.DelaySeconds) * time.Second), q.sent})
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
	}
	q.calls.Add(int64(math.Ceil(float64(size) / (64 << 10))))
	return out, nil
}

func (q *costQueue) ChangeMessageVisibility(context.Context, *awssqs.ChangeMessageVisibilityInput, ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityOutput, error) {
	q.site.t.Error("a message was put off")
	return &awssqs.ChangeMessageVisibilityOutput{}, nil
}

func (q *costQueue) SendMessage(context.Context, *awssqs.SendMessageInput, ...func(*awssqs.Options)) (*awssqs.SendMessageOutput, error) {
	q.site.t.Error("a record was buried")
	return &awssqs.SendMessageOutput{}, nil
}

func (q *costQueue) ReceiveMessage(context.Context, *awssqs.ReceiveMessageInput, ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error) {
	q.calls.Add(1)
	time.Sleep(q.site.milliseconds("queue call ms"))
	return &awssqs.ReceiveMessageOutput{}, nil
}

func (q *costQueue) DeleteMessage(context.Context, *awssqs.DeleteMessageInput, ...func(*awssqs.Options)) (*awssqs.DeleteMessageOutput, error) {
	q.site.t.Error("a dead letter was deleted")
	return &awssqs.DeleteMessageOutput{}, nil
}

// take waits for the next message, and takes up to most of its queue that are due.
func (q *costQueue) take(most int) (batch []queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	first := slices.MinFunc(q.waiting, func(a, b queued) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.n, b.n)) })
	time.Sleep(time.Until(first.due))
	q.waiting = slices.DeleteFunc(q.waiting, func(m queued) bool {
		if len(batch) == most || m.slow != first.slow || m.due.After(time.Now()) {
			return false
		}
		batch = append(batch, m)
		return true
	})
	return batch
}

// work passes messages to RetryFunction, up to most at once, until none are left.
func (s *costSite) work(most int) {
	s.t.Helper()
	for {
		batch := s.queue.take(most)
		if batch == nil {
			return
		}
		records := make([]map[string]any, len(batch))
		for i, m := range batch {
			records[i] = map[string]any{"messageId": strconv.Itoa(m.n), "receiptHandle": strconv.Itoa(m.n), "body": m.body, "attributes": map[string]string{"ApproximateReceiveCount": "1"}}
		}
		payload, err := json.Marshal(map[string]any{"Records": records})
		s.must(err)
		s.invoke("RetryFunction", s.retry, payload)
		s.charge(lineQueue, "queue calls", 2) // Lambda receives and deletes the batch
	}
}

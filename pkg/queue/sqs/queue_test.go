package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/queue/queuetest"
	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// client is a fake SQS with scripted responses.
type client struct {
	send  func(call int, in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error)
	calls []*awssqs.SendMessageBatchInput
	hide  func(in *awssqs.ChangeMessageVisibilityInput) error
}

func (c *client) SendMessageBatch(_ context.Context, in *awssqs.SendMessageBatchInput, _ ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error) {
	c.calls = append(c.calls, in)
	return c.send(len(c.calls), in)
}

func (c *client) ChangeMessageVisibility(_ context.Context, in *awssqs.ChangeMessageVisibilityInput, _ ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityOutput, error) {
	return nil, c.hide(in)
}

// stored is a response that all entries except missing were stored.
func stored(in *awssqs.SendMessageBatchInput, but ...string) *awssqs.SendMessageBatchOutput {
	out := &awssqs.SendMessageBatchOutput{}
	for _, entry := range in.Entries {
		if strings.Contains(" "+strings.Join(but, " ")+" ", " "+*entry.Id+" ") {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: entry.Id})
			continue
		}
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: entry.Id})
	}
	return out
}

func outgoing(n int) []delivery.Outgoing {
	out := make([]delivery.Outgoing, n)
	for i := range out {
		out[i].Message = delivery.Message{
			Kind: delivery.MessageAttempt, Tenant: "Default", Webhook: 7, Round: 1, Attempt: i + 1,
			Event: "01234567-89ab-7fff-bfff-000000000001",
		}
	}
	return out
}

var errDown = errors.New("down, and " + strings.Repeat("quoting the body ", 3))

func TestSend_SaysWhichMessagesWereNotStored(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		messages   int
		send       func(call int, in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error)
		calls      int
		failed     []int
		errIsKnown bool
	}{
		{"no messages, no call", 0, nil, 0, nil, false},
		{"ten go in one call", 10, func(_ int, in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
			return stored(in), nil
		}, 1, nil, false},
		{"entries refused in the second call have their overall index", 25, func(call int, in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
			if call == 2 {
				return stored(in, "3", "0"), nil
			}
			return stored(in), nil
		}, 3, []int{10, 13}, false},
		{"an entry missing from the response was not stored", 2, func(int, *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
			return &awssqs.SendMessageBatchOutput{Successful: []types.SendMessageBatchResultEntry{{Id: aws.String("1")}}}, nil
		}, 1, []int{0}, false},
		{"a call that fails between others fails its own messages", 30, func(call int, in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
			if call == 2 {
				return nil, errDown
			}
			return stored(in), nil
		}, 3, []int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, false},
		{"if all calls fail nothing is known", 11, func(int, *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) { return nil, errDown }, 2, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &client{send: tt.send}
			failed, err := (&sqs.Queue{Client: c, URL: "q"}).Send(t.Context(), outgoing(tt.messages))
			if errors.Is(err, webhook.ErrUnavailable) != tt.errIsKnown || err != nil && strings.Contains(err.Error(), "quoting") {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.failed, failed); diff != "" || len(c.calls) != tt.calls {
				t.Errorf("%d calls, want %d; failed (-want +got):\n%s", len(c.calls), tt.calls, diff)
			}
		})
	}
}

func TestSend_DelaysToTheSecondAndGroupsByTenant(t *testing.T) {
	t.Parallel()
	c := &client{send: func(_ int, in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
		return stored(in), nil
	}}
	out := outgoing(4)
	for i, delay := range []time.Duration{-time.Second, 1200 * time.Millisecond, delivery.MaxDelay, time.Hour} {
		out[i].Delay = delay
	}
	if _, err := (&sqs.Queue{Client: c, URL: "q"}).Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range c.calls[0].Entries {
		got = append(got, fmt.Sprint(*entry.MessageGroupId, " ", entry.DelaySeconds))
	}
	if diff := cmp.Diff([]string{"Default 0", "Default 2", "Default 900", "Default 900"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Messages of the slow lane have a queue of their own. What is not stored is named by
// its position among all messages.
func TestSend_ToTwoQueues(t *testing.T) {
	t.Parallel()
	c := &client{send: func(call int, in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
		return stored(in, "1"), nil
	}}
	out := outgoing(5)
	for i := range out {
		out[i].Message.Slow = i%2 == 1
	}
	failed, err := (&sqs.Queue{Client: c, URL: "q", SlowURL: "s"}).Send(t.Context(), out)
	if diff := cmp.Diff([]int{2, 3}, failed); err != nil || diff != "" {
		t.Errorf("error %v; failed (-want +got):\n%s", err, diff)
	}
	got := map[string]int{}
	for _, call := range c.calls {
		got[*call.QueueUrl] = len(call.Entries)
	}
	if diff := cmp.Diff(map[string]int{"q": 3, "s": 2}, got); diff != "" {
		t.Errorf("messages by queue (-want +got):\n%s", diff)
	}
}

func TestPostpone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		err   error
		fails bool
	}{
		{"a valid receipt", nil, false},
		{"a message that is no longer in flight", &types.MessageNotInflight{}, false},
		{"an invalid receipt", &types.ReceiptHandleIsInvalid{}, false},
		{"a queue that does not respond", errDown, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seconds := int32(0)
			c := &client{hide: func(in *awssqs.ChangeMessageVisibilityInput) error { seconds = in.VisibilityTimeout; return tt.err }}
			err := (&sqs.Queue{Client: c}).Postpone(t.Context(), delivery.Received{Receipt: "r"}, 1500*time.Millisecond)
			if errors.Is(err, webhook.ErrUnavailable) != tt.fails || seconds != 2 {
				t.Errorf("got %v after %d s", err, seconds)
			}
		})
	}
}

// emulator returns a client of the emulator's SQS.
func emulator(t *testing.T) *awssqs.Client {
	t.Helper()
	if os.Getenv("AWS_EMULATOR_ENDPOINT") == "" {
		t.Skip("AWS_EMULATOR_ENDPOINT is not set: make test-aws starts the emulator")
	}
	cfg, err := awsenv.Config(os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseEndpoint = aws.String(os.Getenv("AWS_EMULATOR_ENDPOINT"))
	return awssqs.NewFromConfig(cfg)
}

// newQueue creates a queue and returns its URL.
func newQueue(t *testing.T, real *awssqs.Client, attributes map[string]string) string {
	t.Helper()
	made, err := real.CreateQueue(t.Context(), &awssqs.CreateQueueInput{
		QueueName: aws.String(fmt.Sprint("q-", time.Now().UnixNano())), Attributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.QueueUrl
}

// visibility is longer than the suite's other waits.
const visibility = 4 * time.Second

// The harness receives as Lambda does on AWS, in real time.
func TestConformance_OnTheEmulator(t *testing.T) {
	t.Parallel()
	real := emulator(t)
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		letters := newQueue(t, real, nil)
		attributes, err := real.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &letters, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn}})
		if err != nil {
			t.Fatal(err)
		}
		settings := map[string]string{
			"VisibilityTimeout": fmt.Sprint(visibility.Seconds()),
			"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn": %q, "maxReceiveCount": 3}`, attributes.Attributes["QueueArn"]),
		}
		queue := &sqs.Queue{Client: real, URL: newQueue(t, real, settings), SlowURL: newQueue(t, real, settings)}
		receive := func(t *testing.T, url string, limit int) (received []delivery.Received) {
			t.Helper()
			out, err := real.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
				QueueUrl: &url, MaxNumberOfMessages: int32(limit), MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range out.Messages {
				r := delivery.Received{ID: *m.MessageId, Receipt: *m.ReceiptHandle}
				_, _ = fmt.Sscan(m.Attributes["ApproximateReceiveCount"], &r.Receives)
				if r.Message, err = delivery.DecodeMessage(*m.Body); err != nil {
					r.Undecodable = *m.Body
				}
				received = append(received, r)
			}
			return received
		}
		return queuetest.Harness{
			Queue: queue, Visibility: queue, VisibilityTimeout: visibility, MaxReceives: 3,
			Receive: func(t *testing.T, limit int) []delivery.Received {
				received := receive(t, queue.URL, limit)
				if len(received) < limit {
					received = append(received, receive(t, queue.SlowURL, limit-len(received))...)
				}
				return received
			},
			Ack: func(t *testing.T, received ...delivery.Received) {
				for _, r := range received {
					url := queue.URL
					if r.Message.Slow {
						url = queue.SlowURL
					}
					if _, err := real.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: &r.Receipt}); err != nil {
						t.Fatal(err)
					}
				}
			},
			Advance:     func(d time.Duration) { <-time.After(d) },
			DeadLetters: func(t *testing.T) []delivery.Received { return receive(t, letters, 10) },
		}
	})
}

func TestDeadLetters_OnTheEmulator(t *testing.T) {
	t.Parallel()
	real := emulator(t)
	url := newQueue(t, real, nil)
	letters := &sqs.DeadLetters{Client: real, URL: url}
	want := outgoing(1)
	if failed, err := (&sqs.Queue{Client: real, URL: url}).Send(t.Context(), want); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
	if err := letters.Bury(t.Context(), []byte(`{"no": "event"}`)); err != nil {
		t.Fatal(err)
	}
	got := map[string]delivery.Message{}
	for len(got) < 2 {
		page, err := letters.Receive(t.Context(), 10)
		if err != nil || len(page) == 0 {
			t.Fatalf("got %d letters, then %v", len(got), err)
		}
		for _, letter := range page {
			got[letter.Undecodable] = letter.Message
			if err := letters.Remove(t.Context(), letter.Receipt); err != nil || letter.Receives != 1 {
				t.Errorf("letter received %d times, removed: %v", letter.Receives, err)
			}
		}
	}
	if diff := cmp.Diff(map[string]delivery.Message{"": want[0].Message, `{"no": "event"}`: {}}, got); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	if page, err := letters.Receive(t.Context(), 10); err != nil || len(page) != 0 {
		t.Errorf("after Remove: %v, %v", page, err)
	}
}

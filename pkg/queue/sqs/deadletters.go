package sqs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// DeadLetterClient is the part of *sqs.Client that DeadLetters uses. Burying
// needs only the permission to send.
type DeadLetterClient interface {
	SendMessage(ctx context.Context, in *sqs.SendMessageInput, opts ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, opts ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, opts ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
}

// visibleAgain is how long a received dead letter stays hidden, in seconds: if
// a sweep dies, the next but one gets its letters.
const visibleAgain = 90

// DeadLetters is the queue of messages that were received too often, and of
// unreadable records. Set its fields before use and do not change them
// afterwards. Its methods may be called concurrently.
type DeadLetters struct {
	Client DeadLetterClient
	URL    string
}

// Receive returns up to limit messages, at most ten, or an empty slice, without
// waiting. They stay in the queue, hidden for 90 s, until they are removed. The
// error wraps webhook.ErrUnavailable.
func (d *DeadLetters) Receive(ctx context.Context, limit int) ([]delivery.Received, error) {
	out, err := d.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &d.URL, MaxNumberOfMessages: int32(min(max(limit, 1), batchEntries)), VisibilityTimeout: visibleAgain,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if err != nil {
		return nil, wrap("receive dead letters", err)
	}
	letters := make([]delivery.Received, 0, len(out.Messages))
	for _, m := range out.Messages {
		letter := delivery.Received{ID: aws.ToString(m.MessageId), Receipt: aws.ToString(m.ReceiptHandle)}
		letter.Receives, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"]) // 0 if the queue did not count
		body := aws.ToString(m.Body)
		if letter.Message, err = delivery.DecodeMessage(body); err != nil {
			letter.Message, letter.Undecodable = delivery.Message{}, body
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

// Remove deletes a received message. A message that is already gone is not an
// error.
func (d *DeadLetters) Remove(ctx context.Context, receipt string) error {
	_, err := d.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &d.URL, ReceiptHandle: &receipt})
	if err == nil || goneReceipt(err) {
		return nil
	}
	return wrap("remove a dead letter", err)
}

// Bury stores an unreadable record for an operator to inspect. A stream record
// has at most 400 KB, which fits into a message.
func (d *DeadLetters) Bury(ctx context.Context, raw []byte) error {
	if len(raw) == 0 {
		return fmt.Errorf("bury: %w", webhook.Invalid("the record must not be empty"))
	}
	if _, err := d.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &d.URL, MessageBody: aws.String(string(raw))}); err != nil {
		return wrap("bury an unreadable record", err)
	}
	return nil
}

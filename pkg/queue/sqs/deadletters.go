package sqs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// DeadLetterClient is what DeadLetters needs of an *sqs.Client. A function that
// only buries needs the right to send alone.
type DeadLetterClient interface {
	SendMessage(ctx context.Context, in *sqs.SendMessageInput, opts ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, opts ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, opts ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
}

// visibleAgain is how long a received dead letter stays hidden, in seconds: a
// sweep that dies leaves its letters to the next but one.
const visibleAgain = 90

// DeadLetters is the queue of messages that were received too often, and of
// what could not be read at all. Its fields must be set before use and not
// changed after; its methods may be called concurrently.
type DeadLetters struct {
	Client DeadLetterClient
	URL    string
}

// Receive takes up to limit messages, ten at most; they stay, hidden for 90 s,
// until they are removed. None is an empty slice. It does not wait for any.
// webhook.ErrUnavailable.
func (d *DeadLetters) Receive(ctx context.Context, limit int) ([]webhook.Received, error) {
	out, err := d.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &d.URL, MaxNumberOfMessages: int32(min(max(limit, 1), batchEntries)), VisibilityTimeout: visibleAgain, //nolint:gosec // 1 to 10
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if err != nil {
		return nil, fault("receive dead letters", err)
	}
	letters := make([]webhook.Received, 0, len(out.Messages))
	for _, m := range out.Messages {
		letter := webhook.Received{ID: aws.ToString(m.MessageId), Receipt: aws.ToString(m.ReceiptHandle)}
		letter.Receives, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"]) // 0 where the queue did not count
		body := aws.ToString(m.Body)
		if letter.Message, err = webhook.DecodeMessage(body); err != nil {
			letter.Message, letter.Undecodable = webhook.Message{}, body
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

// Remove forgets a received message. One that is gone already is fine.
func (d *DeadLetters) Remove(ctx context.Context, receipt string) error {
	_, err := d.Client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &d.URL, ReceiptHandle: &receipt})
	if err == nil || goneReceipt(err) {
		return nil
	}
	return fault("remove a dead letter", err)
}

// Bury stores what nobody could read, for a person to look at. A record of a
// stream is at most 400 KB, less than a message may be.
func (d *DeadLetters) Bury(ctx context.Context, raw []byte) error {
	if len(raw) == 0 {
		return fmt.Errorf("bury: %w", webhook.Invalid("nothing to keep"))
	}
	if _, err := d.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &d.URL, MessageBody: aws.String(string(raw))}); err != nil {
		return fault("bury an unreadable record", err)
	}
	return nil
}

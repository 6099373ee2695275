package sqs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

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
		letter.Decode(aws.ToString(m.Body))
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

// Bury stores an unreadable record for an operator to inspect. What a message cannot
// hold is left out: a record of 400 KB can have several times as many bytes in JSON,
// and characters that SQS refuses.
func (d *DeadLetters) Bury(ctx context.Context, raw []byte) error {
	if len(raw) == 0 {
		return fmt.Errorf("bury: %w", webhook.Invalid("the record must not be empty"))
	}
	if _, err := d.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &d.URL, MessageBody: aws.String(legible(raw))}); err != nil {
		return wrap("bury an unreadable record", err)
	}
	return nil
}

// legible returns the beginning of a record, with U+FFFD for what SQS refuses.
func legible(raw []byte) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, string(raw))
	return strings.ToValidUTF8(text[:min(len(text), batchBytes)], "") // without half a character
}

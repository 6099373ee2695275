package sqs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Client is the part of *sqs.Client that Queue uses.
type Client interface {
	SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, opts ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, opts ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
}

const (
	batchEntries = 10
	// batchBytes is below the limit of 1 MiB per call, since the group ids
	// count too.
	batchBytes    = 1000 * 1000
	maxVisibility = 12 * time.Hour
)

// Queue implements delivery.Queue and delivery.Visibility on an SQS queue. Set
// its fields before use and do not change them afterwards. Its methods may be
// called concurrently.
type Queue struct {
	Client Client
	URL    string
}

var (
	_ delivery.Queue      = (*Queue)(nil)
	_ delivery.Visibility = (*Queue)(nil)
)

// Send implements delivery.Queue. It sends ten messages per call, one call after
// the other. If a call fails as a whole, all its messages are among the
// returned indexes, so that callers do not resend the others. The error wraps
// webhook.ErrUnavailable and is non-nil only if every call failed.
func (q *Queue) Send(ctx context.Context, messages []delivery.Outgoing) (failed []int, err error) {
	sent := false
	var errs []error
	for first := 0; first < len(messages); {
		entries := batch(messages[first:])
		missing, err := q.sendBatch(ctx, entries)
		if err != nil {
			errs = append(errs, err)
		} else {
			sent = true
		}
		for _, i := range missing {
			failed = append(failed, first+i)
		}
		first += len(entries)
	}
	if len(errs) > 0 && !sent {
		return nil, errors.Join(errs...)
	}
	return failed, nil
}

// batch returns the entries of the next call: as many of the messages as fit,
// at least one. An entry's id is its index.
func batch(messages []delivery.Outgoing) []types.SendMessageBatchRequestEntry {
	var entries []types.SendMessageBatchRequestEntry
	size := 0
	for i, out := range messages {
		body := delivery.EncodeMessage(out.Message)
		if size += len(body); i == batchEntries || i > 0 && size > batchBytes {
			break
		}
		entries = append(entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: &body,
			MessageGroupId: aws.String(out.Message.Group()),
			DelaySeconds:   wholeSeconds(out.Delay, delivery.MaxDelay),
		})
	}
	return entries
}

// sendBatch makes one call and returns the indexes of the entries that were not
// stored, in ascending order. An entry that the response does not mention was
// not stored.
func (q *Queue) sendBatch(ctx context.Context, entries []types.SendMessageBatchRequestEntry) ([]int, error) {
	missing := make(map[int]bool, len(entries))
	for i := range entries {
		missing[i] = true
	}
	out, err := q.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.URL, Entries: entries})
	if err == nil {
		for _, stored := range out.Successful {
			if i, wrong := strconv.Atoi(aws.ToString(stored.Id)); wrong == nil {
				delete(missing, i)
			}
		}
	} else {
		err = wrap("send messages", err)
	}
	indexes := make([]int, 0, len(missing))
	for i := range missing {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	return indexes, err
}

// Postpone implements delivery.Visibility.
func (q *Queue) Postpone(ctx context.Context, receipt string, delay time.Duration) error {
	_, err := q.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.URL, ReceiptHandle: &receipt, VisibilityTimeout: wholeSeconds(delay, maxVisibility),
	})
	if err == nil || goneReceipt(err) {
		return nil
	}
	return wrap("postpone a message", err)
}

// goneReceipt reports whether the receipt is no longer valid.
func goneReceipt(err error) bool {
	var (
		invalid  *types.ReceiptHandleIsInvalid
		inFlight *types.MessageNotInflight
		api      smithy.APIError
	)
	return errors.As(err, &invalid) || errors.As(err, &inFlight) ||
		errors.As(err, &api) && api.ErrorCode() == "InvalidParameterValue"
}

// wholeSeconds returns the delay in seconds, rounded up and limited to [0,
// most].
func wholeSeconds(delay, most time.Duration) int32 {
	return int32(math.Ceil(min(max(delay, 0), most).Seconds()))
}

// wrap keeps only the error code of the service: its message may quote what
// was sent.
func wrap(doing string, err error) error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return fmt.Errorf("%s: %w (%w)", doing, webhook.ErrUnavailable, ended)
		}
	}
	word := "no response"
	var api smithy.APIError
	if errors.As(err, &api) {
		word = api.ErrorCode()
	}
	return fmt.Errorf("%s: %s: %w", doing, word, webhook.ErrUnavailable)
}

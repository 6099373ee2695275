package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// Queue implements delivery.Queue and delivery.Visibility on two SQS queues: URL is
// that of the queue lane, SlowURL that of the slow lane. Set its fields before use and
// do not change them afterwards. Its methods may be called concurrently.
type Queue struct {
	Client       Client
	URL, SlowURL string
}

func (q *Queue) url(m delivery.Message) *string {
	if m.Slow {
		return &q.SlowURL
	}
	return &q.URL
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
	for _, slow := range []bool{false, true} {
		rest := indexes(messages, slow)
		for len(rest) > 0 {
			entries := batch(messages, rest)
			missing, err := q.sendBatch(ctx, q.url(delivery.Message{Slow: slow}), entries)
			if err != nil {
				errs = append(errs, err)
			} else {
				sent = true
			}
			for _, n := range missing {
				failed = append(failed, rest[n])
			}
			rest = rest[len(entries):]
		}
	}
	if len(errs) > 0 && !sent {
		return nil, errors.Join(errs...)
	}
	slices.Sort(failed)
	return failed, nil
}

// indexes returns the positions of the messages of one lane, in ascending order.
func indexes(messages []delivery.Outgoing, slow bool) (found []int) {
	for i, m := range messages {
		if m.Message.Slow == slow {
			found = append(found, i)
		}
	}
	return found
}

// batch returns the entries of the next call: as many of the messages at these
// positions as fit, at least one. An entry's id is its index.
func batch(messages []delivery.Outgoing, positions []int) []types.SendMessageBatchRequestEntry {
	var entries []types.SendMessageBatchRequestEntry
	size := 0
	for n, i := range positions {
		out := messages[i]
		body := delivery.EncodeMessage(out.Message)
		if size += len(body); n == batchEntries || n > 0 && size > batchBytes {
			break
		}
		entries = append(entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(n)), MessageBody: &body,
			MessageGroupId: aws.String(out.Message.Group()),
			DelaySeconds:   wholeSeconds(out.Delay, delivery.MaxDelay),
		})
	}
	return entries
}

// sendBatch makes one call and returns the indexes of the entries that were not
// stored. An entry that the response does not mention was not stored.
func (q *Queue) sendBatch(ctx context.Context, url *string, entries []types.SendMessageBatchRequestEntry) ([]int, error) {
	missing := make(map[int]bool, len(entries))
	for i := range entries {
		missing[i] = true
	}
	out, err := q.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
	if err == nil {
		for _, stored := range out.Successful {
			if i, wrong := strconv.Atoi(aws.ToString(stored.Id)); wrong == nil {
				delete(missing, i)
			}
		}
	} else {
		err = wrap("send messages", err)
	}
	return slices.Collect(maps.Keys(missing)), err
}

// Postpone implements delivery.Visibility.
func (q *Queue) Postpone(ctx context.Context, r delivery.Received, delay time.Duration) error {
	_, err := q.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: q.url(r.Message), ReceiptHandle: &r.Receipt, VisibilityTimeout: wholeSeconds(delay, maxVisibility),
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

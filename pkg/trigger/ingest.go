package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

// verdictTime is reserved for telling Lambda which records failed: a function
// that runs out of time has all records of its batch delivered again.
const verdictTime = 5 * time.Second

// Ingest returns the handler of a function that takes records from outside, by
// batches of two kinds: messages of an SQS queue, whose bodies are events of an
// EventBridge bus, and records of the streams of DynamoDB tables. A stream batch
// that Lambda gave up on, passed by the sweep, is one of the second kind, and its
// response tells the sweep what it tells Lambda.
//
// bus returns the ids of the messages that failed; only these stay in the queue.
// changes gets the records as they are and returns the lowest sequence number of
// those that failed, or "": Lambda delivers that record and all later ones again.
// Their context ends five seconds before the invocation does. After an error or a
// panic the whole batch is delivered again.
func Ingest(
	bus func(ctx context.Context, messages []source.Message) (failed []string),
	changes func(ctx context.Context, records []json.RawMessage) (failed string),
	logger *slog.Logger,
) lambda.Handler {
	return handler{func(ctx context.Context, payload []byte) ([]byte, error) {
		var batch struct {
			Records []json.RawMessage `json:"Records"`
		}
		if err := json.Unmarshal(payload, &batch); err != nil {
			return nil, fmt.Errorf("decode ingest batch: %w", err)
		}
		if len(batch.Records) == 0 {
			return partial()
		}
		if deadline, bounded := ctx.Deadline(); bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-verdictTime))
			defer cancel()
		}
		if fromQueue(batch.Records) {
			messages, err := sourceMessages(batch.Records)
			if err != nil {
				return nil, err
			}
			return partial(bus(ctx, messages)...)
		}
		if failed := changes(ctx, batch.Records); failed != "" {
			return partial(failed)
		}
		return partial()
	}, logger}
}

// fromQueue reports whether a batch is one of SQS, as its first record tells. Any
// other is a stream's, even if none of its records can be read.
func fromQueue(records []json.RawMessage) bool {
	var first struct {
		EventSource string `json:"eventSource"`
	}
	return json.Unmarshal(records[0], &first) == nil && first.EventSource == "aws:sqs"
}

func sourceMessages(records []json.RawMessage) ([]source.Message, error) {
	messages := make([]source.Message, len(records))
	for i, raw := range records {
		var record struct {
			MessageID  string `json:"messageId"`
			Body       string `json:"body"`
			Attributes struct {
				Sent string `json:"SentTimestamp"` // milliseconds
			} `json:"attributes"`
		}
		if err := json.Unmarshal(raw, &record); err != nil {
			return nil, fmt.Errorf("decode queue batch: %w", err)
		}
		messages[i] = source.Message{ID: record.MessageID, Body: record.Body}
		if sent, err := strconv.ParseInt(record.Attributes.Sent, 10, 64); err == nil {
			messages[i].Sent = time.UnixMilli(sent).UTC()
		}
	}
	return messages, nil
}

package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// queueBatch is the part of an SQS event that is used.
type queueBatch struct {
	Records []struct {
		MessageID     string `json:"messageId"`
		ReceiptHandle string `json:"receiptHandle"`
		Body          string `json:"body"`
		Attributes    struct {
			Receives string `json:"ApproximateReceiveCount"`
		} `json:"attributes"`
	} `json:"Records"`
}

// Queue returns the handler of an SQS queue. handle gets a batch's messages and
// returns the ids of those that failed; only these stay in the queue. A body
// that is not a message is passed with Undecodable set. After an error or a
// panic the whole batch is received again.
func Queue(handle func(ctx context.Context, received []delivery.Received) (failed []string), logger *slog.Logger) lambda.Handler {
	return handler{func(ctx context.Context, payload []byte) ([]byte, error) {
		var batch queueBatch
		if err := json.Unmarshal(payload, &batch); err != nil {
			return nil, fmt.Errorf("decode queue batch: %w", err)
		}
		if len(batch.Records) == 0 {
			return partial()
		}
		received := make([]delivery.Received, len(batch.Records))
		for i, r := range batch.Records {
			receives, _ := strconv.Atoi(r.Attributes.Receives) // 0 if the queue did not count
			received[i] = delivery.Received{ID: r.MessageID, Receipt: r.ReceiptHandle, Receives: receives}
			received[i].Decode(r.Body)
		}
		return partial(handle(ctx, received)...)
	}, logger}
}

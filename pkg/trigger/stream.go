package trigger

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stream returns the handler of a DynamoDB stream. decode returns the records
// of a payload in order, without those that are not events. handle processes
// them and returns the Sequence of the first record that still needs
// processing, or "".
//
// Lambda takes a reported sequence as a checkpoint: it sends that record and
// all later ones again. After an error, from decode or a panic, it sends the
// whole batch again.
func Stream(
	decode func(payload []byte) ([]webhook.Record, error),
	handle func(ctx context.Context, records []webhook.Record) (failed string),
	logger *slog.Logger,
) lambda.Handler {
	return handler{func(ctx context.Context, payload []byte) ([]byte, error) {
		records, err := decode(payload)
		if err != nil {
			return nil, fmt.Errorf("decode stream batch: %w", err)
		}
		if len(records) == 0 {
			return partial()
		}
		if failed := handle(ctx, records); failed != "" {
			return partial(failed)
		}
		return partial()
	}, logger}
}

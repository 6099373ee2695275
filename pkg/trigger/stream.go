package trigger

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Stream gives the handler of a DynamoDB stream. decode reads the records of a
// payload in their order, leaving out what is no event; handle works on them
// and returns the Sequence of the lowest record that nobody has taken
// responsibility for, "" if there is none.
//
// Lambda takes a reported sequence for a checkpoint: it hands over again that
// record and all after it. An error, of decode or from a panic, has the whole
// batch handed over again.
func Stream(
	decode func(payload []byte) ([]webhook.Record, error),
	handle func(ctx context.Context, records []webhook.Record) (failed string),
	logger *slog.Logger,
) lambda.Handler {
	return recovered(logger, func(ctx context.Context, payload []byte) ([]byte, error) {
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
	})
}

package trigger

import (
	"context"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambda"
)

// Schedule returns the handler of a schedule. It calls run once per invocation
// and ignores the payload. An error fails the invocation, so that the
// function's metric shows it.
func Schedule(run func(ctx context.Context) error, logger *slog.Logger) lambda.Handler {
	return handler{func(ctx context.Context, _ []byte) ([]byte, error) {
		if err := run(ctx); err != nil {
			return nil, err
		}
		return []byte("null"), nil
	}, logger}
}

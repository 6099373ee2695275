package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"
)

// handler is a lambda.Handler. A panic becomes an error.
type handler struct {
	serve  func(ctx context.Context, payload []byte) ([]byte, error)
	logger *slog.Logger
}

var _ lambda.Handler = handler{}

// Invoke implements lambda.Handler.
func (h handler) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	defer recovered(ctx, h.logger, &answer, &err)
	return h.serve(ctx, payload)
}

// recovered makes an error of an invocation's panic. It must be deferred directly
// for recover to work.
func recovered(ctx context.Context, logger *slog.Logger, answer *[]byte, err *error) {
	if cause := recover(); cause != nil {
		logger.ErrorContext(ctx, "invocation panicked", "error", fmt.Sprintf("%v\n%s", cause, debug.Stack()))
		*answer, *err = nil, fmt.Errorf("panic: %v", cause)
	}
}

// batchAnswer is a batch consumer's response to Lambda. The list must be
// present even if empty: some readers take null as a failure of the whole
// batch.
type batchAnswer struct {
	Failures []batchFailure `json:"batchItemFailures"`
}

type batchFailure struct {
	Item string `json:"itemIdentifier"`
}

// partial returns the response that reports the failed items of a batch.
func partial(items ...string) ([]byte, error) {
	answer := batchAnswer{Failures: make([]batchFailure, len(items))}
	for i, item := range items {
		answer.Failures[i].Item = item
	}
	return json.Marshal(answer)
}

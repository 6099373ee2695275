package trigger

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

// Resumed tells resume, before each invocation of h but the first, when the last
// one ended and what the time is now. Between the two the environment was
// perhaps frozen, and its connections have grown old without noticing.
func Resumed(h lambda.Handler, now func() time.Time, resume func(lastEnd, now time.Time)) lambda.Handler {
	var (
		mu      sync.Mutex
		lastEnd time.Time
	)
	return handler(func(ctx context.Context, payload []byte) ([]byte, error) {
		mu.Lock()
		ended := lastEnd
		mu.Unlock()
		if !ended.IsZero() {
			resume(ended, now())
		}
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			lastEnd = now()
		}()
		return h.Invoke(ctx, payload)
	})
}

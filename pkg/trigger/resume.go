package trigger

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

// Resumed calls resume before each invocation of h except the first, with the
// end of the last invocation and the current time. In between, the environment
// may have been frozen and its connections may have gone stale.
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

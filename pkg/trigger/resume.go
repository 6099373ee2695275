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
	return &resumed{handler: h, now: now, resume: resume}
}

type resumed struct {
	handler lambda.Handler
	now     func() time.Time
	resume  func(lastEnd, now time.Time)

	mu      sync.Mutex
	lastEnd time.Time
}

// Invoke implements lambda.Handler.
func (r *resumed) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	r.mu.Lock()
	ended := r.lastEnd
	r.mu.Unlock()
	if !ended.IsZero() {
		r.resume(ended, r.now())
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lastEnd = r.now()
	}()
	return r.handler.Invoke(ctx, payload)
}

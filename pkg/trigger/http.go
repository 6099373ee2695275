package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

const (
	// maxAnswer is what Lambda can return: 6 MB, the JSON around the body and
	// its escapes included.
	maxAnswer = 6*1024*1024 - 1024
	// answerTime is kept of an invocation for writing the answer, so that a
	// call that ran out of time is told so, and not by the gateway.
	answerTime = 500 * time.Millisecond
)

// HTTP gives the handler of an HTTP API of API Gateway (payload format 2.0)
// with one route that catches all calls. What the gateway calls the route is
// never looked at: h finds its own.
//
// h sees the request as the caller made it: the decoded path, headers as they
// came (a value is never split at its commas), the body's bytes. Its context
// carries the gateway's request id, see RequestID, and who signed the call, see
// SignedBy, and ends half a second before the invocation does. A panic and an answer over 6 MB are answered
// with 500, a body that is no base64 though it should be with 400.
func HTTP(h http.Handler, logger *slog.Logger) lambda.Handler {
	return recovered(logger, func(ctx context.Context, payload []byte) ([]byte, error) {
		var call gatewayRequest
		if err := json.Unmarshal(payload, &call); err != nil {
			return nil, fmt.Errorf("decode gateway request: %w", err)
		}
		id := call.RequestContext.RequestID
		if deadline, bounded := ctx.Deadline(); bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
			defer cancel()
		}
		ctx = context.WithValue(ctx, requestIDKey{}, id)
		ctx = context.WithValue(ctx, signedByKey{}, call.RequestContext.Authorizer.IAM.UserARN)
		r, err := call.request(ctx)
		if err != nil {
			return json.Marshal(fault(http.StatusBadRequest, "ArgumentException", "The body is no valid base64"))
		}
		w := newRecorder()
		serve(h, w, r, logger) //nolint:contextcheck // the request carries it
		answer, err := json.Marshal(w.response(r.Method))
		if err == nil && len(answer) > maxAnswer {
			logger.ErrorContext(ctx, "answer too large", "request_id", id, "count", len(answer))
			return json.Marshal(fault(http.StatusInternalServerError, "SoServerException", "The answer is larger than the 6 MB that can be returned; ask for less"))
		}
		return answer, err
	})
}

type requestIDKey struct{}

// RequestID returns the gateway's id of the call that a context belongs to, ""
// if there is none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

type signedByKey struct{}

// SignedBy returns the ARN of whoever signed the call with AWS credentials, as
// the gateway checked it: for a role arn:aws:sts::<account>:assumed-role/<role>/<session>.
// It is "" on every route without that check, whatever a caller sends.
func SignedBy(ctx context.Context) string {
	arn, _ := ctx.Value(signedByKey{}).(string)
	return arn
}

// serve runs h. What a panic left half written is thrown away.
func serve(h http.Handler, w *recorder, r *http.Request, logger *slog.Logger) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		id := RequestID(r.Context())
		logger.ErrorContext(r.Context(), "request panicked", "request_id", id, "error", fmt.Sprintf("%v\n%s", cause, debug.Stack()))
		text := "Internal error"
		if id != "" {
			text += "; request id " + id
		}
		w.replace(fault(http.StatusInternalServerError, "SoServerException", text))
	}()
	h.ServeHTTP(w, r)
}

// fault is an answer in the shape of all the API's errors.
func fault(status int, kind, text string) gatewayResponse {
	body, _ := json.Marshal(struct {
		Error        bool
		ErrorType    string
		ErrorMessage string
		ErrorSource  string
		Message      string
	}{true, kind, text, "Posthaste", text}) // texts and a boolean always marshal
	return gatewayResponse{
		StatusCode: status, Body: string(body),
		Headers: map[string]string{"content-type": "application/json; charset=utf-8", "cache-control": "no-store"},
	}
}

package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

const (
	// maxAnswer is the largest response that Lambda accepts: 6 MB, including
	// the JSON around the body and its escapes.
	maxAnswer = 6*1024*1024 - 1024
	// answerTime is reserved for writing the response, so that the service
	// itself, and not the gateway, reports that a call ran out of time.
	answerTime = 500 * time.Millisecond
)

// HTTP returns the handler of an API Gateway HTTP API (payload format 2.0) with
// one catch-all route. It ignores the gateway's route; h does its own routing.
//
// h sees the request as the caller made it: the decoded path, the headers
// unchanged (values are never split at commas), the bytes of the body. Its
// context carries the gateway's request id (see RequestID) and the signer of
// the call (see SignedBy), and ends half a second before the invocation does.
//
// fail writes an error in the shape that h's callers know: 400 for a body with
// invalid base64, 500 in place of a response over 6 MB. A panic of h fails the
// invocation.
func HTTP(h http.Handler, fail func(w http.ResponseWriter, status int, errorType, text string), logger *slog.Logger) lambda.Handler {
	return gateway{h, fail, logger}
}

type gateway struct {
	handler http.Handler
	fail    func(w http.ResponseWriter, status int, errorType, text string)
	logger  *slog.Logger
}

// Invoke implements lambda.Handler.
func (g gateway) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	defer recovered(ctx, g.logger, &answer, &err)
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
	w := newRecorder()
	r, err := call.request(ctx)
	if err != nil {
		g.fail(w, http.StatusBadRequest, "ArgumentException", "The body must be valid base64")
	} else {
		g.handler.ServeHTTP(w, r) //nolint:contextcheck // the request carries it
	}
	method := call.RequestContext.HTTP.Method
	answer, err = json.Marshal(w.response(method))
	if err == nil && len(answer) > maxAnswer {
		g.logger.WarnContext(ctx, "response too large", "request_id", id, "count", len(answer))
		w = newRecorder()
		g.fail(w, http.StatusInternalServerError, "SoServerException", "The response exceeds the limit of 6 MB; request less")
		answer, err = json.Marshal(w.response(method))
	}
	return answer, err
}

type requestIDKey struct{}

// RequestID returns the gateway's id of the call that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

type signedByKey struct{}

// SignedBy returns the ARN of the principal that signed the call with AWS
// credentials, as verified by the gateway: for a role
// arn:aws:sts::<account>:assumed-role/<role>/<session>. It is "" on every route
// without that check, no matter what a caller sends.
func SignedBy(ctx context.Context) string {
	arn, _ := ctx.Value(signedByKey{}).(string)
	return arn
}

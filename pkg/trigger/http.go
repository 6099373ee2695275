package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
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
// public is the URL that callers use if it is not the gateway's own, or empty. The
// gateway passes on the base path of a custom domain; it is removed from calls to the
// host of public, and from no others, since it may look like a path of the API.
//
// fail writes an error in the shape that h's callers know: 400 for a body with
// invalid base64, 500 in place of a response over 6 MB. A panic of h fails the
// invocation.
func HTTP(h http.Handler, fail func(w http.ResponseWriter, status int, errorType, text string), public string, logger *slog.Logger) lambda.Handler {
	g := gateway{handler: h, fail: fail, logger: logger}
	if u, err := url.Parse(public); err == nil {
		g.host, g.base = u.Host, strings.TrimSuffix(u.Path, "/")
	}
	return g
}

type gateway struct {
	handler http.Handler
	fail    func(w http.ResponseWriter, status int, errorType, text string)
	logger  *slog.Logger
	// host and base are those of the public URL; base is empty or begins with a
	// slash and does not end with one.
	host, base string
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
	call.RawPath = g.below(call.host(), call.RawPath)
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

// below returns the path of a call to host without the base path.
func (g gateway) below(host, path string) string {
	rest, ok := strings.CutPrefix(path, g.base)
	if !ok || !strings.EqualFold(host, g.host) || rest != "" && rest[0] != '/' {
		return path
	}
	return rest
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

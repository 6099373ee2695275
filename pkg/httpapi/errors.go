package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// What goes wrong in HTTP alone; the domain's sentinels say the rest.
var (
	errMethod   = errors.New("method not allowed")
	errNoAnswer = errors.New("no acceptable media type")
	errTestOp   = errors.New("test operation did not hold")
)

// errorTable says what becomes of each error: the first row that errors.Is
// finds counts, and what no row matches is internal. The text is for callers;
// where a handler explained the error, its words take the text's place.
var errorTable = []struct {
	is        error
	status    int
	errorType string
	text      string
}{
	{webhook.ErrUnauthorized, http.StatusUnauthorized, "SoUnauthorizedException", "A credential is needed that is known and valid"},
	{webhook.ErrForbidden, http.StatusForbidden, "SoSecurityException", "The credential does not allow this"},
	{webhook.ErrWrongApp, http.StatusForbidden, "SoSecurityException", "The SO-AppToken does not belong to the credential beside it"},
	{errCrossSite, http.StatusForbidden, "SoSecurityException", "A browser makes this call for a page of another site, which may not"},
	{webhook.ErrWrongTenant, http.StatusMisdirectedRequest, "SoWrongTenantException", "The address names a tenant that does not exist or is not the credential's"},
	{webhook.ErrNoTenant, http.StatusMisdirectedRequest, "SoWrongTenantException", "The credential is for several tenants: the address must name one, as in /Cust12345/api/v1/Webhook"},
	{webhook.ErrNotFound, http.StatusNotFound, "SoNotFoundException", "Not found"},
	{errMethod, http.StatusMethodNotAllowed, "NotSupportedException", "The address does not have this method; the header Allow lists those it has"},
	{errNoAnswer, http.StatusNotAcceptable, "SoMediaTypeException", "Nothing that Accept names can be answered with; accept one of " + strings.Join(wire.AnswerTypes, ", ")},
	{webhook.ErrExists, http.StatusConflict, "SoConflictException", "It exists already"},
	{webhook.ErrConflict, http.StatusConflict, "SoConflictException", "It was changed by others at the same time; read it again and repeat the change"},
	{webhook.ErrRefused, http.StatusConflict, "SoConflictException", "Its present state does not allow this"},
	{errTestOp, http.StatusConflict, "SoConflictException", "A test operation found another value"},
	{webhook.ErrPrecondition, http.StatusPreconditionFailed, "SoPreconditionFailedException", "It was changed after the time that the condition names"},
	{webhook.ErrTooLarge, http.StatusRequestEntityTooLarge, "SoPayloadTooLargeException", "Too large: a body may have 1 MiB, an event's data 256 KiB in compact form"},
	{webhook.ErrIdempotencyKeyReused, http.StatusUnprocessableEntity, "SoIdempotencyException", "The Idempotency-Key was used before, with another content"},
	{webhook.ErrLoop, http.StatusLoopDetected, "SoLoopException", "The signal came through too many webhooks: it runs in a loop"},
	{webhook.ErrUnavailable, http.StatusServiceUnavailable, "SoUnavailableException", "The service cannot answer now; try again"},
	{webhook.ErrSecretUnavailable, http.StatusServiceUnavailable, "SoUnavailableException", "The webhook's secret cannot be read now; try again"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "SoUnavailableException", "The service did not finish in time; try again"},
	{context.Canceled, http.StatusServiceUnavailable, "SoUnavailableException", "The call was ended before its answer"},
}

// unavailableRetryAfter is what a 503 asks a caller to wait, in seconds.
const unavailableRetryAfter = "2"

// errorBody is the error that SuperOffice's clients know, and Message, which
// other readers look for.
type errorBody struct {
	Error        bool
	ErrorType    string
	ErrorMessage string
	ErrorSource  string
	Message      string
}

func newErrorBody(errorType, text string) errorBody {
	return errorBody{true, errorType, text, "Posthaste", text}
}

// WriteError writes an error in the API's shape, as JSON: for what is in front of
// the API, where a call cannot get in or an answer cannot get out.
func WriteError(w http.ResponseWriter, status int, errorType, text string) {
	body, _ := wire.EncodeJSON(newErrorBody(errorType, text)) // it always encodes
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that went away is nobody's fault
}

// failed turns an error into its answer, and keeps the error for the log.
func failed(c *call, err error) reply {
	c.cause = err
	status, errorType, text := classify(err)
	c.errorType = errorType
	answer := reply{status: status, header: http.Header{}}
	switch status {
	case http.StatusInternalServerError:
		if c.requestID != "" {
			text += "; request id " + c.requestID
		}
	case http.StatusServiceUnavailable:
		answer.header.Set("Retry-After", unavailableRetryAfter)
	case http.StatusTooManyRequests:
		var throttled *webhook.ThrottledError
		if errors.As(err, &throttled) {
			answer.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(throttled.After.Seconds()))))
		}
	case http.StatusUnauthorized:
		answer.header.Set("WWW-Authenticate", `Basic realm="Posthaste"`)
	}
	answer.body = newErrorBody(errorType, text)
	return answer
}

// classify gives an error's status, type and the text that a caller may see.
func classify(err error) (status int, errorType, text string) {
	var (
		invalid   *webhook.ValidationError
		throttled *webhook.ThrottledError
		full      *webhook.LimitError
		unread    *wire.UnsupportedError
		explained *explainedError
	)
	switch {
	case errors.As(err, &invalid):
		return http.StatusBadRequest, "ArgumentException", invalid.Error()
	case errors.As(err, &throttled):
		return http.StatusTooManyRequests, "SoThrottledException", throttled.Reason
	case errors.As(err, &unread):
		return http.StatusUnsupportedMediaType, "SoMediaTypeException", unread.Text
	case errors.As(err, &full):
		return http.StatusConflict, "SoConflictException", full.Error()
	}
	for _, row := range errorTable {
		if !errors.Is(err, row.is) {
			continue
		}
		if errors.As(err, &explained) {
			return row.status, row.errorType, explained.text
		}
		return row.status, row.errorType, row.text
	}
	return http.StatusInternalServerError, "SoServerException", "Internal error"
}

// explainedError is an error with words for the caller.
type explainedError struct {
	cause error
	text  string
}

func (e *explainedError) Error() string { return e.text + ": " + e.cause.Error() }
func (e *explainedError) Unwrap() error { return e.cause }

// explain gives an error a text that callers may see.
func explain(cause error, format string, args ...any) error {
	return &explainedError{cause, fmt.Sprintf(format, args...)}
}

// hint adds a sentence to the text of one kind of error.
func hint(err, kind error, sentence string) error {
	if !errors.Is(err, kind) {
		return err
	}
	_, _, text := classify(err)
	return explain(err, "%s. %s", text, sentence)
}

// webhookNotFound words the absence of a webhook as SuperOffice does.
func webhookNotFound(err error, id int32) error {
	if !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	return explain(err, "Webhook id %d not found", id)
}

// forbidden words the lack of a scope.
func forbidden(scope webhook.Scope) error {
	if scope == webhook.ScopeAdmin {
		return explain(webhook.ErrForbidden, "Restricted: only the administrator's credential may do this")
	}
	return explain(webhook.ErrForbidden, "Online restricted: the credential lacks the scope %s", scope)
}

package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/replay"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Errors of HTTP alone; the domain's sentinels are the rest.
var (
	errMethod      = errors.New("method not allowed")
	errNoMediaType = errors.New("no acceptable media type")
	errTestOp      = errors.New("test operation did not hold")

	// errPrecondition: a condition that the caller stated does not hold.
	errPrecondition = errors.New("precondition failed")
)

// errorTable maps errors to responses: the first row that errors.Is matches
// applies, and an error that matches no row is internal. The text is for
// callers; the text of an explainedError replaces it.
var errorTable = []struct {
	is        error
	status    int
	errorType string
	text      string
}{
	{webhook.ErrUnauthorized, http.StatusUnauthorized, "SoUnauthorizedException", "A valid credential is required"},
	{webhook.ErrForbidden, http.StatusForbidden, "SoSecurityException", "The credential does not allow this"},
	{webhook.ErrWrongApp, http.StatusForbidden, "SoSecurityException", "The SO-AppToken does not belong to the credential in Authorization"},
	{errCrossSite, http.StatusForbidden, "SoSecurityException", "Pages of other sites may not call the API from a browser"},
	{webhook.ErrWrongTenant, http.StatusMisdirectedRequest, "SoWrongTenantException", "The address names a tenant that does not exist or is not the credential's"},
	{webhook.ErrNoTenant, http.StatusMisdirectedRequest, "SoWrongTenantException", "The credential is for several tenants: the address must name one, as in /Cust12345/api/v1/Webhook"},
	{webhook.ErrNotFound, http.StatusNotFound, "SoNotFoundException", "Not found"},
	{errMethod, http.StatusMethodNotAllowed, "NotSupportedException", "Method not allowed"},
	{errNoMediaType, http.StatusNotAcceptable, "SoMediaTypeException", "No media type in Accept is supported; accept one of " + strings.Join(wire.AnswerTypes, ", ")},
	{webhook.ErrExists, http.StatusConflict, "SoConflictException", "It already exists"},
	{webhook.ErrConflict, http.StatusConflict, "SoConflictException", "Another call changed it at the same time; read it again and repeat the change"},
	{delivery.ErrRefused, http.StatusConflict, "SoConflictException", "Its current state does not allow this"},
	{errTestOp, http.StatusConflict, "SoConflictException", "A test operation found another value"},
	{errPrecondition, http.StatusPreconditionFailed, "SoPreconditionFailedException", "It was changed after the time in If-Unmodified-Since"},
	{webhook.ErrTooLarge, http.StatusRequestEntityTooLarge, "SoPayloadTooLargeException", "Too large: a body may have at most 1 MiB, the data of an event 256 KiB in compact form"},
	{webhook.ErrIdempotencyKeyReused, http.StatusUnprocessableEntity, "SoIdempotencyException", "The Idempotency-Key was already used with different content"},
	{webhook.ErrLoop, http.StatusLoopDetected, "SoLoopException", "The signal passed through too many webhooks: it is in a loop"},
	{webhook.ErrUnavailable, http.StatusServiceUnavailable, "SoUnavailableException", "The service is temporarily unavailable; try again"},
	{webhook.ErrSecretUnavailable, http.StatusServiceUnavailable, "SoUnavailableException", "The webhook's secret is temporarily unavailable; try again"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "SoUnavailableException", "The service did not finish in time; try again"},
	{context.Canceled, http.StatusServiceUnavailable, "SoUnavailableException", "The call was canceled before its response"},
}

// unavailableRetryAfter is the Retry-After of a 503, in seconds.
const unavailableRetryAfter = "2"

// errorBody is the error that SuperOffice's clients read, plus Message, which
// other clients look for.
type errorBody struct {
	Error        bool
	ErrorType    string
	ErrorMessage string
	ErrorSource  string
	Message      string
	// LeasedUntil is when an attempt that is being made ends at the latest.
	LeasedUntil *time.Time `json:",omitempty"`
	// JobID is the running replay that does not let another one begin.
	JobID string `json:"JobId,omitempty"`
}

func newErrorBody(errorType, text string) errorBody {
	return errorBody{Error: true, ErrorType: errorType, ErrorMessage: text, ErrorSource: "Posthaste", Message: text}
}

// with adds what the error says beyond its text.
func (b errorBody) with(err error) errorBody {
	var leased *replay.LeasedError
	if errors.As(err, &leased) {
		until := leased.Until.UTC()
		b.LeasedUntil = &until
	}
	var busy *job.BusyError
	if errors.As(err, &busy) {
		b.JobID = busy.Running
	}
	return b
}

// WriteError writes an error in the API's shape, as JSON. It is for code in front
// of the API, where a call cannot get in or a response cannot get out.
func WriteError(w http.ResponseWriter, status int, errorType, text string) {
	body, _ := wire.EncodeJSON(newErrorBody(errorType, text)) // it always encodes
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may have gone away
}

// failed returns the response for an error, and keeps the error for the log.
func failed(c *call, err error) reply {
	c.cause = err
	status, errorType, text := classify(err)
	c.errorType = errorType
	response := reply{status: status, header: http.Header{}}
	switch status {
	case http.StatusInternalServerError:
		if c.requestID != "" {
			text += "; request id " + c.requestID
		}
	case http.StatusServiceUnavailable:
		response.header.Set("Retry-After", unavailableRetryAfter)
	case http.StatusTooManyRequests:
		var throttled *webhook.ThrottledError
		if errors.As(err, &throttled) {
			response.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(throttled.After.Seconds()))))
		}
	case http.StatusUnauthorized:
		response.header.Set("WWW-Authenticate", `Basic realm="Posthaste"`)
	}
	response.body = newErrorBody(errorType, text).with(err)
	return response
}

// classify returns an error's status and type, and the text that a caller may see.
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

// explainedError is an error with a text for the caller.
type explainedError struct {
	cause error
	text  string
}

func (e *explainedError) Error() string { return e.text + ": " + e.cause.Error() }
func (e *explainedError) Unwrap() error { return e.cause }

// explain returns an error with a text that callers may see.
func explain(cause error, format string, args ...any) error {
	return &explainedError{cause, fmt.Sprintf(format, args...)}
}

// hint appends a sentence to the text of an error of this kind; other errors stay.
func hint(err, kind error, sentence string) error {
	if !errors.Is(err, kind) {
		return err
	}
	_, _, text := classify(err)
	return explain(err, "%s. %s", text, sentence)
}

// webhookNotFound explains ErrNotFound as SuperOffice does; other errors stay.
func webhookNotFound(err error, id int32) error {
	if !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	return explain(err, "Webhook id %d not found", id)
}

// forbidden returns the error for a credential without the scope.
func forbidden(scope webhook.Scope) error {
	if scope == webhook.ScopeAdmin {
		return explain(webhook.ErrForbidden, "Restricted: only the administrator's credential may do this")
	}
	if scope == webhook.ScopeRead {
		scope = webhook.ScopeWebhooks // which most callers need next
	}
	return explain(webhook.ErrForbidden, "Online restricted: the credential lacks the scope %s", scope)
}

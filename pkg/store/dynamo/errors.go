package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/posthaste-dev/posthaste/pkg/backoff"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var (
	// errUnprocessed reports keys that BatchGetItem keeps returning
	// unprocessed.
	errUnprocessed = errors.New("keys left unprocessed")
	// errOvertaken reports that another writer was faster. It reaches the
	// caller only after it happened too often in a row.
	errOvertaken = fmt.Errorf("overtaken by other writers: %w", webhook.ErrUnavailable)
)

// passing lists the codes of client faults that are transient. Server faults
// and lost responses are transient too.
var passing = map[string]bool{
	"ProvisionedThroughputExceededException": true,
	"ThrottlingException":                    true,
	"ThrottlingError":                        true,
	"RequestLimitExceeded":                   true,
	"LimitExceededException":                 true,
	"TransactionConflictException":           true,
	"TransactionInProgressException":         true,
	"TransactionCanceledException":           true,
	"ReplicatedWriteConflictException":       true,
	"RequestTimeout":                         true,
	"RequestTimeoutException":                true,
}

// wrap describes a call's error, with ErrUnavailable if a later try may succeed,
// and without it if the deployment or this package is at fault (no permission,
// no such table, an invalid expression).
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) && apiErr.ErrorFault() != smithy.FaultServer && !passing[apiErr.ErrorCode()] {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, webhook.ErrUnavailable, err)
}

// contention is how long a call keeps trying while other writers hold its item:
// up to 1.5 s, and at least half of that.
var contention = backoff.Policy{Tries: 9, First: 8 * time.Millisecond, Most: 500 * time.Millisecond}

// retry repeats a write while it conflicts with a transaction on the same item:
// such a write certainly had no effect, and the transaction ends within
// milliseconds.
func (t *table) retry(ctx context.Context, write func() error) error {
	return contention.Retry(ctx, t.random, conflicted, write)
}

func overtaken(err error) bool { return errors.Is(err, errOvertaken) }

func unprocessed(err error) bool { return errors.Is(err, errUnprocessed) }

// conflicted reports whether a write was refused only because of another
// transaction.
func conflicted(err error) bool {
	var conflict *types.TransactionConflictException
	if errors.As(err, &conflict) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return false
	}
	met := false
	for _, reason := range cancelled.CancellationReasons {
		switch code(reason) {
		case reasonNone:
		case reasonConflict:
			met = true
		default:
			return false
		}
	}
	return met
}

// Cancellation reasons of a transaction, one per item.
const (
	reasonNone      = "None"
	reasonConflict  = "TransactionConflict"
	reasonCondition = "ConditionalCheckFailed"
)

func code(r types.CancellationReason) string {
	if r.Code == nil {
		return reasonNone
	}
	return *r.Code
}

// failedCondition reports whether the condition of a transaction's first item
// failed, and returns the item found there, or nil if there was none.
func failedCondition(err error) (existing item, failed bool) {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) == 0 {
		return nil, false
	}
	reason := cancelled.CancellationReasons[0]
	return reason.Item, code(reason) == reasonCondition
}

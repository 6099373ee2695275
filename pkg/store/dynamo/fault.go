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
	// errUnprocessed stands for keys that BatchGetItem keeps handing back.
	errUnprocessed = errors.New("keys left unprocessed")
	// errOvertaken says that another writer was faster. It surfaces where that
	// happened too often in a row.
	errOvertaken = fmt.Errorf("overtaken by other writers: %w", webhook.ErrUnavailable)
)

// passing lists the codes of client faults that pass by themselves. Server
// faults and answers that never came pass too.
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

// fault wraps what a call returned: with ErrUnavailable where a later try may
// succeed, without where the deployment or this package is at fault (no
// permission, no such table, an invalid expression).
func fault(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	var answer smithy.APIError
	if errors.As(err, &answer) && answer.ErrorFault() != smithy.FaultServer && !passing[answer.ErrorCode()] {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, webhook.ErrUnavailable, err)
}

// contention is how long a call goes on that others keep from its item: up to
// 1.5 s, and half of that at least.
var contention = backoff.Policy{Tries: 9, First: 8 * time.Millisecond, Most: 500 * time.Millisecond}

// retry repeats a write as long as it met a transaction on the same item: such
// a write has certainly not taken place, and the other one ends in
// milliseconds.
func (t *table) retry(ctx context.Context, write func() error) error {
	return contention.Retry(ctx, t.random, conflicted, write)
}

func overtaken(err error) bool { return errors.Is(err, errOvertaken) }

func unprocessed(err error) bool { return errors.Is(err, errUnprocessed) }

// conflicted reports whether a write was turned away by another transaction
// and by nothing else.
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

// The reasons that a transaction was cancelled for, one per item.
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
// was not met, and which item stood there, nil if none did.
func failedCondition(err error) (stands item, failed bool) {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) == 0 {
		return nil, false
	}
	reason := cancelled.CancellationReasons[0]
	return reason.Item, code(reason) == reasonCondition
}

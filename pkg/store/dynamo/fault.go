package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// errUnprocessed stands for keys that BatchGetItem keeps handing back.
var errUnprocessed = errors.New("keys left unprocessed")

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

const (
	// maxTries bounds how often a write meets another transaction on its item
	// before it gives up, about two seconds later.
	maxTries  = 9
	firstWait = 8 * time.Millisecond
	maxWait   = 500 * time.Millisecond
)

// retry repeats a write as long as it met a transaction on the same item: such
// a write has certainly not taken place, and the other one ends in
// milliseconds.
func (t *table) retry(ctx context.Context, write func() error) error {
	for try := 1; ; try++ {
		err := write()
		if err == nil || !conflicted(err) {
			return err
		}
		if err := t.pause(ctx, try, err); err != nil {
			return err
		}
	}
}

// pause waits before another try, and returns cause once there were enough.
func (t *table) pause(ctx context.Context, try int, cause error) error {
	if try >= maxTries {
		return cause
	}
	return t.wait(ctx, min(firstWait<<(try-1), maxWait))
}

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

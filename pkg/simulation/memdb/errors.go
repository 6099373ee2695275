package memdb

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

// invalid is DynamoDB's answer to a request that can never be right.
func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{
		Code:    "ValidationException",
		Message: fmt.Sprintf(format, args...),
		Fault:   smithy.FaultClient,
	}
}

// unmodelled refuses what this package does not imitate.
func unmodelled(parameter string) error {
	return invalid("memdb does not model %s", parameter)
}

// failed wraps an error the way the SDK's client does, so that callers that
// forget errors.As fail here too.
func failed(operation string, err error) error {
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: operation, Err: err}
}

// message is an error's text without its code.
func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return err.Error()
}

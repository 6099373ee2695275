package memdb

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

// invalid returns DynamoDB's error for an invalid request.
func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{
		Code:    "ValidationException",
		Message: fmt.Sprintf(format, args...),
		Fault:   smithy.FaultClient,
	}
}

// unmodelled returns an error for a parameter that this package does not model.
func unmodelled(parameter string) error {
	return invalid("memdb does not model %s", parameter)
}

// failed wraps an error as the SDK's client does, so that callers that forget
// errors.As fail here too.
func failed(operation string, err error) error {
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: operation, Err: err}
}

// message returns an error's message without its code.
func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return err.Error()
}

// Package invoke has another Lambda function take a batch. It refuses to look
// into the batch, and to invoke without waiting: Lambda's own queue would hold
// the payload meanwhile.
package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Function is a function that takes batches, with partial failures. All fields
// are required. It may be used concurrently.
type Function struct {
	Client *lambda.Client
	Name   string // or ARN
}

// Take invokes the function with a batch, waits for its response, and reports
// whether it took every record. The error wraps webhook.ErrUnavailable if the
// function could not be invoked now, and not if it failed.
func (f *Function) Take(ctx context.Context, batch []byte) (all bool, err error) {
	out, err := f.Client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.Name, InvocationType: types.InvocationTypeRequestResponse, Payload: batch})
	if err != nil {
		return false, wrap(err, f.Name)
	}
	if out.FunctionError != nil { // the payload is its message, which may have anything in it
		return false, fmt.Errorf("invoke %s: it failed: %s", f.Name, aws.ToString(out.FunctionError))
	}
	var response struct {
		Failures []json.RawMessage `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out.Payload, &response); err != nil {
		return false, fmt.Errorf("invoke %s: read its response: %w", f.Name, err)
	}
	return len(response.Failures) == 0, nil
}

// wrap describes the error of a call: ErrUnavailable if a retry may succeed, and
// not if the deployment is at fault, such as a missing permission.
func wrap(err error, name string) error {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() < http.StatusInternalServerError && response.HTTPStatusCode() != http.StatusTooManyRequests {
		return fmt.Errorf("invoke %s: %w", name, err)
	}
	return fmt.Errorf("invoke %s: %w: %w", name, webhook.ErrUnavailable, err)
}

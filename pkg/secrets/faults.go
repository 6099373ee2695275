package secrets

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// readFault turns an error of a read into one of the contract's. Whatever is
// neither gone nor the caller's own end of time may be better in a moment.
func readFault(doing string, err error) error {
	if marked(err) {
		return fmt.Errorf("%s: %s: %w", doing, word(err), webhook.ErrNotFound)
	}
	return fault(doing, err, webhook.ErrSecretUnavailable)
}

// writeFault turns an error of a write into one of the contract's.
func writeFault(doing string, err error) error {
	var (
		missing *types.ResourceNotFoundException
		exists  *types.ResourceExistsException
	)
	switch {
	case errors.As(err, &missing), marked(err):
		return fmt.Errorf("%s: %s: %w", doing, word(err), webhook.ErrNotFound)
	case errors.As(err, &exists):
		return fmt.Errorf("%s: %w", doing, webhook.ErrExists)
	}
	return fault(doing, err, webhook.ErrUnavailable)
}

// marked reports whether a secret is marked for deletion: the one thing that
// the operations used here are told by this exception.
func marked(err error) bool {
	var invalid *types.InvalidRequestException
	return errors.As(err, &invalid)
}

// fault keeps the end of a caller's time recognisable, and nothing of the text.
func fault(doing string, err, kind error) error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return fmt.Errorf("%s: %w (%w)", doing, kind, ended)
		}
	}
	return fmt.Errorf("%s: %s: %w", doing, word(err), kind)
}

// word is all of an SDK error that may be shown: the service's code for it.
func word(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return "no answer"
}

package secrets

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// readError maps the error of a read to one of the contract's. Everything
// except a missing secret and the caller's own deadline may be temporary.
func readError(doing string, err error) error {
	if marked(err) {
		return fmt.Errorf("%s: %s: %w", doing, word(err), webhook.ErrNotFound)
	}
	return wrap(doing, err, webhook.ErrSecretUnavailable)
}

// writeError maps the error of a write to one of the contract's.
func writeError(doing string, err error) error {
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
	return wrap(doing, err, webhook.ErrUnavailable)
}

// marked reports whether a secret is marked for deletion: the only case in
// which the operations used here return this exception.
func marked(err error) bool {
	var invalid *types.InvalidRequestException
	return errors.As(err, &invalid)
}

// wrap keeps the end of the caller's context recognizable, and drops the
// message.
func wrap(doing string, err, kind error) error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return fmt.Errorf("%s: %w (%w)", doing, kind, ended)
		}
	}
	return fmt.Errorf("%s: %s: %w", doing, word(err), kind)
}

// word returns the part of an SDK error that may be shown: the service's error
// code.
func word(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return "no response"
}

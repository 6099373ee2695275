package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// failing is a Secrets Manager that returns one error for every call.
type failing struct {
	secrets.Client
	err error
}

func (f failing) CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	return nil, f.err
}

func (f failing) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return nil, f.err
}

func (f failing) DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	return nil, f.err
}

func (f failing) DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	return nil, f.err
}

const text = "the secret text"

func TestManager_TurnsFaultsIntoTheContracts(t *testing.T) {
	t.Parallel()
	// The service quotes what it rejects.
	quote := aws.String("value '" + text + "' failed to satisfy a constraint")
	tests := []struct {
		name                      string
		err                       error
		create, read, put, remove error
	}{
		{
			"a missing secret", &types.ResourceNotFoundException{Message: quote},
			webhook.ErrNotFound, webhook.ErrSecretUnavailable, webhook.ErrNotFound, nil,
		},
		{
			"a secret marked for deletion", &types.InvalidRequestException{Message: quote},
			webhook.ErrNotFound, webhook.ErrNotFound, webhook.ErrNotFound, nil,
		},
		{
			"a name that is taken", &types.ResourceExistsException{Message: quote},
			webhook.ErrExists, webhook.ErrSecretUnavailable, webhook.ErrExists, webhook.ErrExists,
		},
		{
			"too many calls", &smithy.GenericAPIError{Code: "ThrottlingException", Message: *quote},
			webhook.ErrUnavailable, webhook.ErrSecretUnavailable, webhook.ErrUnavailable, webhook.ErrUnavailable,
		},
		{
			"no response", errors.New(*quote),
			webhook.ErrUnavailable, webhook.ErrSecretUnavailable, webhook.ErrUnavailable, webhook.ErrUnavailable,
		},
		{
			"the end of the caller's time", &smithy.CanceledError{Err: context.DeadlineExceeded},
			context.DeadlineExceeded, context.DeadlineExceeded, context.DeadlineExceeded, context.DeadlineExceeded,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := &secrets.Manager{Client: failing{err: tt.err}, Prefix: "p", Random: bytes.NewReader(make([]byte, 64))}
			doc := webhook.SecretDocument{Current: webhook.NewSecret(text)}
			got := map[string]error{}
			_, got["Create"] = m.Create(t.Context(), "p/Default/7/ab", doc)
			_, got["Read"] = m.Read(t.Context(), ref(1))
			_, got["Put"] = m.Put(t.Context(), ref(1), doc)
			got["Delete"] = m.Delete(t.Context(), "p/Default/7/ab")
			for method, want := range map[string]error{"Create": tt.create, "Read": tt.read, "Put": tt.put, "Delete": tt.remove} {
				if !errors.Is(got[method], want) {
					t.Errorf("%s: got %v, want %v", method, got[method], want)
				}
				if got[method] != nil && strings.Contains(got[method].Error(), text) {
					t.Errorf("%s: the error contains the secret", method)
				}
			}
		})
	}
}

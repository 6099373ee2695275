package secrets

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Value gives a function that reads a secret's current text on its first call
// and remembers it as long as the process lives; a fault is not remembered. It
// is meant for what the template made, which changes only with a deployment.
//
// Errors: webhook.ErrSecretUnavailable; webhook.ErrNotFound where the secret is
// marked for deletion. The function may be called concurrently.
func Value(client Client, name string) func(ctx context.Context) (webhook.Secret, error) {
	var (
		mu   sync.Mutex
		read bool
		text webhook.Secret
	)
	return func(ctx context.Context) (webhook.Secret, error) {
		mu.Lock()
		defer mu.Unlock()
		if read {
			return text, nil
		}
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil {
			return webhook.Secret{}, readFault("read a secret", err)
		}
		text, read = webhook.NewSecret(aws.ToString(out.SecretString)), true
		return text, nil
	}
}

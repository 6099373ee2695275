package start

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
)

// Limits bounds what a function creates and remembers.
type Limits struct {
	// WebhooksPerTenant is how many webhooks a tenant may have. 0: no limit.
	WebhooksPerTenant int
	// DocumentBytes bounds the secret documents of Secrets Manager that an environment
	// remembers. Sealed ones are opened each time. 0: none are remembered.
	DocumentBytes int
}

// Contracts returns the dependencies that all functions share: the tables and
// the stores of secrets. The caller sets the queues and the failure bucket.
func Contracts(cfg config.Deployed, limits Limits, clients aws.Config, logger *slog.Logger) service.Contracts {
	store := dynamo.New(dynamodb.NewFromConfig(clients), dynamo.Tables(cfg.Tables), dynamo.Options{Now: time.Now, Random: rand.Reader})
	stores := newSecrets(cfg, limits, secretsmanager.NewFromConfig(clients))
	webhooks := store.Webhooks().Limited(limits.WebhooksPerTenant)
	return service.Contracts{
		Logger: logger, Now: time.Now, Random: rand.Reader, Delivering: cfg.Delivering,
		Webhooks: webhooks, Founder: webhooks, Events: store.Events(), Deliveries: store.Deliveries(), Statistics: store.Statistics(),
		Secrets: stores, Custody: stores,
		Tenants: store.Tenants(), Credentials: store.Credentials(), Jobs: store.Jobs(), Erasure: store.Erasure(),
		Sources: store.Sources(), OwnTables: []string{cfg.Tables.Webhooks, cfg.Tables.Events, cfg.Tables.Deliveries},
	}
}

func newSecrets(cfg config.Deployed, limits Limits, client *secretsmanager.Client) *secrets.Stores {
	root := secrets.NewRoot(client, cfg.RootSecret, time.Now, rand.Reader)
	stores := &secrets.Stores{
		Manager:     &secrets.Manager{Client: client, Prefix: cfg.SecretPrefix, Random: rand.Reader},
		Sealed:      &secrets.Sealed{Rings: root, Now: time.Now, Random: rand.Reader},
		Rotate:      root.Rotate,
		WriteSealed: cfg.WriteSealed,
	}
	if limits.DocumentBytes > 0 {
		stores.Manager = secrets.NewCache(stores.Manager, limits.DocumentBytes)
	}
	return stores
}

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

// Contracts returns the dependencies that all functions share: the tables and
// Secrets Manager. The caller sets the queues and the failure bucket. A tenant may
// create up to webhooksPerTenant webhooks; 0: no limit.
func Contracts(cfg config.Deployed, webhooksPerTenant int, clients aws.Config, logger *slog.Logger) service.Contracts {
	store := dynamo.New(dynamodb.NewFromConfig(clients), dynamo.Tables(cfg.Tables), dynamo.Options{Now: time.Now, Random: rand.Reader})
	webhooks := store.Webhooks().Limited(webhooksPerTenant)
	return service.Contracts{
		Logger: logger, Now: time.Now, Random: rand.Reader, Delivering: cfg.Delivering,
		Webhooks: webhooks, Founder: webhooks, Events: store.Events(), Deliveries: store.Deliveries(), Statistics: store.Statistics(),
		Secrets: &secrets.Manager{Client: secretsmanager.NewFromConfig(clients), Prefix: cfg.SecretPrefix, Random: rand.Reader},
		Tenants: store.Tenants(), Credentials: store.Credentials(), Jobs: store.Jobs(), Erasure: store.Erasure(),
		Sources: store.Sources(), OwnTables: []string{cfg.Tables.Webhooks, cfg.Tables.Events, cfg.Tables.Deliveries},
	}
}

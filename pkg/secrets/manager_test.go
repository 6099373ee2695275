package secrets_test

import (
	"crypto/rand"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/secrets/secretstest"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// emulated returns a client of the emulator that make test-aws starts.
func emulated(t *testing.T) *secretsmanager.Client {
	t.Helper()
	if os.Getenv("AWS_EMULATOR_ENDPOINT") == "" {
		t.Skip("AWS_EMULATOR_ENDPOINT is not set: make test-aws starts the emulator")
	}
	cfg, err := awsenv.Config(os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseEndpoint = aws.String(os.Getenv("AWS_EMULATOR_ENDPOINT"))
	return secretsmanager.NewFromConfig(cfg)
}

func TestManager_KeepsTheContract(t *testing.T) {
	t.Parallel()
	client := emulated(t)
	secretstest.Run(t, secretstest.Harness{
		Secrets: secrets.NewCache(&secrets.Manager{Client: client, Prefix: "suite", Random: rand.Reader}, 100),
		Labels: func(t *testing.T, name string) map[string]string {
			t.Helper()
			out, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
			if err != nil {
				t.Fatal(err)
			}
			labels := map[string]string{}
			for version, names := range out.VersionIdsToStages {
				for _, label := range names {
					if label == "AWSCURRENT" || label == "AWSPREVIOUS" {
						labels[label] = version
					}
				}
			}
			return labels
		},
		Strand: func(t *testing.T, committed webhook.SecretRef) {
			t.Helper()
			_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &committed.Name, SecretString: aws.String("{}")})
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}

func TestManager_RotatesMoreOftenThanTheLimitOfLabels(t *testing.T) {
	t.Parallel()
	const maxLabels = 20
	client := emulated(t)
	m := &secrets.Manager{Client: client, Prefix: "suite", Random: rand.Reader}
	name, err := m.Name("Default", 7)
	if err != nil {
		t.Fatal(err)
	}
	doc := webhook.SecretDocument{Current: webhook.NewSecret("s")}
	committed, err := m.Create(t.Context(), name, doc)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 * maxLabels {
		next, err := m.Put(t.Context(), committed, doc)
		if err != nil {
			t.Fatalf("rotation %d: %v", n+1, err)
		}
		if n%3 > 0 { // every third version is lost
			committed = next
		}
		if _, err := m.Read(t.Context(), committed); err != nil {
			t.Fatalf("after rotation %d the committed version: %v", n+1, err)
		}
	}
	out, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	if err != nil {
		t.Fatal(err)
	}
	labels := 0
	for _, names := range out.VersionIdsToStages {
		labels += len(names)
	}
	if labels > maxLabels {
		t.Errorf("%d labels, the service allows %d", labels, maxLabels)
	}
}

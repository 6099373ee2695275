package awsenv_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
)

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestConfig_ReadsTheEnvironmentOfAFunction(t *testing.T) {
	t.Parallel()
	c, err := awsenv.Config(lookup(map[string]string{
		"AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
	}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "id" || got.SecretAccessKey != "key" || got.SessionToken != "token" {
		t.Errorf("credentials: error %v", err)
	}
	if c.Region != "eu-north-1" || *c.BaseEndpoint != "http://127.0.0.1:4566" || c.Retryer().MaxAttempts() != 4 {
		t.Errorf("region %q, endpoint %q, attempts %d", c.Region, *c.BaseEndpoint, c.Retryer().MaxAttempts())
	}
}

func TestConfig_ReportsEveryFaultAndNoSecret(t *testing.T) {
	t.Parallel()
	_, err := awsenv.Config(lookup(map[string]string{"AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_ENDPOINT_URL": "localhost"}))
	if err == nil {
		t.Fatal("accepted")
	}
	want := "AWS_REGION is not set\nAWS_ACCESS_KEY_ID is not set\nAWS_ENDPOINT_URL must be an http or https URL"
	if err.Error() != want || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %q", err)
	}
}

// A service that does not respond is asked again within the invocation. A function
// that is invoked may take its time.
func TestConfig_WaitsForNoResponseForever(t *testing.T) {
	t.Parallel()
	c, err := awsenv.Config(lookup(map[string]string{"AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}))
	if err != nil {
		t.Fatal(err)
	}
	patience := func(c aws.Config) time.Duration {
		return c.HTTPClient.(*awshttp.BuildableClient).GetTransport().ResponseHeaderTimeout
	}
	if got := patience(c); got != 5*time.Second {
		t.Errorf("a response may take %v to begin, want 5 s", got)
	}
	if got := patience(awsenv.Waiting(c)); got != 0 {
		t.Errorf("a function's response may take %v to begin, want no limit", got)
	}
}

// Package awsenv builds an aws.Config by hand from the environment that Lambda
// gives a function. It reads no profile files, asks no metadata service and
// refreshes nothing: an environment's credentials do not change while it lives.
// The SDK's own loader does all of that, and costs milliseconds of each start.
package awsenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	attempts    = 4
	dialTimeout = 2 * time.Second
	// A frozen environment wakes up with connections that the far end closed;
	// the SDK retries those, and this bounds how many there are.
	idleTimeout = 20 * time.Second
)

// Config reads AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN (optional) and AWS_ENDPOINT_URL (optional). Every fault is
// in the error; no error holds a credential. The Config's HTTP client is safe
// for concurrent use and meant to be shared by all clients of a process.
func Config(lookup func(name string) (string, bool)) (aws.Config, error) {
	var faults []error
	read := func(name string, required bool) string {
		v, _ := lookup(name)
		if v == "" && required {
			faults = append(faults, fmt.Errorf("%s is not set", name))
		}
		return v
	}
	region := read("AWS_REGION", true)
	credentials := aws.Credentials{
		AccessKeyID:     read("AWS_ACCESS_KEY_ID", true),
		SecretAccessKey: read("AWS_SECRET_ACCESS_KEY", true),
		SessionToken:    read("AWS_SESSION_TOKEN", false),
		Source:          "environment",
	}
	endpoint := read("AWS_ENDPOINT_URL", false)
	if endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			faults = append(faults, errors.New("AWS_ENDPOINT_URL must be an http or https URL"))
		}
	}
	if len(faults) > 0 {
		return aws.Config{}, errors.Join(faults...)
	}
	c := aws.Config{
		Region:      region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
		HTTPClient: awshttp.NewBuildableClient().
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
			WithTransportOptions(func(t *http.Transport) { t.IdleConnTimeout = idleTimeout }),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = attempts })
		},
	}
	if endpoint != "" {
		c.BaseEndpoint = aws.String(endpoint)
	}
	return c, nil
}
